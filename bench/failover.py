"""What a change of the leader costs: seconds without writes, failed reads, lost writes, and how stale an answer was.

Three Postgres under Patroni run on the loopback interface with the configuration that is shipped, and one node over
them. Writers register handles and change one again and again; readers ask for what is kept, and for what is read from
the nearest server. Then the leader is killed, or another is given the lead.

    python -m bench.failover --runs 10 --patroni .judges/patroni/bin/python --etcd .judges/etcd/usr/bin/etcd
"""

import argparse
import asyncio
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import aiohttp
import orjson

from bench.lab import ADMINISTRATOR, SECRET, add_administrator
from bench.patroni_cluster import Cluster, a_cluster
from bench.surroundings import keep, surroundings
from registry.migrate import migrate
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from resolver.node import running
from resolver.settings import ResolverSettings, Settings

JSON: Final = "application/json"
PREFIX: Final = "88.168.1"
CHANGED: Final = f"{PREFIX}/CHANGED"
WRITERS: Final = 4
CALM: Final = 3.0  # Seconds of load before the fault and after writes came back.
PATIENCE: Final = 120.0  # Seconds for writes to come back.
PAUSE: Final = 0.01  # Seconds between two questions of one reader: the load is to be steady, not heavy.
NOT_NOW: Final = frozenset({502, 503, 504})
OK: Final = frozenset({200, 201})


@dataclass(slots=True)
class Outcome:
    """One change of the leader, as clients saw it."""

    kind: str
    seconds_without_writes: float = 0.0
    writes: int = 0
    writes_sent_again: int = 0
    kept_reads: int = 0
    kept_reads_failed: int = 0
    other_reads: int = 0
    other_reads_failed: int = 0
    stalest_seconds: float = 0.0
    lost_writes: int = 0


@dataclass(slots=True)
class Load:
    """What is sent to a node while its leader changes, and what came of it."""

    url: str
    outcome: Outcome
    acknowledged: list[str] = field(default_factory=list)
    acknowledged_at: list[float] = field(default_factory=list)
    numbers: list[float] = field(default_factory=lambda: [0.0])  # When each value of CHANGED was acknowledged.
    stopping: bool = False

    async def register(self, session: aiohttp.ClientSession) -> None:
        while not self.stopping:
            handle = f"{PREFIX}/{uuid4()}"
            await self._written(session, handle, "here")
            self.acknowledged.append(handle)

    async def change(self, session: aiohttp.ClientSession) -> None:
        while not self.stopping:
            await self._written(session, CHANGED, str(len(self.numbers)))
            self.numbers.append(time.monotonic())
            await asyncio.sleep(PAUSE)

    async def read_kept(self, session: aiohttp.ClientSession) -> None:
        """A name that is not changed, and so stays in the cache as long as there is one."""
        while not self.stopping:
            self.outcome.kept_reads += 1
            self.outcome.kept_reads_failed += await self._value(session, f"0.NA/{PREFIX}") is None
            await asyncio.sleep(PAUSE)

    async def read_others(self, session: aiohttp.ClientSession) -> None:
        """The name that is changed, which has to be read after each change."""
        while not self.stopping:
            begun = time.monotonic()
            value = await self._value(session, CHANGED)
            self.outcome.other_reads += 1
            if value is None:
                self.outcome.other_reads_failed += 1
            elif value + 1 < len(self.numbers) and self.numbers[value + 1] < begun:
                self.outcome.stalest_seconds = max(self.outcome.stalest_seconds, begun - self.numbers[value + 1])
            await asyncio.sleep(PAUSE)

    async def writes_after(self, instant: float) -> None:
        async with asyncio.timeout(PATIENCE):
            while not self.acknowledged_at or self.acknowledged_at[-1] < instant:  # noqa: ASYNC110  # others append
                await asyncio.sleep(PAUSE)

    def longest_silence(self) -> float:
        instants = sorted(self.acknowledged_at)
        return max(after - before for before, after in pairwise(instants))

    async def _written(self, session: aiohttp.ClientSession, handle: str, text: str) -> None:
        """Sends a write under its key until it is answered."""
        key = {"Idempotency-Key": str(uuid4())}
        body = orjson.dumps([{"index": 1, "type": "DESC", "data": text}])
        while True:
            try:
                async with session.put(f"{self.url}/api/handles/{handle}", data=body, headers=key) as response:
                    if response.status in OK:
                        break
                    if response.status not in NOT_NOW:
                        raise RuntimeError(f"{response.status} {await response.text()}")
            except (aiohttp.ClientError, TimeoutError):
                pass
            self.outcome.writes_sent_again += 1
            await asyncio.sleep(PAUSE * 10)
        self.outcome.writes += 1
        self.acknowledged_at.append(time.monotonic())

    async def _value(self, session: aiohttp.ClientSession, handle: str) -> int | None:
        """The number that a handle holds, 0 for one without; None when it is not answered."""
        try:
            async with session.get(f"{self.url}/api/handles/{handle}") as response:
                if response.status not in OK:
                    return None
                values = orjson.loads(await response.read()).get("values", ())
        except (aiohttp.ClientError, TimeoutError):
            return None
        return next((int(one["data"]["value"]) for one in values if one["type"] == "DESC"), 0)


