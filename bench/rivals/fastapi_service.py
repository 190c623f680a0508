"""The job as a service in FastAPI, the way its tutorial has one written; run by uvicorn in its own environment.

`cached` holds every record in a dictionary; `uncached` asks Postgres through a pool of ten connections each time.
KEYS and DSN come from the environment.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI, HTTPException  # type: ignore[import-not-found]  # in no requirement of ours

from bench.rivals.job import name, record

RECORD = "SELECT record FROM resource WHERE handle = $1"

cached = FastAPI()
records: dict[str, dict[str, Any]] = {
    name(number): record(number) for number in range(int(os.environ.get("KEYS", "0")))
}


@cached.get("/api/handles/{handle:path}")  # type: ignore[untyped-decorator]  # see the import
async def held(handle: str) -> dict[str, Any]:
    if handle not in records:
        raise HTTPException(404)
    return records[handle]


@asynccontextmanager
async def connected(service: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DSN"], min_size=10, max_size=10) as service.state.pool:
        yield


uncached = FastAPI(lifespan=connected)


@uncached.get("/api/handles/{handle:path}")  # type: ignore[untyped-decorator]  # see the import
async def read(handle: str) -> dict[str, Any]:
    found = await uncached.state.pool.fetchval(RECORD, handle)
    if found is None:
        raise HTTPException(404)
    answer: dict[str, Any] = json.loads(found)
    return answer
