"""A worker's kept answers, from one process to the next: the names that were used most, in a file.

A new process answers at once, and meanwhile has those names read that the former one was asked for most. Only names are
in the file, never answers: whatever happened to it, and to the book, nothing wrong can be answered.
"""

import asyncio
import logging
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Final

from registry.handle import MAX_HANDLE, HandleKey
from resolver.cache import WARM, Cache
from resolver.resolution import Resolver

log = logging.getLogger(__name__)

HEAD: Final = b"filament names 1\n"
CHECK: Final = 4  # Octets of the sum at the end.
LENGTH: Final = 2
MAX_FILE: Final = 1 << 24  # Octets; a hundred thousand usual names are 4 MiB.
WRITE_INTERVAL: Final = 180.0  # Seconds: what a killed process had learnt since is lost.
READ_AT_A_TIME: Final = 256
PAUSE: Final = 0.05  # Seconds between two reads: 5,000 names a second, a tenth of what a database gives.
RETRY: Final = 1.0
LAST_SWEEP: Final = 2.0  # Seconds at the end of a process; a million answers take less than one.


class Warmth:
    """What is done about `cache`, over the file `path`. `run` must be running; `warmed` is called when the names of a
    former process were read."""

    def __init__(self, path: Path, resolver: Resolver, cache: Cache, warmed: Callable[[], None]) -> None:
        self._path = path
        self._resolver = resolver
        self._cache = cache
        self._warmed = warmed
        self._unread: list[HandleKey] = []
        self._writing = Lock()  # A thread may still be at it when the last file is written.

    async def run(self) -> None:
        """Until cancelled; then writes the file for the last time."""
        try:
            self._unread = await asyncio.to_thread(read_names, self._path)
            if self._unread:
                await self._warm()
                self._warmed()
            while True:
                await asyncio.sleep(WRITE_INTERVAL)
                await asyncio.to_thread(self._write)
        finally:
            self._sweep()
            self._write()

    async def _warm(self) -> None:
        count = len(self._unread)
        while self._unread:
            names = self._unread[:READ_AT_A_TIME]
            if self._resolver.hearing and await self._resolver.warm(names):
                del self._unread[: len(names)]
                await asyncio.sleep(PAUSE)
            else:
                await asyncio.sleep(RETRY)
        log.info("%s names of the former process were read", count)

    def _sweep(self) -> None:
        end = monotonic() + LAST_SWEEP
        self._cache.begin_sweep()
        while self._cache.sweeping and monotonic() < end:
            self._cache.sweep()

    def _write(self) -> None:
        with self._writing:
            # What could not be read yet was worth it to the former process.
            names = dict.fromkeys([*self._cache.most_used, *self._unread])
            write_names(self._path, list(names)[:WARM])


def write_names(path: Path, names: Sequence[HandleKey]) -> None:
    """Puts a file with these names in place of the one that is there; none when there is nothing to say."""
    if not names:
        return
    parts = [HEAD]
    size = len(HEAD) + CHECK
    for name in names:
        size += LENGTH + len(name)
        if size > MAX_FILE:
            break
        parts += (len(name).to_bytes(LENGTH, "big"), name)
    octets = b"".join(parts)
    try:
        unfinished = path.with_suffix(".new")
        with open(unfinished, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(octets + zlib.crc32(octets).to_bytes(CHECK, "big"))
        os.replace(unfinished, path)
    except OSError as error:
        log.warning("the names most used cannot be written: %s", error)


def read_names(path: Path) -> list[HandleKey]:
    """The names of a file; none when there is no file, or it is not whole."""
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("the names most used cannot be read: %s", error)
        return []
    said, check = octets[:-CHECK], octets[-CHECK:]
    if not said.startswith(HEAD) or zlib.crc32(said) != int.from_bytes(check, "big"):
        log.warning("%s is no file of names, and is left aside", path)
        return []
    return list(_names_in(said))


def _names_in(said: bytes) -> Iterator[HandleKey]:
    place = len(HEAD)
    while place < len(said):
        begin = place + LENGTH
        place = begin + int.from_bytes(said[place:begin], "big")
        if begin < place <= min(len(said), begin + MAX_HANDLE):
            yield HandleKey(said[begin:place])
