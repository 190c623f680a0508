"""Jobs in the book: who sent which file of changes, what is to be done with it, how far it is, and how it ended.

A job is worked off by `registry.job_runner` as a load of the ledger. What its sender was allowed when he sent it, it is
allowed while it runs; but where an enterprise has been suspended since, its rows are refused.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import asyncpg
import msgspec
import orjson

from registry import acts
from registry.acts import Act
from registry.authentication import Administrator
from registry.bulk import Kind
from registry.chunks import Form
from registry.errors import HandleNotFound, ProtocolFault, TooManyRequests
from registry.grants import Grant
from registry.handle import NAMING_AUTHORITY
from registry.job_files import Received
from registry.ledger import Connection, Tally
from registry.refusal import storable
from registry.standing import State, Wish
from registry.store import Store
from registry.value import Reference

MAX_WAITING: Final = 100  # Jobs of one enterprise that have not ended: each keeps a file.
MAX_LISTED: Final = 100  # In one answer.
NAMED_FOR: Final = timedelta(hours=48)  # How long an Idempotency-Key stands for a job, as with other writes.

JobState = Literal["queued", "running", "undoing", "finished", "cancelled", "undone", "failed"]
OnError = Literal["proceed", "rollback"]

COLUMNS: Final = """
j.job_id, j.enterprise_id, j.submitted_by, j.administrator, j.digest, j.kind, j.form, j.source, j.on_error, j.wish,
j.columns, j.octets, j.state, j.batch_id, j.octets_read, j.rate, j.fault, j.created_at, j.started_at, j.finished_at,
j.kept, j.cancelled_by
"""
TALLY: Final = """
SELECT coalesce(sum(lines), 0)::bigint AS lines, coalesce(sum(created), 0)::bigint AS created,
       coalesce(sum(updated), 0)::bigint AS updated, coalesce(sum(unchanged), 0)::bigint AS unchanged,
       coalesce(sum(refused), 0)::bigint AS refused
FROM import_chunk WHERE batch_id = $1
"""
ADD: Final = """
INSERT INTO job (enterprise_id, submitted_by, administrator, idempotency_key, digest, kind, form, source, on_error,
                 wish, columns, octets, state, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'queued', $13)
