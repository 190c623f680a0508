"""Hosts apart: what clients see when wires between them are cut, slow or lossy, what is lost, and how long until calm.

`python -m bench.hosts [--seconds N] [--keep] [fault …]` puts clients, a resolver, the registry, a primary, a replica
and the node of an enterprise into network namespaces of their own (bench/wires.py). The resolver reads from the replica
and writes to the primary. Figures as those of bench.faults, with the same clients.

Not measured: real networks, whose losses come in bursts.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench.distant_postgres import READY
from bench.enterprise_node import RIGHT, EnterpriseNode, an_enterprise_node, recursion_into
from bench.fault_table import Figures, line, run
from bench.faults import NAMES, TICKING, register, under
from bench.lab import SETTINGS
from bench.observed import observers
from bench.observers import Watch
from bench.wires import SOUND, Wire, Wires
from bench.writers import Places, compared, found_in, prepare
from registry.embedded import running_dsn
from registry.lag import BEHIND, INTERVAL

CLIENT, RESOLVER, REGISTRY, PRIMARY, REPLICA, ENTERPRISE = HOSTS = (
    *("client", "resolver", "registry", "primary", "replica", "enterprise"),
)
PORT, NATIVE_PORT, REGISTRY_PORT = 8000, 2641, 8001
STARTING: Final = 90.0  # Seconds for a program to say that it is ready.
STALENESS: Final = 2.0  # `max_staleness`: an answer that is older says so.
# Seconds by which an answer may be older than what was acknowledged and not say so: until a replica counts as behind,
# until that counts as staleness, and some for a machine that everybody shares.
BOUND: Final = BEHIND + INTERVAL + STALENESS + 0.7


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One row of the table: what befalls the wires between pairs of hosts."""

    name: str
    wires: tuple[tuple[str, str], ...]
    wire: Wire

    async def begin(self, wires: Wires) -> None:
        for one, other in self.wires:
            wires.disturb(one, other, self.wire)

    async def end(self, wires: Wires) -> None:
        for one, other in self.wires:
            wires.disturb(one, other, SOUND)


CUT: Final = Wire(cut=True)
DISTURBANCES: Final = (
    Disturbance("clients: 5 % lost, 20 ms late", ((CLIENT, RESOLVER), (CLIENT, REGISTRY)), Wire(delay=0.02, loss=0.05)),
    Disturbance("resolver and primary apart", ((RESOLVER, PRIMARY),), CUT),
    Disturbance("resolver and replica apart", ((RESOLVER, REPLICA),), CUT),
    Disturbance("resolver without a database", ((RESOLVER, PRIMARY), (RESOLVER, REPLICA)), CUT),
    Disturbance("registry and primary apart", ((REGISTRY, PRIMARY),), CUT),
    Disturbance("primary and replica apart", ((PRIMARY, REPLICA),), CUT),
    Disturbance("resolver and enterprise apart", ((RESOLVER, ENTERPRISE),), CUT),
    Disturbance("enterprise: 5 % lost, 0.2 s late", ((RESOLVER, ENTERPRISE),), Wire(delay=0.2, loss=0.05)),
    Disturbance("databases: 2 % lost, 10 ms late", ((RESOLVER, PRIMARY), (RESOLVER, REPLICA)), Wire(0.01, 0.02)),
)


