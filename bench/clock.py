"""A time of day for the processes of one node that can be set while they run; the machine's is left alone.

libfaketime stands between them and the system. The monotonic clock goes on, as it does when somebody sets a clock.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_LIBRARY: Final = "usr/lib/*/faketime/libfaketimeMT.so.1"
_ROOTS: Final = (Path("/"), Path(__file__).parents[1] / ".tools")  # Installed, or unpacked by the gate.


class Clock:
    """Kept in a file that the processes look at."""

    def __init__(self, directory: Path) -> None:
        directory.chmod(0o755)  # Postgres is another account.
        self._file = directory / "clock"
        self.step(0)

    @staticmethod
    def missing() -> str:
        """Why there is none on this machine; nothing when there can be one."""
        return "" if _library() else "libfaketime is not installed"

    def environment(self) -> Mapping[str, str]:
        """Of the processes that are to follow it."""
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # Seconds after which a process looks at the file again.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: int) -> None:
        """To so much later than the machine's, or earlier."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.chmod(0o644)
        os.replace(fresh, self._file)


def _library() -> Path | None:
    return next((found for root in _ROOTS for found in root.glob(_LIBRARY)), None)
