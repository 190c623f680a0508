"""The files of jobs, in the data directory: each is there whole or not at all, and kept until its job is long over."""

import asyncio
import errno
import hashlib
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from registry.errors import ProtocolFault, ServerBusy
from registry.whole_file import write_through

DIRECTORY: Final = "jobs"
MAX_FILE: Final = 4 << 30  # Octets of one: ten million rows of a factory.
SPARE: Final = 256 << 20  # Octets of the disk that uploads leave free: the database may be on it.
LEFT: Final = 3600.0  # Seconds without an octet after which nobody is sending any more.
PIECE: Final = 1 << 18  # Octets read at a time.
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Received:
    """A file that is there, under a name of its own until it is given the number of its job."""

    path: Path
    octets: int
    digest: bytes


class JobFiles:
    """The directory of the files."""

    def __init__(self, data_directory: Path) -> None:
        self._directory = data_directory / DIRECTORY

    def path(self, job_id: int, form: str) -> Path:
        return self._directory / f"{job_id}.{form}"

    async def receive(self, octets: AsyncIterator[bytes]) -> Received:
        """Keeps what comes. Raises ProtocolFault for too much of it, ServerBusy when the disk is full."""
        try:
            return await self._receive(octets)
        except OSError as error:
            if error.errno in FULL:
                raise ServerBusy("job.disk_full") from None
            raise

    async def _receive(self, octets: AsyncIterator[bytes]) -> Received:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._directory, prefix=".upload-")
        digest, length = hashlib.sha256(), 0
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for piece in octets:
                    length += len(piece)
                    if length > MAX_FILE:
                        raise ProtocolFault("http.body_too_long", limit=MAX_FILE)
                    digest.update(piece)
                    await asyncio.to_thread(self._write, file, piece)
                await asyncio.to_thread(_sync, file)
        except BaseException:
            self.remove(Path(name))
            raise
        return Received(Path(name), length, digest.digest())

    def _write(self, file: BinaryIO, piece: bytes) -> None:
        room = os.statvfs(self._directory)
        if room.f_bavail * room.f_frsize < min(SPARE, room.f_blocks * room.f_frsize // 10) + len(piece):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._directory))
        file.write(piece)

    def number(self, received: Received, job_id: int, form: str) -> None:
        """Gives a received file to its job."""
        received.path.rename(self.path(job_id, form))
        write_through(self._directory)

    def remove(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            path.unlink()

    def sweep(self) -> None:
        """Takes out what somebody was sending when he, or the registry, was stopped."""
        if not self._directory.is_dir():
            return
        for path in self._directory.glob(".upload-*"):
            with suppress(FileNotFoundError):  # It has just been given its number.
                if time.time() - path.stat().st_mtime > LEFT:
                    self.remove(path)


async def pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, PIECE):
        yield piece


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
