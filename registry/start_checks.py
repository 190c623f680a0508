"""What is looked at before a node starts: room on its disk, and whether a database that does not answer ever will."""

import logging
import os
import socket
import ssl
import tempfile
from pathlib import Path
from typing import Final

import asyncpg

from registry import identity
from registry.database import DATABASE_AWAY
from registry.migrate import check
from registry.servers import connect_primary
from registry.setting_rules import hosts_of
from registry.settings import RegistrySettings
from registry.start_errors import DatabaseRefused, NoRoom

log = logging.getLogger(__name__)

MIB: Final = 1 << 20
# A first database takes 40 MiB and its log 80 more; with less, the first load in bulk would end in the middle.
LEAST_ROOM: Final = 64 * MIB

_HOPELESS: Final[tuple[tuple[str, tuple[type[BaseException], ...]], ...]] = (
    ("not-let-in", (asyncpg.InvalidAuthorizationSpecificationError,)),
    ("no-database", (asyncpg.InvalidCatalogNameError,)),
    ("database-full", (asyncpg.DiskFullError,)),
    ("no-postgres", (asyncpg.ProtocolViolationError, ssl.SSLError)),
)


def refuse_full_disk(directory: Path) -> None:
    """Refuses a data directory that cannot take what a node writes at once. Raises NoRoom."""
    there = next(one for one in (directory, *directory.absolute().parents) if one.exists())  # It is not made in vain.
    try:
        state = os.statvfs(there)
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise NoRoom("not-writable", directory=str(directory), reason=error.strerror) from None
    free = state.f_bavail * state.f_frsize
    if free < LEAST_ROOM:
        raise NoRoom("no-room", directory=str(directory), free=free // MIB, least=LEAST_ROOM // MIB)


def refuse_for_good(error: BaseException, dsn: str) -> None:
    """Raises DatabaseRefused for what waiting cannot mend: nobody will be there later, under that name, for us."""
    reason = str(error) or type(error).__name__
    for rule, kinds in _HOPELESS:
        if isinstance(error, kinds):
            raise DatabaseRefused(rule, reason=reason) from None
    if hosts_of(dsn):
        return  # another of them may come, whatever the last that was tried is
    if isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME:
        raise DatabaseRefused("no-host", reason=reason) from None
    # asyncpg's own word for an answer that no Postgres gives; what the system says has classes of its own.
    if type(error) is ConnectionError:
        raise DatabaseRefused("no-postgres", reason=reason) from None


async def refuse_strange_book(settings: RegistrySettings) -> None:
    """Looks at what the DSN leads to; one that is away will be looked at by each process. Raises StartRefused."""
    try:
        connection = await connect_primary(settings.dsn)
        try:
            await check(connection, exact_suffixes=settings.exact_suffixes)
        finally:
            await connection.close()
        # Whose log is followed elsewhere is no replica: a worker of Citus is a cluster of its own.
        nearest = "" if settings.change_log_dsn else settings.nearest_dsn
        await identity.recognise(settings.dsn, Path(settings.data_directory), nearest)
    except DATABASE_AWAY as error:
        refuse_for_good(error, settings.dsn)
        log.warning("the database cannot be reached, the node starts without it: %s", error)
