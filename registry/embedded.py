"""A Postgres of our own, for a node that was given no DSN: a foreground child of this process on a unix socket.

The programs come from a wheel, so nothing has to be installed; only accounts that may enter the socket's directory can
connect. What lies in the data directory is told in registry.data_directory.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import asyncpg

from registry.data_directory import FAST_STOP, PORT, DataDirectory
from registry.embedded_errors import ServerNotStarted
from registry.inheritance import InheritedProcess
from registry.postgres_programs import find_binaries, major_version, reachable_binaries
from registry.unprivileged import Account, account_for

log = logging.getLogger(__name__)

DATABASE = "filament"
DIRECTORY = "postgres"  # in a node's data directory, beside what belongs to the node itself
READY_INTERVAL = 0.05
READY_REPORT = 10.0  # seconds; a crash recovery of 16 GB of log was seen to take 22
# Backends of a server that was killed let go of its memory when they notice; a busy one needs a while.
LEFT_BEHIND = 30.0

MIB = 1 << 20
SETTINGS: Mapping[str, str] = {
    "max_connections": "200",  # some workers, each with a pool, and the registry
    "synchronous_commit": "on",  # an acknowledged registration survives a power cut; bulk chunks choose otherwise
    "fsync": "on",
    "full_page_writes": "on",
    "wal_level": "replica",  # a standby can be added without a restart
    "max_slot_wal_keep_size": "4GB",  # whoever receives the log for backups and is away longer begins with a new backup
    "wal_compression": "pglz",  # full-page images five times smaller; lz4 is not built into the wheel
    "checkpoint_timeout": "15min",  # together with max_wal_size: a bulk load writes each page's image once, not often
    "jit": "off",  # our statements are short; compiling them would cost more than running them
    "random_page_cost": "1.1",  # solid-state disks
    "autovacuum_vacuum_insert_scale_factor": "0.02",  # keeps the visibility map fresh in a table that only grows
    "unix_socket_permissions": "0700",
    "listen_addresses": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_filename": "postgres-%a.log",  # one file a weekday, each overwritten after a week
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",  # within its day a file only grows: a size limit would truncate the same name
}

DATABASE_EXISTS = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
CREATE_DATABASE = "CREATE DATABASE filament"


class EmbeddedPostgres:
    """One server over one data directory. `exited` is set when it ends, wanted or not; then start() again is fine."""

    def __init__(
        self, data_directory: Path, *, binaries: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.process: subprocess.Popen[bytes] | InheritedProcess | None = None
        self.exited = asyncio.Event()
        self._directory = DataDirectory(data_directory)
        self._binaries = binaries or find_binaries()
        self._settings = {**SETTINGS, **sizes(self._directory.path), **(settings or {})}
        self._programs = self._binaries
        self._socket: Path | None = None
        self._reaper: threading.Thread | None = None

    @property
    def dsn(self) -> str:
        """Of the database `filament`; stays the same over restarts until stop()."""
        return self._dsn(DATABASE)

    @property
    def maintenance_dsn(self) -> str:
        """Of the database `postgres`, to create others from."""
        return self._dsn("postgres")

    async def start(self) -> None:
        """Returns when the server answers, however long its crash recovery takes; raises when it ended instead."""
        if self._running():
            raise RuntimeError(f"the server of {str(self._directory)!r} runs already")
        try:
            account = await asyncio.to_thread(self._prepare)
            await self._start_server(account)
            await self._create_database()
        except BaseException:
            await self.stop()
            raise
        log.info("Postgres is ready in %s", self._directory)

    @property
    def lock(self) -> int:
        """The open file by which the directory is ours alone."""
        return self._directory.lock

    def adopt(self, process: int, lock: int, socket_directory: Path, programs: Path) -> None:
        """Goes on with a server that a former program of this process started."""
        self._directory.take_over(lock, socket_directory)
        self._programs, self._socket = programs, socket_directory
        self.process = InheritedProcess(process)
        self._reaper = self._watch(self.process)

    @property
    def place(self) -> tuple[Path, Path]:
        """Where it listens, and where its programs are."""
        assert self._socket is not None
        return self._socket, self._programs

    async def stop(self) -> None:
        """Ordered: open transactions are rolled back, a checkpoint is written. Safe to call twice."""
        await self._stop_server()
        self._socket = None
        self._directory.release()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def _dsn(self, database: str) -> str:
        if self._socket is None:
            raise RuntimeError("the address of the server is known once it has been started")
        return _address(self._socket, database)

    def _running(self) -> bool:
        # Not whether the reaper's thread is: that outlives the word that the server has ended by a moment.
        return self.process is not None and self.process.returncode is None

    def _prepare(self) -> Account:
        directory = self._directory
        directory.claim()
        directory.refuse_other_version(self._binaries)
        account = account_for(directory.path, directory.cluster)
        directory.stop_former_server(self._binaries, account)
        directory.give_to(account)
        self._programs = reachable_binaries(self._binaries, account, directory.programs)
        if not directory.cluster.exists():
            self._initialise(account)
        self._socket = directory.socket_directory(account)
        return account

    def _initialise(self, account: Account) -> None:
        """Beside its place and moved there when complete: an initdb that was killed leaves no half cluster."""
        fresh = self._directory.path / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        builtin = (major_version(self._binaries) or 0) >= 17
        # Both sort by octets, the builtin one also knows Unicode's letters; neither changes with the system's libc.
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if builtin else ()
        durable = () if self._settings["fsync"] == "on" else ("--no-sync",)
        # Whoever may enter the socket's directory (mode 0700) may connect: nobody else can.
        account.run(
            *(str(self._programs / "initdb"), "-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
            *("--locale=C", *locale, "--data-checksums", "--no-instructions", *durable),
        )
        os.replace(fresh, self._directory.cluster)

    async def _start_server(self, account: Account) -> None:
        deadline = time.monotonic() + LEFT_BEHIND
        while True:
            try:
                return await self._launch(account)
            except ServerNotStarted as error:
                if "pre-existing shared memory" not in str(error) or time.monotonic() > deadline:
                    raise
                log.info("waiting for the last processes of a killed Postgres")
                await asyncio.sleep(READY_INTERVAL)

    async def _launch(self, account: Account) -> None:
        settings = {**self._settings, "port": PORT, "log_directory": str(self._directory.log)}
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = (str(self._programs / "postgres"), "-D", str(self._directory.cluster), "-k", str(self._socket))
        # The directory is the account's and we may be root: a link that it put there is not followed.
        output = os.open(
            self._directory.log / "start.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600
        )
        began = time.time()
        try:
            self.process = account.launch(*command, *arguments, output=output)
        finally:
            os.close(output)
        self._reaper = self._watch(self.process)
        await self._wait_until_ready(account, self.process, began)

    def _watch(self, process: subprocess.Popen[bytes] | InheritedProcess) -> threading.Thread:
        """By a thread, because uvloop can neither start a child of another uid nor watch one that it did not start."""
        self.exited = exited = asyncio.Event()
        loop = asyncio.get_running_loop()

        def reap() -> None:
            status = process.wait()
            log.debug("Postgres ended with status %s", status)
            with contextlib.suppress(RuntimeError):  # the loop was closed before the server ended
                loop.call_soon_threadsafe(exited.set)

        reaper = threading.Thread(target=reap, name="postgres-reaper", daemon=True)
        reaper.start()
        return reaper

    async def _wait_until_ready(self, account: Account, process: subprocess.Popen[bytes], began: float) -> None:
        # The user is named: the account's own would be a refusal in the server's log at every start.
        ask = (str(self._programs / "pg_isready"), "-q", "-U", "postgres", "-h", str(self._socket), "-p", PORT)
        report = began + READY_REPORT
        while not await asyncio.to_thread(account.can, *ask):
            if not self._running():
                culprit = {"log": str(self._directory.log), "output": self._last_words(began)}
                raise ServerNotStarted("server-not-started", status=process.returncode, **culprit)
            if time.time() > report:
                log.info("Postgres is still starting; after a crash it first replays its log (%s)", self._directory)
                report += READY_REPORT
            await asyncio.sleep(READY_INTERVAL)

    def _last_words(self, began: float) -> str:
        logs = sorted(self._directory.log.iterdir(), key=lambda path: path.stat().st_mtime)
        written = [path for path in logs if path.stat().st_mtime >= began - 1]
        lines = [line for path in written for line in path.read_text("utf-8", "replace").splitlines()[-100:]]
        telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "ERROR", "error"))]
        return " ".join((telling or lines)[-3:])

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(self.maintenance_dsn)
        try:
            if not await connection.fetchval(DATABASE_EXISTS, DATABASE):
                await connection.execute(CREATE_DATABASE)
        finally:
            await connection.close()

    async def _stop_server(self) -> None:
        for order in (signal.SIGINT, signal.SIGQUIT):
            if self.process is None or self._reaper is None or not self._running():
                return
            self.process.send_signal(order)
            await asyncio.to_thread(self._reaper.join, FAST_STOP)


def postgres_directory(data_directory: Path) -> Path:
    """Where a node with this data directory keeps its database."""
    return data_directory / DIRECTORY


def running_dsn(directory: Path) -> str | None:
    """The address of the server that another process of this machine runs there; None while none is ready."""
    socket = DataDirectory(directory).socket_of_running_server()
    return None if socket is None else _address(socket, DATABASE)


def _address(socket: Path, database: str) -> str:
    return f"postgresql://postgres@/{database}?host={quote(str(socket), safe='/')}&port={PORT}"


def sizes(data_directory: Path) -> dict[str, str]:
    """The settings that follow from the machine: a quarter of the memory to cache, within modest limits."""
    memory = _memory() // MIB
    existing = next(path for path in (data_directory, *data_directory.parents) if path.exists())
    disk = shutil.disk_usage(existing).total // MIB
    return {
        "shared_buffers": f"{min(max(memory // 4, 128), 1024)}MB",
        "maintenance_work_mem": f"{min(max(memory // 16, 64), 1024)}MB",  # indexes over millions of rows
        "max_wal_size": f"{min(max(disk // 10, 1024), 8192)}MB",  # a large load in few checkpoints, a disk not filled
    }


def _memory() -> int:
    """Octets this process may use: of the machine, or of its container where that is less."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # no control groups here, or "max"
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    return machine
