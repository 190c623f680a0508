"""Works off jobs, in the registry's program: some at a time, and of each enterprise the one that it sent first.

Of all the registries of a book one does, the one that holds a lock. A job that is broken off, with the node or with
the database, goes on at the chunk where it stood. Those that run take turns (`registry.turns`), so that enterprises
are served chunk by chunk and resolvers beside them are not starved: whatever is waiting, one chunk is being prepared,
ten times behind a resolver, and one is being written.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec

from registry import ledger
from registry.archive_import import BEFORE, BEHIND, CHUNK_BEFORE, CHUNK_BEHIND, ArchiveImport, is_archive, octets_of
from registry.bulk import Plan, Report, chunks_of, load
from registry.bulk_rights import may_write
from registry.database import DATABASE_AWAY, LEAD, connect
from registry.errors import HandleError, ProtocolFault
from registry.job_files import FULL, JobFiles
from registry.job_plan import plan
from registry.jobs import Job, Jobs
from registry.ledger import Batch
from registry.mappings import Mappings, header_of
from registry.migrate import check
from registry.preparers import Preparers
from registry.refusal import Refusal
from registry.registration import Registration
from registry.rights import Rights
from registry.start_errors import SchemaMismatch
from registry.store import Store
from registry.turns import Turns
from registry.undoing import undo

log = logging.getLogger(__name__)

LOCK: Final = 0x4A4F4253  # "JOBS": any number does, as long as no other program of the database uses it.
AT_ONCE: Final = 4  # Enterprises whose jobs are under way: each holds three chunks in memory, some 60 MB in all.
INTERVAL: Final = 0.5  # Seconds between two looks for what is to be done, or to be ended.
PAUSE: Final = 2.0  # Seconds before a registry that does not work off jobs tries again to be the one that does.
RETRY: Final = 5.0  # Seconds before a job goes on whose disk was full.
KEPT: Final = timedelta(days=7)  # A file of a job that has ended: for its results.
SWEEP: Final = 3600.0  # Seconds between two looks for files that are kept no longer.


class JobRunner:
    """Works off jobs for a registry, whenever no other one of the same book does."""

    def __init__(self, store: Store, rights: Rights) -> None:
        self._store = store
        self._rights = rights
        self._jobs = Jobs(store)
        self._files = JobFiles(Path(store.settings.data_directory))
        self._turns = Turns()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._stopped: set[int] = set()  # Those that were asked to end.
        self._swept_at: float | None = None

    async def run(self) -> None:
        while True:
            try:
                await self._lead()
            except* (SchemaMismatch, *DATABASE_AWAY) as away:
                log.debug("jobs are not worked off: %s", away.exceptions[0])
            await asyncio.sleep(PAUSE)

    async def _lead(self) -> None:
        """Works until the connection breaks that holds the lock."""
        settings = self._store.settings
        connection = await connect(settings, "jobs")
        try:
            await check(connection, exact_suffixes=settings.exact_suffixes)
            if not await connection.fetchval(LEAD, LOCK):
                return
            log.debug("this registry works off jobs")
            async with asyncio.TaskGroup() as group:
                while True:
                    await connection.execute("SELECT")  # The lock is ours as long as this is answered.
                    await self._look(group)
                    await asyncio.sleep(INTERVAL)
        finally:
            self._running.clear()
            connection.terminate()

    async def _look(self, group: asyncio.TaskGroup) -> None:
        waiting = await self._jobs.open()
        for job in waiting:
            if job.cancelled_by is not None and job.job_id in self._running and job.job_id not in self._stopped:
                self._stopped.add(job.job_id)
                self._running[job.job_id].cancel()
        busy = {job.enterprise_id for job in waiting if job.job_id in self._running}
        for job in waiting:
            if job.enterprise_id not in busy and len(busy) < AT_ONCE:
                busy.add(job.enterprise_id)
                self._running[job.job_id] = group.create_task(self._work(job), name=f"job {job.job_id}")
        if self._swept_at is None or time.monotonic() - self._swept_at > SWEEP:
            self._swept_at = time.monotonic()
            await self.sweep(datetime.now(UTC))

    async def sweep(self, now: datetime) -> None:
        """Takes out files of jobs that are long over, and what is left of some that were never sent."""
        await asyncio.to_thread(self._files.sweep)
        for job_id, form in await self._jobs.over(now - KEPT):
            await asyncio.to_thread(self._files.remove, self._files.path(job_id, form))
            await self._jobs.drop(job_id)

    async def _work(self, job: Job) -> None:
        """One job to its end, or until it cannot go on."""
        try:
            await self._take_up(job)
        except asyncio.CancelledError:
            if job.job_id not in self._stopped:
                raise
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()  # It was this job that was to end, not the task: that has the ending to do.
            await self._end_early(job)
        except HandleError as error:
            await self._end_or_undo(job, error)
        except DATABASE_AWAY as error:
            await self._wait(job, error)
        except Exception:
            log.exception("job %d failed", job.job_id)  # The task ends here, whatever it failed of.
            await self._end_or_undo(job, HandleError("server.error"))
        finally:
            self._running.pop(job.job_id, None)
            self._stopped.discard(job.job_id)

    async def _take_up(self, job: Job) -> None:
        if job.cancelled_by is not None:
            await self._end_early(job)
        elif job.state == "undoing":
            await self._undo(job)
        else:
            await self._do(job)

    async def _do(self, job: Job) -> None:
        path = self._files.path(job.job_id, job.order.form)
        if not path.exists():
            raise ProtocolFault("job.file_missing", job=job.job_id)
        archived = await is_archive(job.order, path)
        if archived and job.order.on_error == "rollback":
            raise ProtocolFault("job.archive_rollback")
        job = await self._mapped(job, path)
        job, done = await self._begun(job)
        if archived and not done:
            await self._take_in(job, path, BEFORE, CHUNK_BEFORE)
        if not done:
            await self._load(job, path, replace(self._plan(job), archived=archived))
        if archived:
            await self._take_in(job, path, BEHIND, CHUNK_BEHIND)
        refused = (await self._jobs.tally(job)).refused
        if job.order.on_error == "rollback" and refused:
            await self._undo(job)
        else:
            await self._jobs.end(job, "finished")

    async def _mapped(self, job: Job, path: Path) -> Job:
        """The job with what its enterprise said of such columns before it was begun."""
        if job.batch_id is not None or job.order.form == "ndjson":
            return job
        names = await header_of(self._store, path, job.order.form)
        found = await Mappings(self._store).find(job.enterprise_id, names)
        if found is None:
            return job
        columns = msgspec.to_builtins(found)
        await self._jobs.map(job, columns)
        return replace(job, order=replace(job.order, columns=columns))

    async def _begun(self, job: Job) -> tuple[Job, bool]:
        """The job with its load; and whether that was finished when the registry was stopped."""
        async with self._store.connection() as connection:
            if job.batch_id is not None:
                header = await ledger.header(connection, job.batch_id)
                return job, header is not None and header.seconds is not None
            batch = await ledger.open_batch(
                connection,
                load_key=_load_key(job),
                source=job.order.source,
                form=job.order.form,
                loaded_by=job.submitted_by,
            )
        await self._jobs.begin(job, batch.batch_id)
        return replace(job, batch_id=batch.batch_id), False

    async def _take_in(self, job: Job, path: Path, kinds: Sequence[str], chunk: int) -> None:
        assert job.batch_id is not None
        registration = Registration(self._store, self._store.settings.administrators)
        await ArchiveImport(self._store, registration, job.by).take_in(path, kinds, Batch(job.batch_id), chunk)

    async def _load(self, job: Job, path: Path, plan: Plan) -> None:
        with path.open("rb") as file:
            progress = _Progress(self._jobs, job)
            await load(
                self._store,
                progress.counted(await octets_of(job.order, path, file)),
                job.order.form,
                source=job.order.source,
                load_key=_load_key(job),
                loaded_by=job.submitted_by,
                may_write=may_write(self._rights, job.by),
                progress=progress.tell,
                plan=plan,
                turns=self._turns,
            )
        await progress.written()

    async def _undo(self, job: Job) -> None:
        await self._jobs.undo(job)
        await self._take_back(job)
        await self._jobs.end(job, "undone" if job.cancelled_by is None else "cancelled", job.fault)

    async def _end_early(self, job: Job) -> None:
        job = await self._jobs.find(job.job_id)
        if job.order.on_error == "rollback" and job.batch_id is not None:
            await self._undo(job)
        else:
            await self._jobs.end(job, "cancelled")

    async def _end_or_undo(self, job: Job, error: HandleError) -> None:
        """It cannot be done, and why is told."""
        fault = fault_of(error)
        with suppress(*DATABASE_AWAY):
            job = await self._jobs.find(job.job_id)
            if job.order.on_error == "rollback" and job.batch_id is not None:
                await self._jobs.undo(job)
                await self._take_back(job)
            await self._jobs.end(job, "failed", fault)

    async def _take_back(self, job: Job) -> None:
        job = await self._jobs.find(job.job_id)
        if job.batch_id is None:
            return
        async with self._store.connection() as connection:
            batch = await ledger.batch(connection, job.batch_id)
        path = self._files.path(job.job_id, job.order.form)
        with path.open("rb") as file:
            octets = await octets_of(job.order, path, file)
            chunks = chunks_of(self._store, octets, job.order.form, self._plan(job).reading)
            async with Preparers() as preparers:
                await undo(self._store, chunks, batch, job.submitted_by, self._turns, preparers)

    async def _wait(self, job: Job, error: Exception) -> None:
        """Says why it does not go on, and lets some time pass; without a database there is nobody to say it to."""
        log.warning("job %d waits: %s", job.job_id, error)
        if isinstance(error, asyncpg.DiskFullError) or getattr(error, "errno", None) in FULL:
            with suppress(*DATABASE_AWAY):
                await self._jobs.wait(job, fault_of(HandleError("job.disk_full")))
        await asyncio.sleep(RETRY)

    def _plan(self, job: Job) -> Plan:
        return plan(job.order, of_node=self._rights.is_of_node(job.by))


def _load_key(job: Job) -> str:
    return f"job {job.job_id}"


def fault_of(error: HandleError) -> dict[str, Any]:
    """A refusal as a job keeps it."""
    return {"rule": error.rule, "culprit": Refusal.of(0, "", error).culprit}


class _Progress:
    """How far a job is, written down after each chunk."""

    def __init__(self, jobs: Jobs, job: Job) -> None:
        self._jobs = jobs
        self._job = job
        self._read = 0
        self._lines: int | None = None
        self._since = time.monotonic()
        self._writing: asyncio.Task[None] | None = None

    async def counted(self, octets: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in octets:
            self._read += len(piece)
            yield piece

    def tell(self, report: Report) -> None:
        """Called by the load; what it says is written down beside it, one after the other."""
        before = self._lines if self._lines is not None else report.lines
        now = time.monotonic()
        rate = int((report.lines - before) / max(now - self._since, 0.001))
        self._lines, self._since = report.lines, now
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(rate))

    async def written(self) -> None:
        """When all that was told is in the book."""
        if self._writing is not None:
            await self._writing

    async def _write(self, rate: int) -> None:
        with suppress(*DATABASE_AWAY):  # The load itself will find that out.
            await self._jobs.progress(self._job, self._read, rate)
