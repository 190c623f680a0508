"""What clients see of each fault of a node on one machine, what is lost, and how long until all is calm again.

`python -m bench.faults [--seconds N] [--keep] [fault …]` starts a node with the Postgres it ships, and another that
stands for that of an enterprise. Clients ask and write at a steady rate (bench/observers.py) while one fault after
another (bench/troubles.py) begins and ends. For each: what was seen of kept answers, of answers read anew, of those
that an enterprise gives and of writes; the longest time without a right answer; seconds from the end of the fault until
the last complaint. At the end the book is compared with what was acknowledged. It prints the table.

Not measured: power cuts of the machine, and faults of the network (bench/hosts.py).
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

from bench.clock import Clock
from bench.disk import Disk
from bench.enterprise_node import PREFIX, EnterpriseNode, an_enterprise_node, recursion_into
from bench.fault_table import Figures, line, run
from bench.observed import Observed, by_kind, observers
from bench.observers import Watch
from bench.running import Running, a_book_at_rest
from bench.troubles import TROUBLES, ClockSet, Lab, Trouble
from bench.writers import compared, found_in, prepare
from registry.delegation import delegate_prefix
from registry.handle import Handle
from registry.record import check_values
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue

NAMES: Final = tuple(f"88.168.2/{number}" for number in range(40))
HERE: Final = "127.0.0.1"
TICKING: Final = "88.168.2/TICKING"
CALM: Final = 1.0  # Seconds before each fault that count with it.
LONGEST: Final = 90.0  # Seconds that are waited for calm.


@asynccontextmanager
async def a_lab(directory: Path) -> AsyncIterator[Lab]:
    """A node that runs, with names to ask for."""
    async with AsyncExitStack() as stack:
        disk = None if Disk.missing() else stack.enter_context(Disk(directory).mounted())
        clock = None if Clock.missing() else Clock(directory)
        data = (directory if disk is None else disk.place) / "node"
        async with a_book_at_rest(data) as dsn:
            await prepare(dsn)
            enterprise = await stack.enter_async_context(an_enterprise_node(HERE))
            await register(dsn, enterprise)
        node = Running(data, recursion_into(HERE))
        await stack.enter_async_context(node.started())
        yield Lab(node, enterprise, disk, clock)


async def register(dsn: str, enterprise: EnterpriseNode) -> None:
    """The names that are asked for, and where those of the enterprise are."""
    store = Store(RegistrySettings(dsn=dsn), "bench")
    await store.open()
    try:
        async with begin(store, "bench") as transaction:
            await transaction.home("88.168.2")
        await store.load_prefixes()
        await delegate_prefix(store, PREFIX, enterprise.site, by="bench")
        async with begin(store, "bench") as transaction:
            for name in (*NAMES, TICKING):
                values = check_values((HandleValue(1, "SPEC", b"111dtex/48f"),))
                await transaction.create(Handle.from_text(name), values)
    finally:
        await store.close()


async def under(
    name: str,
    begin: Callable[[], Awaitable[None]],
    end: Callable[[], Awaitable[None]],
    observed: Observed,
    seconds: float,
) -> Figures:
    """What one fault did."""
    before = monotonic() - CALM
    begun = monotonic()
    try:
        await begin()
        await asyncio.sleep(seconds)
    finally:
        mending = monotonic()
        await end()
    ended = monotonic()
    calm = await observed.calm_since(ended, LONGEST)
    over = monotonic()
    return {
        "fault": name,
        "lasted": round(mending - begun, 1),
        "mended_in": round(ended - mending, 1),
        **by_kind(observed.between(before, over), before, over),
        "calm_after": calm if calm is None else round(calm, 1),
    }


async def measure(troubles: Sequence[Trouble], seconds: float, directory: Path) -> Figures:
    figures: list[Figures] = []
    async with a_lab(directory) as lab:
        watch = Watch(HERE, lab.node.port, lab.node.native_port, lab.node.places, NAMES, TICKING)
        async with observers(watch) as observed:
            await observed.busy()
            set_clock = False
            for trouble in troubles:
                if missing := trouble.missing(lab):
                    figures.append({"fault": trouble.name, "missing": missing})
                    continue
                if isinstance(trouble, ClockSet) and not set_clock:
                    set_clock = await _follow_clock(lab, observed)
                figures.append(
                    await under(trouble.name, partial(trouble.begin, lab), partial(trouble.end, lab), observed, seconds)
                )
                print(line(figures[-1]), file=sys.stderr, flush=True)
            await observed.end()
        await lab.node.stop()
        async with a_book_at_rest(lab.node.directory) as dsn:
            found = await found_in(dsn)
        asked = dict(lab.enterprise.asked)
    return {"faults": figures, "enterprise": asked, "writes": compared(observed.notes, found)}


async def _follow_clock(lab: Lab, observed: Observed) -> bool:
    """The node's processes are begun anew, with a clock that can be set."""
    await lab.node.stop()
    await lab.node.start(lab.environment(clock=True))
    await observed.calm_since(monotonic(), LONGEST)
    return True


def main() -> None:
    run("faults", TROUBLES, measure)


if __name__ == "__main__":
    main()
