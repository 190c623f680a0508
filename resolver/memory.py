"""Memory of this process as the system sees it: put into huge pages, and given back. Nothing depends on either.

A look-up among a million answers touches a handful of pages that no translation buffer holds. On a virtual machine
with busy neighbours that can cost more than the whole of Python's part; on a quiet one it costs next to nothing.
"""

import contextlib
import ctypes
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

PROC: Final = Path("/proc")
ENABLED: Final = Path("/sys/kernel/mm/transparent_hugepage/enabled")
SMALLEST: Final = 16 << 20  # Octets of a mapping: stacks of threads are smaller, and would be filled as a whole.
KERNEL_UNIT: Final = 1024
# Of madvise(2). The second collapses at once what the first leaves to the kernel's leisure; Linux 6.1 and later.
MADV_HUGEPAGE: Final = 14
MADV_COLLAPSE: Final = 25


def ask_for_huge_pages() -> None:
    """Asks for all memory of this process that is large enough. Takes a millisecond for each MiB that changes, in which
    other threads go on."""
    if not _allowed():
        return
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for first, end in _anonymous():
        for advice in (MADV_HUGEPAGE, MADV_COLLAPSE):
            madvise(first, end - first, advice)  # What it cannot do now it is asked for again.


def give_back_memory() -> None:
    """Gives the system what was freed. The allocator keeps what lies below something in use, so of a million answers
    that have expired it keeps most; it stands still meanwhile, for a tenth of a second for each GiB."""
    with contextlib.suppress(AttributeError):  # of glibc alone
        ctypes.CDLL(None).malloc_trim(0)


def huge_octets(pid: int | str = "self", proc: Path = PROC) -> int | None:
    """How much of a process's memory is in huge pages; None when it cannot be seen."""
    with contextlib.suppress(OSError, ValueError):
        for line in (proc / str(pid) / "smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("AnonHugePages:"):
                return int(line.split()[1]) * KERNEL_UNIT
    return None


def _allowed() -> bool:
    try:
        return "[never]" not in ENABLED.read_text("ascii")
    except OSError:
        return False


def _anonymous() -> Iterator[tuple[int, int]]:
    """Begin and end of mappings that are private, may be written, and belong to no file."""
    for line in (PROC / "self" / "maps").read_text("utf-8", "replace").splitlines():
        place, permissions, _, _, inode, *name = line.split(maxsplit=5)
        first, end = (int(address, 16) for address in place.split("-"))
        if permissions == "rw-p" and inode == "0" and end - first >= SMALLEST and name[:1] != ["[stack]"]:
            yield first, end
