"""The queue in front of the pool: bounded, and not for ever; who does not get in is told that the database is away."""

import asyncio

import asyncpg
import pytest

from registry.database import DATABASE_AWAY, PoolQueue, open_pool, refusal_of
from registry.errors import ServerBusy
from registry.settings import RegistrySettings

DEADLINE = 60.0


async def test_who_waits_for_a_connection_waits_among_so_many_and_not_for_ever(database_dsn):
    pool = await open_pool(RegistrySettings(dsn=database_dsn, connections=1), "test")
    queue = PoolQueue(most=1, patience=0.2)
    try:
        async with asyncio.timeout(DEADLINE):
            async with queue.connection(pool) as connection:
                waiting = asyncio.create_task(queue.connection(pool).__aenter__())
                await asyncio.sleep(0)
                with pytest.raises(DATABASE_AWAY):
                    async with queue.connection(pool):
                        pass
                with pytest.raises(DATABASE_AWAY):
                    await waiting
                assert await connection.fetchval("SELECT 1") == 1
            async with queue.connection(pool) as connection:
                assert await connection.fetchval("SELECT 1") == 1
    finally:
        await pool.close()


async def test_of_two_transactions_that_wait_for_each_other_one_is_told_to_come_again(database_dsn):
    """A load that lost five times in a row was answered as a fault of ours, and a job failed of it."""
    connections = [await asyncpg.connect(database_dsn) for _ in range(2)]

    async def take(connection, first, second):
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", first)
            await both.wait()
            await connection.execute("SELECT pg_advisory_xact_lock($1)", second)

    try:
        both = asyncio.Barrier(2)
        async with asyncio.timeout(DEADLINE):
            outcomes = await asyncio.gather(
                take(connections[0], 1, 2), take(connections[1], 2, 1), return_exceptions=True
            )
        (refused,) = [outcome for outcome in outcomes if outcome is not None]
        assert isinstance(refused, DATABASE_AWAY)
        assert isinstance(refusal_of(refused), ServerBusy)
    finally:
        for connection in connections:
            await connection.close()


async def test_a_transaction_that_said_nothing_for_too_long_is_told_to_come_again(database_dsn):
    connection = await asyncpg.connect(database_dsn)
    closed = asyncio.Event()
    connection.add_termination_listener(lambda _: closed.set())
    await connection.execute("SET idle_in_transaction_session_timeout = '1ms'")
    with pytest.raises(DATABASE_AWAY):
        async with asyncio.timeout(DEADLINE), connection.transaction():
            await connection.execute("SELECT 1")
            await closed.wait()
            await connection.execute("SELECT 1")
