"""A leader that dies with writes which no replica has: nobody is told of them for longer than is stated.

Without synchronous replication, so outside of the supported cluster, what was acknowledged last may be lost. A resolver
that has heard of it keeps an answer that the book of the next leader never knew.
"""

import asyncio
from time import monotonic

import asyncpg

from bench.failover import STALEST
from registry.embedded import EmbeddedPostgres
from tests.journeys.servers import a_server, a_standby
from tests.registry.relays import a_relay
from tests.resolver.http.lab import PREFIX, TIMEOUT, Client, basic, lab, using

NAME = f"/api/handles/{PREFIX}/LOT"
REPLAYED = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"


async def test_what_the_next_leader_does_not_know_is_answered_no_longer_than_stated(tmp_path):
    async with (
        a_server() as primary,
        a_standby(primary) as standby,
        a_relay(primary.dsn) as first,
        a_relay(standby.dsn) as second,
        lab(first.dsn_with(second), tmp_path, plain_authentication=True) as node,
    ):
        await using(node, lambda client: put(client, "known"))
        await cut_off(standby, await position(primary))
        await using(node, lambda client: put(client, "lost"))
        assert await using(node, said) == "lost"
        await primary.stop()
        stopped = monotonic()
        await execute(standby, "SELECT pg_promote()")
        answers: list[str] = []
        while monotonic() < stopped + STALEST and answers[-5:] != ["known"] * 5:
            answers.append(await using(node, said))  # It is given meanwhile, too: kept, and old.
            await asyncio.sleep(0.02)
        assert answers[-5:] == ["known"] * 5
        assert "lost" not in answers[answers.index("known") :]
        await using(node, lambda client: put(client, "written to the next leader"))
        assert await using(node, said) == "written to the next leader"


def put(client: Client, text: str) -> None:
    answer = client.ask("PUT", NAME, [{"index": 1, "type": "DESC", "data": text}], basic())
    assert answer.status in (200, 201), answer.body


def said(client: Client) -> str:
    answer = client.ask("GET", NAME)
    assert answer.status == 200, answer.body
    return str(answer.json["values"][0]["data"]["value"])


async def position(server: EmbeddedPostgres) -> str:
    return str(await execute(server, "SELECT pg_current_wal_lsn()::text"))


async def cut_off(standby: EmbeddedPostgres, reached: str) -> None:
    """Has it follow nobody, once it has replayed up to there."""
    async with asyncio.timeout(TIMEOUT):
        while not await execute(standby, REPLAYED, reached):  # noqa: ASYNC110  # Postgres is asked and tells nobody
            await asyncio.sleep(0.02)
        await execute(standby, "ALTER SYSTEM SET primary_conninfo = ''")
        await execute(standby, "SELECT pg_reload_conf()")
        while await execute(standby, "SELECT count(*) FROM pg_stat_wal_receiver"):  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.02)


async def execute(server: EmbeddedPostgres, statement: str, *arguments: object) -> object:
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()