ON CONFLICT (submitted_by, idempotency_key) DO NOTHING RETURNING job_id
"""
# A name that stood for a job long enough may stand for another.
RENAME: Final = """
UPDATE job SET idempotency_key = 'job ' || job_id
WHERE submitted_by = $1 AND idempotency_key = $2 AND created_at <= $3
"""
NAMED: Final = f"SELECT {COLUMNS} FROM job AS j WHERE submitted_by = $1 AND idempotency_key = $2"  # noqa: S608  # our own columns
FIND: Final = f"SELECT {COLUMNS} FROM job AS j WHERE job_id = $1"  # noqa: S608  # our own columns
LIST: Final = f"""
SELECT {COLUMNS} FROM job AS j
WHERE ($1 OR j.enterprise_id = $2 OR j.submitted_by = $3) AND ($4::int IS NULL OR j.job_id < $4)
ORDER BY j.job_id DESC LIMIT $5
"""  # noqa: S608  # our own columns
OPEN: Final = f"SELECT {COLUMNS} FROM job AS j WHERE finished_at IS NULL ORDER BY job_id"  # noqa: S608  # our own columns
WAITING: Final = """
SELECT count(*) FROM job WHERE finished_at IS NULL AND enterprise_id IS NOT DISTINCT FROM $1
"""
BEGIN: Final = """
UPDATE job SET state = 'running', batch_id = $2, started_at = coalesce(started_at, $3), fault = NULL
WHERE job_id = $1 AND state IN ('queued', 'running')
"""
MAP: Final = "UPDATE job SET columns = $2 WHERE job_id = $1"
PROGRESS: Final = "UPDATE job SET octets_read = $2, rate = $3, fault = NULL WHERE job_id = $1"
UNDO: Final = "UPDATE job SET state = 'undoing', rate = 0 WHERE job_id = $1"
END: Final = """
UPDATE job SET state = $2, finished_at = $3, fault = $4, rate = 0 WHERE job_id = $1 AND finished_at IS NULL
"""
WAIT: Final = "UPDATE job SET fault = $2, rate = 0 WHERE job_id = $1"
CANCEL: Final = """
UPDATE job SET cancelled_by = $2 WHERE job_id = $1 AND finished_at IS NULL AND cancelled_by IS NULL RETURNING job_id
"""
OVER: Final = "SELECT job_id, form FROM job WHERE kept AND finished_at < $1 ORDER BY finished_at LIMIT 1000"
DROP: Final = "UPDATE job SET kept = false WHERE job_id = $1"


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a job. `columns` is a mapping of `registry.column_mapping`, in its form."""

    kind: Kind
    form: Form
    source: str
    on_error: OnError = "proceed"
    wish: Wish | None = None
    columns: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the book has it."""

    job_id: int
    enterprise_id: int | None
    submitted_by: str
    by: Administrator
    order: Order
    digest: bytes
    octets: int
    state: JobState
    batch_id: int | None
    octets_read: int
    rate: int
    fault: Mapping[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    kept: bool
    cancelled_by: str | None


class Jobs:
    """Keeps jobs. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def add(
        self,
        order: Order,
        by: Administrator,
        key: str,
        received: Received,
        number: Callable[[int], None],
    ) -> tuple[Job, bool]:
        """A new job and True; or the one that was sent before under this key, and False. `number` numbers its file.

        Raises ProtocolFault for a key that was of another, TooManyRequests when too many are waiting.
        """
        now = datetime.now(UTC)
        wish = None if order.wish is None else orjson.dumps(order.wish).decode()
        columns = None if order.columns is None else orjson.dumps(order.columns).decode()
        about = (order.kind, order.form, storable(order.source), order.on_error, wish, columns)
        async with self.store.connection() as connection, connection.transaction():
            await connection.execute(RENAME, str(by), key, now - NAMED_FOR)
            enterprise_id = enterprise_of(self.store, by)
            whose = (enterprise_id, str(by), administrator_to_json(by), key, received.digest)
            job_id = await connection.fetchval(ADD, *whose, *about, received.octets, now)
            if job_id is None:
                job = _job(await connection.fetchrow(NAMED, str(by), key))
                if (job.digest, replace(job.order, columns=order.columns)) != (received.digest, order):
                    raise ProtocolFault("write.key_reused")
                return job, False
            if await connection.fetchval(WAITING, enterprise_id) > MAX_WAITING:
                raise TooManyRequests("job.too_many", limit=MAX_WAITING)
            job = _job(await connection.fetchrow(FIND, job_id))
            await self.keep(connection, job, "job.submitted", str(by))
            await asyncio.to_thread(number, job_id)  # Before the commit: a job that is there has its file.
            return job, True

    async def find(self, job_id: int) -> Job:
        """Raises HandleNotFound."""
        async with self.store.connection() as connection:
            row = await connection.fetchrow(FIND, job_id)
        if row is None:
            raise HandleNotFound("job.not_found", job=job_id)
        return _job(row)

    async def listed(
        self, by: str, enterprise_id: int | None, *, every: bool, before: int | None = None, limit: int = MAX_LISTED
    ) -> list[Job]:
        """Jobs of an enterprise or of whoever sent them, the newest first; or those of everybody."""
        async with self.store.connection() as connection:
            return [_job(row) for row in await connection.fetch(LIST, every, enterprise_id, by, before, limit)]

    async def open(self) -> list[Job]:
        """Those that have not ended, the oldest first."""
        async with self.store.connection() as connection:
            return [_job(row) for row in await connection.fetch(OPEN)]

    async def tally(self, job: Job) -> Tally:
        """What it has done so far."""
        if job.batch_id is None:
            return Tally()
        async with self.store.connection() as connection:
            row = await connection.fetchrow(TALLY, job.batch_id)
        assert row is not None
        return Tally(row["lines"], row["created"], row["updated"], row["unchanged"], row["refused"])

    async def cancel(self, job: Job, by: str) -> None:
        """Asks for its end. One that has ended stays as it is."""
        async with self.store.connection() as connection, connection.transaction():
            if await connection.fetchval(CANCEL, job.job_id, by) is not None:
                await self.keep(connection, job, "job.cancelled", by)

    async def begin(self, job: Job, batch_id: int) -> None:
        async with self.store.connection() as connection:
            await connection.execute(BEGIN, job.job_id, batch_id, datetime.now(UTC))

    async def map(self, job: Job, columns: Mapping[str, Any]) -> None:
        """Writes down what its columns mean, once and for all."""
        async with self.store.connection() as connection:
            await connection.execute(MAP, job.job_id, orjson.dumps(columns).decode())

    async def progress(self, job: Job, octets_read: int, rate: int) -> None:
        async with self.store.connection() as connection:
            await connection.execute(PROGRESS, job.job_id, octets_read, rate)

    async def undo(self, job: Job) -> None:
        """From here on it is taken back, whatever happens."""
        async with self.store.connection() as connection, connection.transaction():
            await connection.execute(UNDO, job.job_id)
            await self.keep(connection, job, "job.undoing", job.submitted_by)

    async def end(self, job: Job, state: JobState, fault: Mapping[str, Any] | None = None) -> None:
        async with self.store.connection() as connection, connection.transaction():
            about = None if fault is None else orjson.dumps(fault).decode()
            if await connection.execute(END, job.job_id, state, datetime.now(UTC), about) == "UPDATE 1":
                await self.keep(connection, job, f"job.{state}", job.submitted_by)

    async def wait(self, job: Job, fault: Mapping[str, Any]) -> None:
        """Says why it does not go on just now."""
        async with self.store.connection() as connection:
            await connection.execute(WAIT, job.job_id, orjson.dumps(fault).decode())

    async def over(self, before: datetime) -> list[tuple[int, str]]:
        """Jobs that ended before a time and whose files are kept: number and form."""
        async with self.store.connection() as connection:
            return [(row["job_id"], row["form"]) for row in await connection.fetch(OVER, before)]

    async def drop(self, job_id: int) -> None:
        """Notes that its file is gone."""
        async with self.store.connection() as connection:
            await connection.execute(DROP, job_id)

    async def keep(self, connection: Connection, job: Job, act: str, by: str) -> None:
        prefix = self.store.prefixes.find(job.by.identity.handle.partition("/")[2].upper().encode())
        detail = {"job": job.job_id, "kind": job.order.kind, "batch": job.batch_id}
        about = Act(act, job.order.source, None if prefix is None else prefix.prefix_id, detail)
        await acts.keep(connection, about, at=datetime.now(UTC), by=by, program=self.store.program)