@asynccontextmanager
async def programs_apart(wires: Wires, directory: Path) -> AsyncIterator[tuple[str, EnterpriseNode]]:
    """Everything but the clients; the address of the primary's database for this process, and who is asked."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_running(wires, PRIMARY, _postgres(wires, directory, PRIMARY), READY, {}))
        dsn = running_dsn(directory / PRIMARY)
        assert dsn is not None
        await prepare(dsn)
        enterprise = await stack.enter_async_context(
            an_enterprise_node(wires.address(ENTERPRISE), *wires.on(ENTERPRISE))
        )
        await register(dsn, enterprise)
        following = (*_postgres(wires, directory, REPLICA), wires.address(PRIMARY))
        await stack.enter_async_context(_running(wires, REPLICA, following, READY, {}))
        replica, primary = (f"{wires.address(host)}:5432" for host in (REPLICA, PRIMARY))
        of_registry = _environment(directory, REGISTRY, wires, primary) | {
            "FILAMENT_REGISTRY_LISTEN": wires.address(REGISTRY)
        }
        serve = ("registry", "serve")
        await stack.enter_async_context(_running(wires, REGISTRY, serve, "the registry listens", of_registry))
        of_resolver = _environment(directory, RESOLVER, wires, primary) | {
            "FILAMENT_REGISTRY_NEAREST_DSN": _dsn(replica),
            **recursion_into(wires.address(ENTERPRISE)),
        }
        resolve = ("resolver", "--workers", "1")
        await stack.enter_async_context(_running(wires, RESOLVER, resolve, "listening on port", of_resolver))
        yield dsn, enterprise


def _postgres(wires: Wires, directory: Path, host: str) -> tuple[str, ...]:
    return ("bench.distant_postgres", str(directory / host), wires.address(host))


def _dsn(place: str) -> str:
    return f"postgresql://postgres@{place}/filament"


def _environment(directory: Path, host: str, wires: Wires, database: str) -> dict[str, str]:
    return {
        **SETTINGS,
        "FILAMENT_REGISTRY_DSN": _dsn(database),
        "FILAMENT_REGISTRY_DATA_DIRECTORY": str(directory / f"{host}-data"),
        "FILAMENT_RESOLVER_LISTEN": wires.address(host),
        "FILAMENT_RESOLVER_MAX_STALENESS": str(STALENESS),
    }


@asynccontextmanager
async def _running(
    wires: Wires, host: str, words: Sequence[str], ready: str, environment: Mapping[str, str]
) -> AsyncIterator[None]:
    """A program of ours on a host, from when it said that it is ready."""
    process = await asyncio.create_subprocess_exec(
        *(*wires.on(host), sys.executable, "-m", *words),
        env={**os.environ, **environment, "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    said: list[str] = []
    try:
        async with asyncio.timeout(STARTING):
            while ready not in (said[-1] if said else ""):
                said.append((await process.stdout.readline()).decode())
                if not said[-1]:
                    raise RuntimeError(f"{host} did not start:\n{''.join(said)}")
        reading = asyncio.create_task(_read_on(process.stdout))
        yield
        process.stdin.close()
        if words[0] != "bench.distant_postgres":
            process.terminate()
        await process.wait()
        await reading
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _read_on(said: asyncio.StreamReader) -> None:
    """It would wait for ever with a full pipe."""
    while await said.read(1 << 16):
        pass


async def measure(disturbances: Sequence[Disturbance], seconds: float, directory: Path) -> Figures:
    figures: list[Figures] = []
    wires = Wires(HOSTS)
    with wires.laid():
        async with programs_apart(wires, directory) as (dsn, enterprise):
            resolver, registry = (wires.address(host) for host in (RESOLVER, REGISTRY))
            places = Places(f"https://{resolver}:{PORT}", f"https://{registry}:{REGISTRY_PORT}")
            watch = Watch(resolver, PORT, NATIVE_PORT, places, NAMES, TICKING, kept_bound=BOUND, anew_bound=BOUND)
            async with observers(watch, *wires.on(CLIENT)) as observed:
                await observed.busy()
                for one in disturbances:
                    figures.append(
                        await under(one.name, partial(one.begin, wires), partial(one.end, wires), observed, seconds)
                    )
                    print(line(figures[-1]), file=sys.stderr, flush=True)
                await observed.end()
                await enterprise.be(RIGHT)
            found = await found_in(dsn)
    return {"faults": figures, "enterprise": dict(enterprise.asked), "writes": compared(observed.notes, found)}


def main() -> None:
    run("hosts", DISTURBANCES, measure, Wires.missing())


if __name__ == "__main__":
    main()
