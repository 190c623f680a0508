"""A file system that is broken and mended, as the suite of faults does it."""

import asyncio
import subprocess
import tempfile
from pathlib import Path

import pytest

from bench.disk import Disk

pytestmark = pytest.mark.skipif(bool(Disk.missing()), reason=Disk.missing())


async def test_what_a_namespace_of_mounts_holds_is_mended_once_that_has_ended():
    with tempfile.TemporaryDirectory(prefix="filament-disk-") as made, Disk(Path(made)).mounted() as disk:
        other = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo held; exec sleep 60"],
            stdout=subprocess.PIPE,
        )
        try:
            await asyncio.to_thread(other.stdout.readline)
            disk.break_down()
            with pytest.raises(OSError, match="Read-only"):
                (disk.place / "file").write_text("no")
            mending = asyncio.create_task(disk.mend())
            done, _ = await asyncio.wait([mending], timeout=1.0)
            assert not done
        finally:
            other.kill()
            other.wait()
            other.stdout.close()
        await mending
        (disk.place / "file").write_text("yes")