def enterprise_of(store: Store, by: Administrator) -> int | None:
    """The enterprise for which somebody acts; None for those of the node and for keys of nobody's."""
    if by.grant is not None:
        return by.grant.enterprise_id
    authority, _, name = by.identity.handle.partition("/")
    prefix = store.prefixes.find(name.upper().encode()) if authority == NAMING_AUTHORITY else None
    return None if prefix is None else prefix.enterprise_id


def administrator_to_json(by: Administrator) -> str:
    form: dict[str, Any] = {"index": by.identity.index, "handle": by.identity.handle}
    if by.grant is not None:
        grant = msgspec.to_builtins(by.grant)
        prefixes = by.grant.prefixes
        grant["prefixes"] = None if prefixes is None else sorted(key.decode() for key in prefixes)
        form["grant"] = grant | {"scopes": sorted(by.grant.scopes)}
    return orjson.dumps(form).decode()


def administrator_from_json(text: str) -> Administrator:
    form = orjson.loads(text)
    identity = Reference(form["handle"], form["index"])
    if "grant" not in form:
        return Administrator(identity)
    grant = form["grant"]
    prefixes = grant.pop("prefixes")
    keys = None if prefixes is None else frozenset(key.encode() for key in prefixes)
    return Administrator(identity, Grant(**grant | {"scopes": frozenset(grant["scopes"]), "prefixes": keys}))


def _job(row: asyncpg.Record | None) -> Job:
    assert row is not None
    wish = None if row["wish"] is None else orjson.loads(row["wish"])
    columns = None if row["columns"] is None else orjson.loads(row["columns"])
    asked = None if wish is None else Wish(**wish | {"state": State(wish["state"])})
    return Job(
        row["job_id"],
        row["enterprise_id"],
        row["submitted_by"],
        administrator_from_json(row["administrator"]),
        Order(row["kind"], row["form"], row["source"], row["on_error"], asked, columns),
        row["digest"],
        row["octets"],
        row["state"],
        row["batch_id"],
        row["octets_read"],
        row["rate"],
        None if row["fault"] is None else orjson.loads(row["fault"]),
        row["created_at"],
        row["started_at"],
        row["finished_at"],
        row["kept"],
        row["cancelled_by"],
    )
