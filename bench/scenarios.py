"""What `filament bench` runs: a node asked in one way for some seconds, and what that gave.

The node is one that runs already, or one of our own over a registry that is made for it or kept in a data directory.
Names are the demo's, unless a file lists others. All are asked for once before, in batches, so that answers are kept
ones. Registrations are measured on a node of our own only, for what is written stays.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

from bench.day import registration, replay
from bench.factory import Scale, line
from bench.generator import Plan, Protocol, Target, measure
from bench.hits import hit_ratios
from bench.identifiers import SEED, records
from bench.lab import Lab, a_lab
from bench.pools import Request, batch, native, resolution, write_pool

LIST: Final = 1000  # Identifiers of a batch.
FASTEST: Final = 3000  # Registrations a second that there are enough of.
CACHE_MEGABYTES: Final = 2048
UNBOUNDED: Final = 1 << 34  # Octets a second to one network: the bound against floods is not what is measured.
NATIVE_PORT: Final = 2641


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants measured."""

    url: str = ""  # of a node that runs; http only
    native_port: int = NATIVE_PORT
    names: Path | None = None
    directory: Path | None = None
    count: int = 100_000
    seconds: float = 5.0
    rate: float = 0.0
    connections: int = 0  # 0: as the scenario has it
    in_flight: int = 0
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Node:
    """Where the node is. `lab` when it is our own."""

    host: str
    port: int
    native_port: int
    servers: Sequence[int] = ()
    lab: Lab | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A way of asking. `make` turns names into requests."""

    chinese: str
    protocol: Protocol
    connections: int
    in_flight: int
    make: Callable[[Sequence[str]], Iterator[Request]]


class NotOurs(Exception):
    """The scenario writes, and the node is somebody else's."""


def _lists(names: Sequence[str]) -> Iterator[Request]:
    return (batch(names[begin : begin + LIST]) for begin in range(0, len(names), LIST))


SCENARIOS: Final = {
    "resolve-http": Scenario("HTTP 解析", "http", 64, 1, lambda names: map(resolution, names)),
    "resolve-native-tcp": Scenario("原生协议 TCP 解析", "tcp", 64, 16, lambda names: map(native, names)),
    "resolve-native-udp": Scenario("原生协议 UDP 解析", "udp", 8, 32, lambda names: map(native, names)),
    "batch": Scenario("批量解析", "http", 2, 1, _lists),
    "register": Scenario("逐条登记", "http", 16, 1, lambda _: iter(())),
    "day": Scenario("混合负载日", "http", 64, 1, lambda _: iter(())),
}
WRITING: Final = ("register", "day")


async def run(names: Sequence[str], wish: Wish) -> list[dict[str, Any]]:
    """The runs of the scenarios, in the form of a report. Raises NotOurs, RuntimeError when nobody is there."""
    if wish.url and not set(names).isdisjoint(WRITING):
        raise NotOurs
    runs = []
    async with _node(wish) as node:
        with tempfile.TemporaryDirectory() as place:
            asked = await asyncio.to_thread(_names, wish)
            await _warm(node, asked, Path(place))
            for name in names:
                figures = await _one(name, wish, node, asked, Path(place))
                runs.append({"name": name, "name_zh": SCENARIOS[name].chinese, **figures})
    return runs


@asynccontextmanager
async def _node(wish: Wish) -> AsyncIterator[Node]:
    if wish.url:
        url = urlsplit(wish.url)
        yield Node(url.hostname or "127.0.0.1", url.port or 80, wish.native_port)
        return
    settings = {"cache_megabytes": CACHE_MEGABYTES, "native_udp_rate": UNBOUNDED}
    async with a_lab(wish.count, wish.directory, **settings) as lab:
        yield Node("127.0.0.1", lab.node.port, lab.node.native_port, lab.servers, lab)


def _names(wish: Wish) -> list[str]:
    """In the order in which they are asked for."""
    if wish.names is not None:
        names = wish.names.read_text("utf-8").split("\n")
    else:
        names = [record.handle for record in records(wish.count)]
    names = [name for name in names if name]
    Random(SEED).shuffle(names)
    return names


async def _warm(node: Node, names: Sequence[str], place: Path) -> None:
    pool = await asyncio.to_thread(write_pool, place / "warm", _lists(names))
    await measure(Plan(pool, [Target("http", node.port, 2, 1, node.host)], once=True))


async def _one(name: str, wish: Wish, node: Node, names: Sequence[str], place: Path) -> dict[str, Any]:
    if name == "day" and node.lab is not None:
        return await _day(node.lab, wish, place)
    scenario = SCENARIOS[name]
    made = scenario.make(names)
    if name == "register" and node.lab is not None:
        made = _registrations(node.lab, await node.lab.registered(), wish)
    pool = await asyncio.to_thread(write_pool, place / name, made)
    native_one = scenario.protocol != "http"
    target = Target(
        scenario.protocol,
        node.native_port if native_one else node.port,
        wish.connections or scenario.connections,
        wish.in_flight or scenario.in_flight,
        node.host,
    )
    plan = Plan(
        pool,
        [target],
        seconds=wish.seconds,
        once=name in WRITING,
        rate=wish.rate,
        processes=wish.processes,
        servers=node.servers,
    )
    if node.lab is None:
        return (await measure(plan)).to_json()
    async with hit_ratios(node.lab.node.status_port) as ratios:
        return {**(await measure(plan)).to_json(), "hit_ratio": ratios}


def _registrations(lab: Lab, registered: int, wish: Wish) -> Iterator[Request]:
    """Identifiers that follow those that are there, one by one."""
    enough = round(wish.seconds * (wish.rate or FASTEST))
    return (replace(registration(record, lab.authorization), identifiers=1) for record in line(registered, enough))


async def _day(lab: Lab, wish: Wish, place: Path) -> dict[str, Any]:
    scale = Scale(await lab.registered(), wish.count)  # bench.day resolves a million
    return await replay(lab, scale, place, rate=wish.rate)
