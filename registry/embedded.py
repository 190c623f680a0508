"""A Postgres of our own, for a node that was given no DSN: a foreground child of this process on a unix socket.

Safe to kill at any moment: a lock file tells a living supervisor from a dead one, and a server whose supervisor died
is stopped and started anew. The lock is the kernel's, so it ends with the process that held it.

    <data directory>/cluster          PGDATA, owned by the account that runs the server
    <data directory>/run              the socket, unless the path is too long for one
    <data directory>/log              postgres-Mon.log …: one week; start.log: the words before the log is open
    <data directory>/pg-bin           programs, only where the account cannot reach the installed ones
    <data directory>/supervisor.lock  held while a supervisor lives
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import asyncpg

from registry.embedded_errors import AnotherMajorVersion, DataDirectoryInUse, DataDirectoryRefused, ServerNotStarted
from registry.postgres_programs import find_binaries, major_version, reachable_binaries
from registry.unprivileged import ENTER, Account, account_for

log = logging.getLogger(__name__)

DATABASE = "filament"
PORT = "5432"  # no TCP: only a part of the socket's file name
# sun_path holds 108 octets on Linux and 104 on macOS, the closing zero included.
MAX_SOCKET_PATH = 103
READY_INTERVAL = 0.05
READY_REPORT = 10.0  # seconds; a crash recovery of 16 GB of log was seen to take 22
# A fast shutdown writes one checkpoint; on a slow disk after a bulk load this is gigabytes.
FAST_STOP = 300.0
# Backends of a server that was killed let go of its memory when they notice; a busy one needs a while.
LEFT_BEHIND = 30.0
OURS = frozenset({"cluster", "cluster.new", "run", "log", "pg-bin", "pg-bin.new", "supervisor.lock", "lost+found"})

MIB = 1 << 20
SETTINGS: Mapping[str, str] = {
    "max_connections": "200",  # some workers, each with a pool, and the registry
    "synchronous_commit": "on",  # an acknowledged registration survives a power cut; bulk chunks choose otherwise
    "fsync": "on",
    "full_page_writes": "on",
    "wal_level": "replica",  # a standby can be added without a restart
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
        self.data_directory = Path(os.path.abspath(data_directory))
        self.process: subprocess.Popen[bytes] | None = None
        self.exited = asyncio.Event()
        self._binaries = binaries or find_binaries()
        self._settings = {**SETTINGS, **sizes(self.data_directory), **(settings or {})}
        self._cluster = self.data_directory / "cluster"
        self._run_directory: Path | None = None
        self._lock: int | None = None
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
            raise RuntimeError(f"the server of {str(self.data_directory)!r} runs already")
        try:
            account = await asyncio.to_thread(self._prepare)
            await self._start_server(account)
            await self._create_database()
        except BaseException:
            await self.stop()
            raise
        log.info("Postgres is ready in %s", self.data_directory)

    async def stop(self) -> None:
        """Ordered: open transactions are rolled back, a checkpoint is written. Safe to call twice."""
        await self._stop_server()
        if self._run_directory is not None and self._run_directory.parent != self.data_directory:
            shutil.rmtree(self._run_directory, ignore_errors=True)
        self._run_directory = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def _dsn(self, database: str) -> str:
        if self._run_directory is None:
            raise RuntimeError("the address of the server is known once it has been started")
        return f"postgresql://postgres@/{database}?host={quote(str(self._run_directory), safe='/')}&port={PORT}"

    def _running(self) -> bool:
        return self._reaper is not None and self._reaper.is_alive()

    def _prepare(self) -> Account:
        self.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._refuse_foreign_directory()
        self._take_lock()
        account = account_for(self.data_directory, self._cluster)
        self._own_directories(account)
        self._settle_former_server(account)
        self._refuse_other_version()
        self._programs = reachable_binaries(self._binaries, account, self.data_directory / "pg-bin")
        if not self._cluster.exists():
            self._initialise(account)
        if self._run_directory is None:
            self._run_directory = self._make_run_directory(account)
        return account

    def _refuse_foreign_directory(self) -> None:
        foreign = sorted({path.name for path in self.data_directory.iterdir()} - OURS)
        if foreign and not self._cluster.exists():
            # We change its owner and mode: never those of a directory that serves something else.
            raise DataDirectoryRefused(directory=str(self.data_directory), reason=f"it holds {foreign[0]!r}")

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = os.open(self.data_directory / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "?"
            os.close(lock)
            raise DataDirectoryInUse(directory=str(self.data_directory), pid=holder) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
        self._lock = lock

    def _own_directories(self, account: Account) -> None:
        for name in ("run", "log"):
            (self.data_directory / name).mkdir(mode=0o700, exist_ok=True)
            account.give(self.data_directory / name)
        if self._cluster.exists():
            account.give(self._cluster)
        if self.data_directory.stat().st_uid != account.uid:
            os.chown(self.data_directory, account.uid, account.gid)
        self.data_directory.chmod(0o700)

    def _settle_former_server(self, account: Account) -> None:
        """A server may have outlived its supervisor; we hold the lock, so nobody needs it any more."""
        try:
            words = (self._cluster / "postmaster.pid").read_text("ascii", "replace").splitlines()
            pid = abs(int(words[0]))  # a server in single-user mode writes its negative
        except (FileNotFoundError, ValueError, IndexError):
            return
        if self._is_server(pid, account):
            log.warning("stopping the Postgres (process %s) that outlived its node", pid)
            self._stop_former_server(pid, account)
            _remove_run_directories(Path(word) for word in words[4:5])
        elif _is_alive(pid):
            # In a container the same small numbers come again, and Postgres would take the stranger for itself.
            (self._cluster / "postmaster.pid").unlink()

    def _is_server(self, pid: int, account: Account) -> bool:
        """A number alone proves nothing: the process must be a postgres whose working directory is this cluster."""
        if not Path("/proc/self/cwd").exists():
            return account.can(str(self._binaries / "pg_ctl"), "status", "-D", str(self._cluster))
        try:
            directory = os.readlink(f"/proc/{pid}/cwd")
            program = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
        except OSError:
            return False
        return directory == os.path.realpath(self._cluster) and program.startswith("postgres")

    def _stop_former_server(self, pid: int, account: Account) -> None:
        for order in (signal.SIGINT, signal.SIGQUIT):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, order)
            deadline = time.monotonic() + FAST_STOP
            while time.monotonic() < deadline:
                if not self._is_server(pid, account):
                    return
                time.sleep(READY_INTERVAL)
        raise DataDirectoryInUse(directory=str(self.data_directory), pid=pid)

    def _refuse_other_version(self) -> None:
        try:
            found = (self._cluster / "PG_VERSION").read_text("ascii").strip()
        except FileNotFoundError:
            return
        expected = major_version(self._binaries)
        if found != str(expected):
            raise AnotherMajorVersion(
                directory=str(self._cluster), found=found, expected=expected, programs=str(self._binaries)
            )

    def _initialise(self, account: Account) -> None:
        """Beside its place and moved there when complete: an initdb that was killed leaves no half cluster."""
        fresh = self.data_directory / "cluster.new"
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
        os.replace(fresh, self._cluster)

    def _make_run_directory(self, account: Account) -> Path:
        inside = self.data_directory / "run"
        if _fits(inside):
            return inside
        for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 (mkdtemp below)
            if parent and _fits(Path(parent, "filament-12345678")) and account.can(*ENTER, parent):
                directory = Path(tempfile.mkdtemp(prefix="filament-", dir=parent))
                account.give(directory)
                return directory
        raise DataDirectoryRefused(directory=str(self.data_directory), reason="its path is too long for a unix socket")

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
        settings = {**self._settings, "port": PORT, "log_directory": str(self.data_directory / "log")}
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        started = os.open(
            self.data_directory / "log" / "start.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600
        )
        began = time.time()
        with open(started, "wb") as output:  # noqa: ASYNC230 (the descriptor is open already)
            command = (str(self._programs / "postgres"), "-D", str(self._cluster), "-k", str(self._run_directory))
            self.process = account.launch(*command, *arguments, output=output)
        self._watch(self.process)
        await self._wait_until_ready(account, began)

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """A thread, because the faster event loop cannot start a child of another uid, nor watch a foreign one."""
        self.exited = exited = asyncio.Event()
        loop = asyncio.get_running_loop()

        def reap() -> None:
            status = process.wait()
            log.debug("Postgres ended with status %s", status)
            with contextlib.suppress(RuntimeError):  # the loop was closed before the server ended
                loop.call_soon_threadsafe(exited.set)

        self._reaper = threading.Thread(target=reap, name="postgres-reaper", daemon=True)
        self._reaper.start()

    async def _wait_until_ready(self, account: Account, began: float) -> None:
        ask = (str(self._programs / "pg_isready"), "--quiet", "-h", str(self._run_directory), "-p", PORT)
        report = began + READY_REPORT
        while not await asyncio.to_thread(account.can, *ask):
            if not self._running():
                assert self.process is not None  # noqa: S101 (the reaper watches it)
                raise ServerNotStarted(
                    status=self.process.returncode, log=str(self.data_directory / "log"), output=self._last_words(began)
                )
            if time.time() > report:
                log.info("Postgres is still starting; after a crash it first replays its log (%s)", self.data_directory)
                report += READY_REPORT
            await asyncio.sleep(READY_INTERVAL)

    def _last_words(self, began: float) -> str:
        written = [path for path in (self.data_directory / "log").iterdir() if path.stat().st_mtime >= began - 1]
        lines = [line for path in sorted(written) for line in path.read_text("utf-8", "replace").splitlines()[-100:]]
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


def _fits(directory: Path) -> bool:
    return len(os.fsencode(directory / f".s.PGSQL.{PORT}.lock")) <= MAX_SOCKET_PATH


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove_run_directories(directories: Iterable[Path]) -> None:
    """Those that a killed supervisor had made for a short socket path; what is not empty, or not ours, stays."""
    for directory in directories:
        if directory.name.startswith("filament-"):
            with contextlib.suppress(OSError):
                directory.rmdir()
