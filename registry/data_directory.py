"""The directory that an embedded Postgres owns: who may use it, who owns it, and who used it before.

Safe to kill at any moment: a lock file tells a living supervisor from a dead one, and a server whose supervisor died
is stopped. The lock is the kernel's, so it ends with the process that held it.

    cluster          PGDATA, owned by the account that runs the server
    run              the socket, unless the path is too long for one
    log              postgres-Mon.log …: one week; start.log: the words before the log is open
    pg-bin           programs, only where the account cannot reach the installed ones
    supervisor.lock  held while a supervisor lives
"""

import contextlib
import fcntl
import logging
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

from registry.embedded_errors import AnotherMajorVersion, DataDirectoryInUse, DataDirectoryRefused
from registry.postgres_programs import major_version
from registry.unprivileged import ENTER, Account

log = logging.getLogger(__name__)

PORT = "5432"  # no TCP: only a part of the socket's file name
# sun_path holds 108 octets on Linux and 104 on macOS, the closing zero included.
MAX_SOCKET_PATH = 103
# A fast shutdown writes one checkpoint; on a slow disk after a bulk load this is gigabytes.
FAST_STOP = 300.0
STOP_INTERVAL = 0.05
OURS = frozenset({"cluster", "cluster.new", "run", "log", "pg-bin", "pg-bin.new", "supervisor.lock", "lost+found"})


class DataDirectory:
    """From claim() to release() ours alone, on this machine."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self.cluster = self.path / "cluster"
        self.log = self.path / "log"
        self.programs = self.path / "pg-bin"
        self._lock: int | None = None
        self._short: Path | None = None

    def __str__(self) -> str:
        return str(self.path)

    def claim(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self.path.stat().st_uid
        if os.geteuid() not in (0, owner):
            raise DataDirectoryRefused("directory-of-another-account", directory=str(self), owner=owner)
        foreign = sorted({path.name for path in self.path.iterdir()} - OURS)
        if foreign and not self.cluster.exists():
            # Its owner and mode will change: never those of a directory that serves something else.
            raise DataDirectoryRefused("directory-not-ours", directory=str(self), name=foreign[0])
        if self._lock is None:
            self._lock = self._take_lock()

    @property
    def lock(self) -> int:
        """The open file whose lock makes it ours."""
        assert self._lock is not None
        return self._lock

    def take_over(self, lock: int, socket_directory: Path) -> None:
        """What a former program of this process claimed."""
        self._lock = lock
        self._short = None if socket_directory == self.path / "run" else socket_directory

    def release(self) -> None:
        if self._short is not None:
            shutil.rmtree(self._short, ignore_errors=True)
            self._short = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def give_to(self, account: Account) -> None:
        for directory in (self.path / "run", self.log):
            directory.mkdir(mode=0o700, exist_ok=True)
            account.give(directory)
        if self.cluster.exists():
            account.give(self.cluster)
        if self.path.stat().st_uid != account.uid:
            os.chown(self.path, account.uid, account.gid)
        self.path.chmod(0o700)

    def refuse_other_version(self, binaries: Path) -> None:
        try:
            found = (self.cluster / "PG_VERSION").read_text("ascii").strip()
        except FileNotFoundError:
            return
        expected = major_version(binaries)
        if found != str(expected):
            culprit = {"directory": str(self.cluster), "programs": str(binaries)}
            raise AnotherMajorVersion("another-major-version", found=found, expected=expected, **culprit)

    def socket_directory(self, account: Account) -> Path:
        """The same until release(), so that clients find a restarted server where it was."""
        inside = self.path / "run"
        if _fits(inside):
            return inside
        if self._short is None:
            self._short = self._make_short(account)
        return self._short

    def socket_of_running_server(self) -> Path | None:
        """Where a server that answers listens, whoever supervises it."""
        try:
            words = (self.cluster / "postmaster.pid").read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return None
        return Path(words[4]) if len(words) > 7 and words[7].strip() == "ready" and _is_alive(int(words[0])) else None

    def stop_former_server(self, binaries: Path, account: Account) -> None:
        """A server may have outlived its supervisor; we hold the lock, so nobody needs it any more."""
        try:
            words = (self.cluster / "postmaster.pid").read_text("utf-8", "replace").splitlines()
            pid = abs(int(words[0]))  # a server in single-user mode writes its negative
        except (FileNotFoundError, ValueError, IndexError):
            return
        if self._is_server(pid, binaries, account):
            log.warning("stopping the Postgres (process %s) that outlived its node", pid)
            self._stop(pid, binaries, account)
        elif _is_alive(pid):
            # In a container the same small numbers come again, and Postgres would take the stranger for itself; or
            # nobody has heard yet that it ended. Its socket's lock has the same number.
            (self.cluster / "postmaster.pid").unlink()
            _remove_socket(self.path / "run")
        if len(words) > 4 and Path(words[4]) != self._short:
            _remove_short(Path(words[4]))

    def _take_lock(self) -> int:
        lock = os.open(self.path / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "?"
            os.close(lock)
            raise DataDirectoryInUse("directory-in-use", directory=str(self), pid=holder) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
        return lock

    def _make_short(self, account: Account) -> Path:
        for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108  # mkdtemp below
            if parent and _fits(Path(parent, "filament-12345678")) and account.can(*ENTER, parent):
                directory = Path(tempfile.mkdtemp(prefix="filament-", dir=parent))
                account.give(directory)
                return directory
        raise DataDirectoryRefused("directory-too-long", directory=str(self))

    def _is_server(self, pid: int, binaries: Path, account: Account) -> bool:
        """A number alone proves nothing: the process must be a postgres whose working directory is this cluster."""
        if not Path("/proc/self/cwd").exists():
            return account.can(str(binaries / "pg_ctl"), "status", "-D", str(self.cluster))
        try:
            directory = os.readlink(f"/proc/{pid}/cwd")
            program = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace")
        except OSError:
            return False
        return directory == os.path.realpath(self.cluster) and program.startswith("postgres")

    def _stop(self, pid: int, binaries: Path, account: Account) -> None:
        for order in (signal.SIGINT, signal.SIGQUIT):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, order)
            deadline = time.monotonic() + FAST_STOP
            while time.monotonic() < deadline:
                if not self._is_server(pid, binaries, account):
                    return
                time.sleep(STOP_INTERVAL)
        raise DataDirectoryInUse("directory-in-use", directory=str(self), pid=pid)


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


def _remove_short(directory: Path) -> None:
    """One that a killed supervisor had made; its socket's names go, anything else in it stays and keeps it."""
    if not directory.name.startswith("filament-"):
        return
    _remove_socket(directory)
    with contextlib.suppress(OSError):
        directory.rmdir()


def _remove_socket(directory: Path) -> None:
    for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
        (directory / name).unlink(missing_ok=True)
