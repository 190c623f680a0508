"""Runs of a bulk load cut where what its sender may write begins or ends.

Most may write all handles of a prefix or none; of the prefix of a code system it may be those of one issuer.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import groupby

from registry.prefix import Prefix
from registry.preparation import Run

Suffixes = Callable[[str], bool]
"""Which handles of a prefix may be written, by key of their suffixes."""
MayWrite = Callable[[Prefix], Awaitable[bool | Suffixes]]


def parts_of(run: Run, suffixes: Sequence[str], may: bool | Suffixes) -> Iterator[tuple[Run, bool]]:
    """The parts of a run, and whether each may be written."""
    if isinstance(may, bool):
        yield run, may
        return
    for allowed, group in groupby(range(run.start, run.end), lambda place: may(suffixes[place])):
        places = [*group]
        yield Run(run.prefix_key, places[0], places[-1] + 1), allowed
