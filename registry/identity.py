"""Who a node is and which registry it serves: told apart from copies of either when it starts.

A registry has an identity, made with it; the data directory remembers the one that it served. A node has its key; two
nodes with the same key on one registry would answer each other's challenges and publish each other's addresses, so the
first holds an advisory lock of the database on a connection of its own, which ends with it, however it ends.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from registry.database import DATABASE_AWAY
from registry.servers import HOST_TIMEOUT, connect_primary
from registry.setting_rules import hosts_of
from registry.start_errors import AnotherBook, IdentityTaken
from registry.whole_file import write_whole

log = logging.getLogger(__name__)

BOOK_FILE: Final = "registry-identity"  # in the data directory: the identity of the registry that it served last
# Seconds for which a node waits for its own former run to let go: Postgres notices within milliseconds that a process
# on the same machine has ended, and the sessions of a machine that vanished are the operator's to end.
LETTING_GO: Final = 5.0
RETRY: Final = 0.2
RENEW: Final = 5.0  # Seconds between two tries to hold the identity again after the database was away.

BOOK: Final = "SELECT identity::text FROM node"
CLUSTER: Final = "SELECT system_identifier::text FROM pg_control_system()"
# Two keys of four octets, so that no single number of other programs (migrations use one) can be the same.
TRY_LOCK: Final = "SELECT pg_try_advisory_lock($1, $2)"
HOLDER: Final = """
SELECT concat_ws(' ', coalesce(host(a.client_addr), 'this machine'), 'since', a.backend_start::timestamptz(0)::text)
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid::bigint = $1 AND l.objid::bigint = $2 AND l.granted
"""


async def recognise(dsn: str, data_directory: Path, nearest_dsn: str = "") -> None:
    """Refuses another registry than the data directory served before; remembers the first. Raises DATABASE_AWAY too."""
    await _refuse_mixed_hosts([*_servers(dsn), *_servers(nearest_dsn)] if nearest_dsn else _servers(dsn))
    connection = await connect_primary(dsn)
    try:
        found = await connection.fetchval(BOOK)
    finally:
        await connection.close()
    file = data_directory / BOOK_FILE
    try:
        expected = await asyncio.to_thread(file.read_text, "ascii")
    except FileNotFoundError:
        await asyncio.to_thread(_remember, file, found)
        return
    if expected.strip() != found:
        raise AnotherBook("another-book", found=found, expected=expected.strip(), file=str(file))


def _remember(file: Path, identity: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, f"{identity}\n".encode("ascii"), mode=0o644)


def _servers(dsn: str) -> list[tuple[str, str | None, int | None]]:
    """Each server that a DSN names, and itself with no host where it names one."""
    return [(dsn, host, port) for host, port in hosts_of(dsn)] or [(dsn, None, None)]


async def _refuse_mixed_hosts(servers: list[tuple[str, str | None, int | None]]) -> None:
    """Every server that answers must be of one cluster: a write to one would not be read from the other."""
    found: dict[str, str] = {}
    for dsn, host, port in servers if len(servers) > 1 else ():
        try:
            connection = await asyncpg.connect(
                dsn, host=host, port=port, timeout=HOST_TIMEOUT, target_session_attrs=SessionAttribute.any
            )
        except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
            log.info("the database at %s does not answer: %s", host, error)
            continue
        try:
            name = f"{host}:{port}" if host else urlsplit(dsn).netloc.rpartition("@")[2]
            found[name] = await connection.fetchval(CLUSTER)
        finally:
            await connection.close()
    first, *others = found.items() or [("", "")]
    for host, cluster in others:
        if cluster != first[1]:
            raise AnotherBook("hosts-differ", host=host, found=cluster, other=first[0], expected=first[1])


class Tenure:
    """The node's identity, held against others from `take` to `release`."""

    def __init__(self, dsn: str, identity: bytes, key: Path) -> None:
        """`identity` is a digest of the node's key, which is in the file `key`."""
        self._dsn = dsn
        self._lock = tuple(int.from_bytes(identity[at : at + 4], "big", signed=True) for at in (0, 4))
        self._key = key
        self._connection: asyncpg.Connection | None = None
        self._ended = asyncio.Event()
        self._ended.set()

    async def take(self) -> None:
        """Raises IdentityTaken, and what DATABASE_AWAY lists."""
        connection = await connect_primary(self._dsn, server_settings={"application_name": "filament identity"})
        try:
            deadline = asyncio.get_running_loop().time() + LETTING_GO
            while not await connection.fetchval(TRY_LOCK, *self._lock):
                if asyncio.get_running_loop().time() > deadline:
                    raise IdentityTaken("identity-taken", holder=await self._holder(connection), key=self._key.name)
                await asyncio.sleep(RETRY)
        except BaseException:
            connection.terminate()
            raise
        self._ended = asyncio.Event()
        connection.add_termination_listener(self._end)
        self._connection = connection

    async def keep(self) -> None:
        """Takes it again whenever the database was away, until cancelled."""
        while True:
            await self._ended.wait()
            try:
                await self.take()
            except IdentityTaken as error:
                log.error("%s", error)  # the sentence says what to do; a traceback would not
            except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
                log.debug("the identity cannot be held: %s", error)
            if self._ended.is_set():
                await asyncio.sleep(RENEW)

    async def release(self) -> None:
        if self._connection is not None:
            self._connection.remove_termination_listener(self._end)
            self._connection.terminate()

    def _end(self, _: Any) -> None:
        self._ended.set()

    async def _holder(self, connection: asyncpg.Connection) -> str:
        keys = (number % (1 << 32) for number in self._lock)
        return str(await connection.fetchval(HOLDER, *keys) or "?")


@asynccontextmanager
async def held(tenure: Tenure) -> AsyncIterator[None]:
    """What was taken is kept as long as the block runs."""
    keeping = asyncio.create_task(tenure.keep(), name="identity")
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
        await tenure.release()
