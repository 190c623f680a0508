"""The node's own Postgres, kept running: started again whenever it ends by itself, and left to the next program."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from registry.database import DATABASE_AWAY
from registry.embedded import EmbeddedPostgres, postgres_directory
from registry.embedded_errors import EmbeddedPostgresError
from registry.postgres_programs import find_binaries
from registry.settings import RegistrySettings
from resolver.child import FIRST_DELAY, LAST_DELAY
from resolver.upgrade import Postgres

log = logging.getLogger(__name__)

POSTGRES: Final = "postgres"


class OwnPostgres:
    def __init__(self, settings: RegistrySettings) -> None:
        directory = postgres_directory(Path(settings.data_directory))
        self._server = EmbeddedPostgres(directory, binaries=find_binaries(settings.postgres_binaries))
        self.restarts = 0

    @property
    def dsn(self) -> str:
        return self._server.dsn

    @property
    def pid(self) -> int | None:
        return None if self._server.process is None else self._server.process.pid

    @asynccontextmanager
    async def running(self, left: Postgres | None) -> AsyncIterator[None]:
        """`left` is what a former program of this process left. Raises EmbeddedPostgresError."""
        if left is None:
            await self._server.start()
        else:
            self._server.adopt(left.process, left.lock, Path(left.socket), Path(left.programs))
        keeper = asyncio.create_task(self._keep(), name=POSTGRES)
        try:
            yield
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
            await self._server.stop()

    def left(self) -> Postgres | None:
        """What the next program needs to take it over."""
        if self._server.process is None:
            return None
        listening, programs = self._server.place
        return Postgres(self._server.process.pid, self._server.lock, str(listening), str(programs))

    async def _keep(self) -> None:
        delay = FIRST_DELAY
        while True:
            await self._server.exited.wait()
            log.error("Postgres ended; it is started again in %.1f s", delay)
            self.restarts += 1
            await asyncio.sleep(delay)
            try:
                await self._server.start()
            except (EmbeddedPostgresError, *DATABASE_AWAY):
                log.exception("Postgres could not be started again")
                delay = min(delay * 2, LAST_DELAY)
            else:
                delay = FIRST_DELAY
