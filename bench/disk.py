"""A file system of its own in a file, which can be filled up and broken, and then be mended.

Broken as disks break: the kernel meets an error in the file system (`trigger_fs_error` of ext4), and from then on
nothing can be written, open files included. Mended as an operator does it: unmounted, examined, mounted again. Only
root may.
"""

import asyncio
import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SIZE: Final = 768 << 20  # Octets at most; the file holds what is written.
PIECES: Final = (1 << 24, 1 << 20, 1 << 12)  # Octets: what is left is taken in ever smaller pieces.
HELD: Final = 120.0  # Seconds for others to end: the hosts of another test live for half a minute.
HELD_INTERVAL: Final = 0.2
_PROGRAMS: Final = ("mkfs.ext4", "mount", "umount", "e2fsck", "losetup")


class Disk:
    """Mounted on `place`."""

    def __init__(self, directory: Path) -> None:
        self.place = directory / "disk"
        self._image = directory / "disk.img"
        self._ballast = self.place / "ballast"

    @staticmethod
    def missing() -> str:
        """Why there is none on this machine; nothing when there can be one."""
        if os.geteuid() != 0:
            return "only root may mount a file system"
        without = [program for program in _PROGRAMS if shutil.which(program) is None]
        if without or not Path("/dev/loop-control").exists():
            return f"not on this machine: {', '.join(without) or 'loop devices'}"
        return ""

    def fill(self) -> None:
        """Takes all that is left."""
        with self._ballast.open("wb") as ballast:
            end = 0
            for piece in PIECES:
                with _until_full():
                    while True:
                        os.posix_fallocate(ballast.fileno(), end, piece)
                        end += piece

    def free(self) -> None:
        self._ballast.unlink()

    def break_down(self) -> None:
        Path(f"/sys/fs/ext4/{self._device()}/trigger_fs_error").write_text("broken on purpose")

    async def mend(self) -> None:
        """Once nobody uses it any more. Raises TimeoutError while somebody does."""
        self._unmount()
        # Whoever began in a mount namespace of his own meanwhile holds it on: mounted again it would be as it is.
        async with asyncio.timeout(HELD):
            while self._device():  # noqa: ASYNC110  # the kernel tells nobody
                await asyncio.sleep(HELD_INTERVAL)
        await asyncio.to_thread(_run, "e2fsck", "-fp", str(self._image), good=(0, 1))
        self._mount()

    def _device(self) -> str:
        """The loop device that the kernel has for the file; empty once it has let go of it."""
        said = subprocess.run(["losetup", "--associated", self._image], capture_output=True, text=True, check=True)
        return Path(said.stdout.partition(":")[0]).name

    @contextmanager
    def mounted(self) -> Iterator["Disk"]:
        self.place.parent.chmod(0o755)  # Postgres is another account.
        self._image.touch()
        os.truncate(self._image, SIZE)
        # Without a journal: the kernel does not end a file system that has one for this, but stops it for good.
        _run("mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", str(self._image))
        self.place.mkdir()
        self._mount()
        try:
            yield self
        finally:
            self._unmount("--lazy")

    def _mount(self) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.place))
        self.place.chmod(0o755)

    def _unmount(self, *how: str) -> None:
        _run("umount", *how, str(self.place))


@contextlib.contextmanager
def _until_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def _run(*words: str, good: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode not in good:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr}{done.stdout}")
