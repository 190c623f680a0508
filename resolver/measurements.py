"""The directory in which the processes of a node count together: what they measure (multi-process mode of
prometheus-client), and what is asked of all of them where that is limited.

Children find its name in their environment before they import the library. What a killed supervisor left behind is
cleared away by the next one: the lock on a directory ends with the process that held it.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
PREFIX: Final = "filament-metrics-"
LOCK: Final = "lock"


@contextlib.contextmanager
def counted_together(inherited: tuple[Path, int] | None = None) -> Iterator[tuple[Path, int]]:
    """A new directory with its lock, or one that was left to us, known to every child started within the block."""
    directory, lock = inherited or _make()
    former = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(directory)
    try:
        yield directory, lock
    finally:
        os.environ.pop(VARIABLE)
        if former is not None:
            os.environ[VARIABLE] = former
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def shared_directory() -> Path | None:
    """Where the processes of this one's node count together; None where it is the only one."""
    directory = os.environ.get(VARIABLE)
    return Path(directory) if directory else None


def _make() -> tuple[Path, int]:
    _clear()
    made = Path(tempfile.mkdtemp(prefix="filament-"))
    lock = os.open(made / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Its name only now: one that has it is either locked or left behind.
    return made.rename(made.with_name(f"{PREFIX}{made.name}")), lock


def _clear() -> None:
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # Somebody else's cannot be opened, a living supervisor's cannot be locked.
        with contextlib.suppress(OSError):
            lock = os.open(directory / LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory)
            finally:
                os.close(lock)
