"""Services as a user would write them: FastAPI under uvicorn, cached and uncached, and a plain aiohttp application."""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.ports import free_port
from bench.rivals.processes import Server, Task, running
from bench.rivals.programs import python_of_rivals
from bench.rivals.tables import SERVICE, database

ROOT: Final = Path(__file__).parents[2]  # From where `bench` is imported.


@asynccontextmanager
async def fastapi_cached(task: Task) -> AsyncIterator[Server]:
    async with _fastapi(task, "cached", {"KEYS": str(task.keys)}) as server:
        yield server


@asynccontextmanager
async def fastapi_uncached(task: Task) -> AsyncIterator[Server]:
    async with _fastapi(task, "uncached", {"DSN": database(task.dsn, SERVICE)}) as server:
        yield server


@asynccontextmanager
async def aiohttp_application(task: Task) -> AsyncIterator[Server]:
    port = free_port()
    command = (sys.executable, "-m", "bench.rivals.aiohttp_service", str(task.keys), str(port))
    async with running(command, port, {**os.environ, "PYTHONPATH": str(ROOT)}, task.directory) as pid:
        yield Server(pid, port)


@asynccontextmanager
async def _fastapi(task: Task, kind: str, told: Mapping[str, str]) -> AsyncIterator[Server]:
    port = free_port()
    application = f"bench.rivals.fastapi_service:{kind}"
    how = ("--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning")
    command = (python_of_rivals(), "-m", "uvicorn", application, *how)
    environment = {**os.environ, **told, "PYTHONPATH": str(ROOT)}
    async with running(command, port, environment, task.directory) as pid:
        yield Server(pid, port)
