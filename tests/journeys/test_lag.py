"""A node that reads from a standby which no longer hears its primary: it says that its answers may be old."""

import asyncio

import asyncpg

from registry.migrate import migrate
from tests.journeys.servers import a_server, a_standby
from tests.resolver.http.lab import PREFIX, TIMEOUT, Client, lab


async def test_answers_of_a_standby_that_is_behind_are_marked_until_it_is_level_again(tmp_path):
    async with a_server() as primary:
        await migrate(primary.dsn)
        async with (
            a_standby(primary) as standby,
            lab(primary.dsn, tmp_path, nearest_dsn=standby.dsn, max_staleness=0.5) as node,
        ):
            async with asyncio.timeout(TIMEOUT):
                await marked(node.port, marked_old=False)
                reader = await asyncpg.connect(standby.dsn)
                writer = await asyncpg.connect(primary.dsn)
                try:
                    await reader.execute("SELECT pg_wal_replay_pause()")
                    await writer.execute("UPDATE prefix SET prefix = prefix")
                    await marked(node.port, marked_old=True)
                    await reader.execute("SELECT pg_wal_replay_resume()")
                    await marked(node.port, marked_old=False)
                finally:
                    await reader.close()
                    await writer.close()


async def marked(port: int, *, marked_old: bool) -> None:
    """Returns when an answer is marked as one that may be old, or is not; it is given in any case."""

    def look() -> bool:
        client = Client(port)
        try:
            answer = client.ask("GET", f"/api/handles/{PREFIX}/READ")
        finally:
            client.close()
        assert answer.status == 200
        return "110" in (answer.headers["Warning"] or "")

    while await asyncio.to_thread(look) is not marked_old:  # noqa: ASYNC110  # what a client is told
        await asyncio.sleep(0.05)
