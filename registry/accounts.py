"""Until when those that are limited have paid: for one process, or in a file that the processes of a node share.

The file is two tables of numbers: whose account it is, as a digest, and the moment until which he has paid, of a clock
that all processes of a machine read alike. An account has one of a few places, so finding it needs no
search and no lock; where all are others', the one that is paid the least far is taken over. Two processes that count in
one account within the same tenth of a microsecond count once, and nothing worse happens.
"""

import hashlib
import mmap
import os
from pathlib import Path
from typing import Final, Protocol

from registry.recent import STRANGERS

PLACES: Final = 2 * STRANGERS  # 2 MiB; more than one process keeps.
WAYS: Final = 8  # Places that an account may have. More take longer to look at, fewer are others' more often.
FILE: Final = "accounts-1"  # With the number of its form: two versions of the program share it during an upgrade.
_NUMBER: Final = 8  # Octets.


class Account(Protocol):
    """Until when one of those that are limited has paid."""

    paid_until: float

    @property
    def is_ours(self) -> bool:
        """Whether it has not been taken over for somebody else. Who keeps an account for long asks that first."""


class OwnAccount:
    """One of this process alone."""

    __slots__ = ("paid_until",)
    is_ours = True

    def __init__(self) -> None:
        self.paid_until = 0.0


class SharedAccount:
    """One of the table."""

    __slots__ = ("_digest", "_digests", "_moments", "_place")

    def __init__(self, digests: "memoryview[int]", moments: "memoryview[float]", place: int, digest: int) -> None:
        self._digests = digests
        self._moments = moments
        self._place = place
        self._digest = digest

    @property
    def is_ours(self) -> bool:
        return bool(self._digests[self._place] == self._digest)

    @property
    def paid_until(self) -> float:
        """★"""
        return self._moments[self._place]

    @paid_until.setter
    def paid_until(self, moment: float) -> None:
        """★"""
        self._moments[self._place] = moment


class SharedAccounts:
    """The table of one machine's node."""

    def __init__(self, directory: Path) -> None:
        """In a directory that only the processes of the node write to. Raises OSError."""
        self._key = directory.name.encode()[:64]  # Nobody else can tell who shares a place with whom.
        descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            size = 2 * PLACES * _NUMBER
            # Written and not left out: where a disk is full, a hole that is filled later ends the process.
            os.pwrite(descriptor, bytes(size - os.fstat(descriptor).st_size), os.fstat(descriptor).st_size)
            octets = memoryview(mmap.mmap(descriptor, size))
        finally:
            os.close(descriptor)
        self._digests = octets[: PLACES * _NUMBER].cast("Q")
        self._moments = octets[PLACES * _NUMBER :].cast("d")

    def open(self, name: bytes) -> SharedAccount:
        """The account of this name; it has paid nothing if it is not there."""
        digest = int.from_bytes(hashlib.blake2b(name, digest_size=_NUMBER, key=self._key).digest(), "big") | 1
        first = digest // WAYS % (PLACES // WAYS) * WAYS
        digests, moments = self._digests, self._moments
        place = next((one for one in range(first, first + WAYS) if digests[one] == digest), None)
        if place is None:
            place = min(range(first, first + WAYS), key=lambda one: (moments[one], digests[one]))
            digests[place] = digest
            moments[place] = 0.0
        return SharedAccount(digests, moments, place, digest)
