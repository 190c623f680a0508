"""A node that reads from a standby which no longer hears its primary: it says that its answers may be old, kept ones
and those that it reads anew."""

import asyncio

import asyncpg

from bench.askers import Outcome, TcpAsker, UdpAsker
from registry.migrate import migrate
from resolver.node import Node
from tests.journeys.servers import a_server, a_standby
from tests.resolver.http.lab import PREFIX, Client, lab

DEADLINE = 60.0  # Seconds for all three states.


async def test_answers_of_a_standby_that_is_behind_are_marked_until_it_is_level_again(tmp_path):
    async with a_server() as primary:
        await migrate(primary.dsn)
        async with (
            a_standby(primary) as standby,
            lab(primary.dsn, tmp_path, nearest_dsn=standby.dsn, max_staleness=0.5) as node,
        ):
            async with asyncio.timeout(DEADLINE):
                await marked(node, marked_old=False)
                reader = await asyncpg.connect(standby.dsn)
                writer = await asyncpg.connect(primary.dsn)
                try:
                    await reader.execute("SELECT pg_wal_replay_pause()")
                    await writer.execute("UPDATE prefix SET prefix = prefix")
                    await marked(node, marked_old=True)
                    await reader.execute("SELECT pg_wal_replay_resume()")
                    await marked(node, marked_old=False)
                finally:
                    await reader.close()
                    await writer.close()


async def marked(node: Node, *, marked_old: bool) -> None:
    """Returns when all answers are marked as ones that may be old, kept or read anew, or none is; they are given in
    any case."""
    port = node.port

    def look() -> set[bool]:
        client = Client(port)
        path = f"/api/handles/{PREFIX}/READ"
        try:
            answers = [client.ask("GET", path), client.ask("GET", f"{path}?auth=true")]
            answers.append(client.ask("POST", "/api/resolve?auth=true", [f"{PREFIX}/READ"]))
        finally:
            client.close()
        assert [answer.status for answer in answers] == [200] * 3
        return {"110" in (answer.headers["Warning"] or "") for answer in answers}

    async def ask_natively() -> set[Outcome]:
        outcomes = set()
        for asks in (TcpAsker, UdpAsker):
            asker = asks("127.0.0.1", node.native_port, anew=True)
            outcomes.add((await asker.ask(f"{PREFIX}/READ"))[0])
            asker.end()
        return outcomes

    told = {marked_old}, {Outcome.OLD if marked_old else Outcome.ANSWERED}
    while (await asyncio.to_thread(look), await ask_natively()) != told:  # noqa: ASYNC110  # what a client is told
        await asyncio.sleep(0.05)
