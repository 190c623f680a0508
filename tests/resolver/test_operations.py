"""Resolution, site information and refusals in the native protocol."""

import pytest

from registry.errors import ResponseCode
from registry.value import HandleValue
from resolver.wire.codes import OpFlag
from resolver.wire.query import HandleValues
from tests.registry.books import DESC, SECRET, URL, register
from tests.resolver.native import CALLED_FOR, SITE, USUAL, Worker, query, request, running_worker, tcp, udp

RESTRICTED = HandleValue(9, "HS_SECKEY", SECRET, permissions=0b1100)


@pytest.fixture
async def worker(database_dsn):
    async with running_worker(database_dsn) as running:
        await register(running.store, "88.118.1/Cake", URL, DESC, RESTRICTED)
        yield running


def types_in(answer) -> list[str]:
    return [value.type for value in HandleValues.from_wire(answer.content).values]


async def test_an_answer_echoes_the_spelling_that_was_asked_for(worker: Worker):
    answer = await worker.answer_to(query("88.118.1/cAKE"))
    assert answer.response_code == 1
    assert HandleValues.from_wire(answer.body).handle == b"88.118.1/cAKE"
    assert types_in(answer) == ["URL", "DESC"]
    assert answer.op_flags == USUAL | OpFlag.AUTHORITATIVE
    assert answer.site_serial == SITE.serial
    assert answer.expiration > worker.clock() + 11 * 3600


async def test_a_kept_answer_needs_no_waiting_and_says_the_same(worker: Worker):
    asked = query("88.118.1/cake")
    assert worker.operations.respond_now(asked, "udp") is None
    waited = await worker.answer_to(asked)
    assert worker.operations.respond_now(asked, "udp")._replace(expiration=0) == waited._replace(expiration=0)


async def test_a_kept_answer_is_filtered_without_waiting(worker: Worker):
    await worker.answer_to(query("88.118.1/cake"))
    answer = worker.operations.respond_now(query("88.118.1/cake", "url", indexes=(2, 77)), "udp")
    assert types_in(answer) == ["URL", "DESC"]
    assert worker.operations.respond_now(query("88.118.1/cake", "EMAIL"), "udp").response_code == 200
    assert worker.operations.respond_now(query("88.118.1/cake", "HS_SECKEY"), "udp").response_code == 200


async def test_the_official_sdk_is_told_the_site_before_anything_else(worker: Worker):
    answer = worker.operations.respond_now(request(2, b"\0\0\0\1/", version=(2, 3), suggested=(2, 10)), "tcp")
    assert answer.body == SITE.to_wire()
    assert (answer.major, answer.minor) == (2, 10)


NOT_HERE = [
    ("", 102),
    ("/", 301),
    ("99.999/zzz", 301),
    ("88.118.1/none", 100),
    (b"88.118.1/\xff\xfe", 100),
    ("0", 100),  # what one SDK asks on an idle connection
    ("88.118.1/" + "x" * 2048, 102),
]


async def test_a_name_that_is_not_here_is_refused_with_the_code_of_its_reason(worker: Worker):
    for name, code in NOT_HERE:
        assert (await worker.answer_to(query(name))).response_code == code, name


async def test_a_name_without_slash_is_that_of_a_prefix(worker: Worker):
    answer = await worker.answer_to(query("88.118.1"))
    assert HandleValues.from_wire(answer.body).handle == b"88.118.1"
    assert types_in(answer) == ["HS_ADMIN", "HS_VLIST", "HS_PUBKEY"]


async def test_an_operation_nobody_offers_is_not_supported(worker: Worker):
    for op_code in (3, 107, 999, 1000, 1003, 2000):
        answer = worker.operations.respond_now(request(op_code, b""), "tcp")
        assert (answer.op_code, answer.response_code) == (op_code, 5)


async def test_a_body_that_contradicts_itself_is_a_fault_of_the_protocol(worker: Worker):
    for body in (b"", b"\xff\xff\xff\xffabcd", b"\0\x13\x88\0abcd", b"\0\0\0\1/\xff\xff\xff\xff"):
        assert worker.operations.respond_now(request(1, body), "udp").response_code == ResponseCode.PROTOCOL_ERROR


async def test_two_servers_never_talk_for_ever(worker: Worker):
    answer = await worker.answer_to(query("88.118.1/cake"))
    assert worker.operations.respond_now(answer, "udp") is None
    assert await worker.ask(answer, udp()) == ()
    assert (await worker.answer_to(answer, tcp())).response_code == 4


async def test_writing_is_refused_over_udp(worker: Worker):
    for op_code in (100, 101, 102, 103, 104, 105, 106, 300, 301, 302):
        assert worker.operations.respond_now(request(op_code, b""), "udp").response_code == 4


async def test_whoever_asks_for_everything_is_asked_who_he_is_and_only_then(worker: Worker):
    assert (await worker.answer_to(query("88.118.1/cake", flags=CALLED_FOR))).response_code == 402
    answer = await worker.answer_to(query("88.118.1/cake", "URL", flags=CALLED_FOR))
    assert types_in(answer) == ["URL"]


async def test_a_session_id_that_vouches_for_nothing_is_echoed(worker: Worker):
    """The newer national SDK numbers its connections itself."""
    answer = await worker.answer_to(query("88.118.1/cake", session_id=10_001))
    assert (answer.response_code, answer.session_id) == (1, 10_001)
