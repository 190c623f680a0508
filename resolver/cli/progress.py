"""How far a long command has come, on standard error: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import Any, Final, Self

INTERVAL: Final = 5.0  # Seconds between two lines where nobody sees a bar move: a log is read, not watched.


class Progress:
    """Advances towards a total in rows or octets, or without one when nobody knows it."""

    def __init__(self, label: str, total: int | None = None, *, octets: bool = False) -> None:
        self._label = label
        self._total = total
        self._octets = octets
        self._bar: Any = None
        self._task: Any = None
        self._told_at = time.monotonic()

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _bar(octets=self._octets)
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def reach(self, done: int) -> None:
        """This much is done, from the beginning."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done)
        elif time.monotonic() - self._told_at >= INTERVAL:
            self._told_at = time.monotonic()
            of = f" / {self._total:,}" if self._total else ""
            print(f"{self._label}: {done:,}{of}", file=sys.stderr, flush=True)


def _bar(*, octets: bool) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    amount = DownloadColumn() if octets else MofNCompleteColumn()
    # rich itself leaves colours away when NO_COLOR is set.
    return Bar(
        TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn(), console=Console(stderr=True)
    )
