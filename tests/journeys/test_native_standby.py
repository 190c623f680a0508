"""A node over a standby, which can be read and not written: it answers, and says why it does nothing else."""

from resolver.wire.codes import OpCode
from tests.journeys.servers import a_server, a_standby
from tests.registry.books import URL, open_book, reading, register
from tests.resolver.books import running_resolver
from tests.resolver.native import create, query, request, worker_of
from tests.resolver.test_operations_sessions import Client, half, send_key, set_up

READ_ONLY = 7


async def test_what_a_standby_cannot_do_is_refused_as_that_and_is_no_fault_of_ours(caplog):
    """Nothing is kept there between two messages either, as challenges and sessions are not logged."""
    async with a_server() as primary:
        async with open_book(primary.dsn) as store:
            await register(store, "88.118.1/cake", URL)
        async with (
            a_standby(primary) as standby,
            reading(standby.dsn) as store,
            running_resolver(store) as resolver,
        ):
            worker = worker_of(store, resolver)
            assert (await worker.answer_to(query("88.118.1/cake"))).response_code == 1
            for asked in (
                create("88.118.1/new", URL),
                set_up(half(5)),
                set_up(mode=2),
                send_key(bytes(16), session_id=4711),
                Client(4711, bytes(32)).query("88.118.1/cake"),
                request(OpCode.CHALLENGE_ANSWER, b"", session_id=18),
            ):
                assert (await worker.answer_to(asked)).response_code == READ_ONLY, asked.op_code
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
