"""The queue in front of the pool: bounded, and not for ever; who does not get in is told that the database is away."""

import asyncio

import pytest

from registry.database import DATABASE_AWAY, PoolQueue, open_pool
from registry.settings import RegistrySettings

DEADLINE = 20.0


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
