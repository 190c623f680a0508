"""The change log, read: exactly what was committed since the last look, on a primary and on a standby.

Transactions commit in another order than they begin, so a reader asks for everything of those that were running at its
previous look, and passes over what it has seen.
"""

from typing import Final

import asyncpg

from registry.changes import Change, ChangeKind, LoggedChange, Look, Operation
from registry.database import connect
from registry.handle import HandleKey
from registry.store import Store

SNAPSHOT: Final = (
    "SELECT s::text AS snapshot, pg_snapshot_xmin(s)::text::bigint AS oldest FROM pg_current_snapshot() AS s"
)
# One statement is one snapshot: what is read here and the snapshot to go on from belong together.
CHANGES: Final = """
WITH s AS MATERIALIZED (SELECT pg_current_snapshot() AS snapshot)
SELECT s.snapshot::text AS snapshot, pg_snapshot_xmin(s.snapshot)::text::bigint AS oldest,
       c.seq, c.xid::text::bigint AS transaction, extract(epoch FROM c.at)::float8 AS written_at,
       c.kind, c.prefix_id, c.suffix, c.suffix_to, c.operation
FROM s LEFT JOIN change_log AS c ON c.xid >= pg_snapshot_xmin($1::text::pg_snapshot)
ORDER BY c.xid, c.seq
"""
# Which server answers, and which of its histories: transaction numbers start another story after a failover, and after
# a crash, which takes back what was committed without waiting for the disk although it had been seen. A crash discards
# the statistics, which an ordered restart keeps, so the time of their last reset tells the two apart.
SERVER: Final = """
SELECT concat_ws(' ', s.system_identifier, c.timeline_id, inet_server_addr(), inet_server_port(), b.stats_reset)
FROM pg_control_system() AS s, pg_control_checkpoint() AS c, pg_stat_bgwriter AS b
"""


class ChangeReader:
    """Looks at the change log over a connection of its own. Everything raises DATABASE_AWAY."""

    def __init__(self, program: str, store: Store) -> None:
        self._program = program
        self._store = store
        self._connection: asyncpg.Connection | None = None

    async def open(self) -> str:
        """Connects and says which server and history answers; a changed answer means: forget everything."""
        await self.close()
        self._connection = await self._store.nearest.follow(self._program)
        if elsewhere := self._store.settings.change_log_dsn:
            self._connection.terminate()
            self._connection = await connect(self._store.settings, self._program, elsewhere)
        return str(await self._connection.fetchval(SERVER))

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.terminate()

    async def first_look(self) -> Look:
        connection = self._open_connection()
        row = await connection.fetchrow(SNAPSHOT)
        assert row is not None
        return Look(row["snapshot"], row["oldest"])

    async def look(self, snapshot: str) -> Look:
        """Everything logged by transactions that were running or to come when `snapshot` was taken."""
        rows = await self._open_connection().fetch(CHANGES, snapshot)
        if any(row["prefix_id"] is not None and self._store.prefixes.by_id(row["prefix_id"]) is None for row in rows):
            await self._store.load_prefixes()
        changes = tuple(
            LoggedChange(row["seq"], row["transaction"], row["written_at"], self._change(row))
            for row in rows
            if row["seq"] is not None
        )
        return Look(rows[0]["snapshot"], rows[0]["oldest"], changes)

    def _open_connection(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            raise ConnectionError("the connection to Postgres is closed")
        return self._connection

    def _change(self, row: asyncpg.Record) -> Change:
        prefix = None if row["prefix_id"] is None else self._store.prefixes.by_id(row["prefix_id"])
        if row["kind"] == ChangeKind.EVERYTHING or prefix is None:
            return Change(ChangeKind.EVERYTHING)
        base = prefix.key + b"/"
        if row["kind"] == ChangeKind.PREFIX:
            return Change(ChangeKind.PREFIX, HandleKey(base))
        first = HandleKey(base + row["suffix"].encode())
        if row["kind"] == ChangeKind.HANDLE:
            return Change(ChangeKind.HANDLE, first)
        last = HandleKey(base + row["suffix_to"].encode())
        return Change(ChangeKind.RANGE, first, last, row["operation"] == Operation.CREATED)