async def measure(cluster: Cluster, url: str, kind: str, change: Callable[[], Coroutine[Any, Any, Any]]) -> Outcome:
    """One change of the leader under load."""
    load = Load(url, Outcome(kind))
    async with _session() as session, asyncio.TaskGroup() as group:
        for work in (*[load.register] * WRITERS, load.change, load.read_kept, load.read_others):
            group.create_task(work(session))
        await load.writes_after(time.monotonic() + CALM)
        await change()
        await load.writes_after(time.monotonic() + CALM)
        load.stopping = True
    load.outcome.seconds_without_writes = round(load.longest_silence(), 3)
    load.outcome.stalest_seconds = round(load.outcome.stalest_seconds, 3)
    load.outcome.lost_writes = await _missing(cluster.dsn, load.acknowledged)
    return load.outcome


async def kill_leader(cluster: Cluster, url: str) -> Outcome:
    """The leader dies with its Patroni, and comes back as a replica afterwards."""
    leader = await cluster.leader()

    async def kill() -> None:
        await asyncio.to_thread(cluster.members[leader].kill)

    outcome = await measure(cluster, url, "killed", kill)
    await asyncio.to_thread(cluster.revive, leader)
    await cluster.is_whole()
    return outcome


async def switch_over(cluster: Cluster, url: str) -> Outcome:
    outcome = await measure(cluster, url, "switched over", cluster.switch_over)
    await cluster.is_whole()
    return outcome


@asynccontextmanager
async def a_node(cluster: Cluster, directory: Path) -> AsyncIterator[str]:
    """The address of a node over the cluster that reads from a replica, with what the load needs."""
    await migrate(cluster.dsn)
    await add_administrator(cluster.dsn)
    store = Store(RegistrySettings(dsn=cluster.dsn), "bench")
    await store.open()
    async with begin(store, "bench") as transaction:
        await transaction.home(PREFIX)
    await store.close()
    leader = await cluster.leader()
    replica = next(name for name in cluster.members if name != leader)
    registry = RegistrySettings(
        dsn=cluster.dsn,
        nearest_dsn=cluster.dsn_from(replica),
        data_directory=str(directory),
        administrators=(ADMINISTRATOR,),
        plain_authentication=True,
    )
    ours = ResolverSettings(listen=("127.0.0.1",), port=0, native_port=0)
    async with running(Settings(registry, ours)) as node:
        async with asyncio.timeout(PATIENCE):
            while node.unready():  # noqa: ASYNC110  # readiness is asked for and told to nobody
                await asyncio.sleep(PAUSE)
        url = f"http://127.0.0.1:{node.port}"
        async with _session() as session:
            body = orjson.dumps([{"index": 1, "type": "DESC", "data": "0"}])
            for handle in (f"0.NA/{PREFIX}", CHANGED):
                async with session.put(f"{url}/api/handles/{handle}", data=body) as response:
                    if response.status not in OK:
                        raise RuntimeError(await response.text())
        yield url


async def _missing(dsn: str, handles: list[str]) -> int:
    store = Store(RegistrySettings(dsn=dsn), "bench")
    await store.open()
    try:
        keys = [store.key_of(handle.encode()) for handle in handles]
        return len(keys) - len(await store.fetch_packed(keys))
    finally:
        await store.close()


def _session() -> aiohttp.ClientSession:
    identity = ADMINISTRATOR.replace(":", "%3A").encode()
    headers = {"Authorization": "Basic " + b64encode(identity + b":" + SECRET).decode(), "Content-Type": JSON}
    return aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=20))


async def _run(asked: argparse.Namespace) -> list[dict[str, Any]]:
    made = []
    change = switch_over if asked.planned else kill_leader
    with tempfile.TemporaryDirectory(prefix="filament-failover-") as name:
        directory = Path(name)
        programs = (asked.patroni.absolute(), asked.etcd.absolute())
        async with a_cluster(directory, *programs) as cluster, a_node(cluster, directory / "node") as url:
            for _ in range(asked.runs):
                made.append(asdict(await change(cluster, url)))
                print(orjson.dumps(made[-1]).decode(), flush=True)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.failover", description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--planned", action="store_true", help="give another the lead, instead of killing the leader")
    parser.add_argument("--patroni", type=Path, default=Path(".judges/patroni/bin/python"))
    parser.add_argument("--etcd", type=Path, default=Path(".judges/etcd/usr/bin/etcd"))
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    asked = parser.parse_args()
    found = {"surroundings": surroundings(), "runs": asyncio.run(_run(asked))}
    if asked.keep:
        print(keep("failover-planned" if asked.planned else "failover", found))


if __name__ == "__main__":
    main()
