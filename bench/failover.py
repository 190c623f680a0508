"""What a change of the leader costs: seconds without writes, failed reads, lost writes, and how stale an answer was.

Three Postgres under Patroni run on the loopback interface with the configuration that is shipped, and one node over
them. Writers register handles and change one again and again, half of them without a key that makes it safe to send a
write twice; readers ask for what is kept, and for what is read from the nearest server. Then the leader is killed, or
another is given the lead; the former leader comes back as a replica before the next run.

    python -m bench.failover --runs 10 --keep
    python -m bench.failover --runs 10 --planned --keep

A run that is not over in time is noted as such and the next one begins; whatever happens, it ends within LONGEST.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import uuid4

import aiohttp
import orjson

from bench.lab import ADMINISTRATOR, SECRET, add_administrator
from bench.patroni_cluster import Cluster, a_cluster
from bench.surroundings import keep, surroundings
from registry.database import DATABASE_AWAY
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
LONGEST_RUN: Final = 240.0  # Seconds for one run with the return of the former leader: four times what it takes.
LONGEST: Final = 840.0  # Seconds after which no other run begins and none goes on.
# Seconds that an answer may be old, as stated: HOST_TIMEOUT for each of three hosts, LOOK_TIMEOUT, and the pause before
# the next try.
STALEST: Final = 15.0
PAUSE: Final = 0.01  # Seconds between two questions of one reader: the load is to be steady, not heavy.
OK: Final = frozenset({200, 201})

Change = Callable[[Cluster, str], Awaitable["Outcome"]]


@dataclass(slots=True)
class Outcome:
    """One change of the leader, as clients saw it."""

    kind: str
    seconds_without_writes: float = 0.0
    writes: int = 0
    writes_failed: int = 0  # Answered with anything but success, or not at all.
    failures: dict[str, int] = field(default_factory=dict)  # How often each was heard instead of an answer.
    kept_reads: int = 0
    kept_reads_failed: int = 0
    other_reads: int = 0
    other_reads_failed: int = 0
    stalest_seconds: float = 0.0
    stale_beyond_bound: int = 0
    lost_writes: int = 0
    seconds_until_whole: float = 0.0  # From the end of the load until the former leader follows again.
    unfinished: str = ""  # Why it is no measurement.

    def fail(self, heard: str) -> None:
        self.failures[heard] = self.failures.get(heard, 0) + 1


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
        """Each second handle under a key."""
        while not self.stopping:
            for headers in ({}, _key()):
                handle = f"{PREFIX}/{uuid4()}"
                await self._written(session, handle, "here", headers)
                self.acknowledged.append(handle)

    async def change(self, session: aiohttp.ClientSession) -> None:
        while not self.stopping:
            await self._written(session, CHANGED, str(len(self.numbers)), _key())
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
                old = begun - self.numbers[value + 1]
                self.outcome.stalest_seconds = max(self.outcome.stalest_seconds, old)
                self.outcome.stale_beyond_bound += old > STALEST
            await asyncio.sleep(PAUSE)

    async def writes_after(self, instant: float) -> None:
        async with asyncio.timeout(PATIENCE):
            while not self.acknowledged_at or self.acknowledged_at[-1] < instant:  # noqa: ASYNC110  # others append
                await asyncio.sleep(PAUSE)

    def longest_silence(self) -> float:
        instants = sorted(self.acknowledged_at)
        return max(after - before for before, after in pairwise(instants))

    async def _written(
        self, session: aiohttp.ClientSession, handle: str, text: str, headers: Mapping[str, str]
    ) -> None:
        """Sends a write until it is answered. All of these say the same when they are made twice."""
        body = orjson.dumps([{"index": 1, "type": "DESC", "data": text}])
        while not await self._is_made(session.put(f"{self.url}/api/handles/{handle}", data=body, headers=headers)):
            self.outcome.writes_failed += 1
            await asyncio.sleep(PAUSE * 10)
        self.outcome.writes += 1
        self.acknowledged_at.append(time.monotonic())

    async def _is_made(self, sending: "AbstractAsyncContextManager[aiohttp.ClientResponse]") -> bool:
        try:
            async with sending as response:
                if response.status in OK:
                    return True
                self.outcome.fail(f"write: {response.status}")
        except (aiohttp.ClientError, TimeoutError) as error:
            self.outcome.fail(f"write: {type(error).__name__}")
        return False

    async def _value(self, session: aiohttp.ClientSession, handle: str) -> int | None:
        """The number that a handle holds, 0 for one without; None when it is not answered."""
        try:
            async with session.get(f"{self.url}/api/handles/{handle}") as response:
                body = orjson.loads(await response.read())
                if response.status not in OK:
                    self.outcome.fail(f"read: {response.status} {body.get('message', '')}")
                    return None
                values = body.get("values", ())
        except (aiohttp.ClientError, TimeoutError) as error:
            self.outcome.fail(f"read: {type(error).__name__}")
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

    try:
        outcome = await measure(cluster, url, "killed", kill)
    finally:
        if cluster.members[leader].patroni is None:
            cluster.revive(leader)
    return outcome


async def switch_over(cluster: Cluster, url: str) -> Outcome:
    return await measure(cluster, url, "switched over", cluster.switch_over)


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


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


async def _bounded(cluster: Cluster, url: str, change: Change, seconds: float) -> Outcome:
    """One run, or why there is none."""
    try:
        async with asyncio.timeout(seconds):
            await cluster.is_whole()
            outcome = await change(cluster, url)
            begun = time.monotonic()
            await cluster.is_whole()
            outcome.seconds_until_whole = round(time.monotonic() - begun, 3)
            return outcome
    except (aiohttp.ClientError, RuntimeError, ExceptionGroup, *DATABASE_AWAY) as failed:
        return Outcome("", unfinished=repr(failed))


async def _run(asked: argparse.Namespace) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    change = switch_over if asked.planned else kill_leader
    ends = time.monotonic() + LONGEST
    with tempfile.TemporaryDirectory(prefix="filament-failover-") as name:
        directory = Path(name)
        programs = (asked.patroni.absolute(), asked.etcd.absolute())
        async with a_cluster(directory, *programs) as cluster, a_node(cluster, directory / "node") as url:
            while len(made) < asked.runs and (left := ends - time.monotonic()) > 0:
                made.append(asdict(await _bounded(cluster, url, change, min(LONGEST_RUN, left))))
                print(orjson.dumps(made[-1]).decode(), flush=True)
    return made


async def _stoppable(running: Coroutine[Any, Any, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Told to end, it is cancelled where it waits, and so all servers are stopped, also one that has just begun."""
    task = asyncio.ensure_future(running)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        sys.exit(1)


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The least, the middle and the most of each figure, over the runs that were finished."""
    finished = [run for run in runs if not run["unfinished"]]
    if not finished:
        return {"finished": 0}
    figures = {
        name: [run[name] for run in finished] for name, first in finished[0].items() if isinstance(first, int | float)
    }
    spread = {name: [min(each), round(median(each), 3), max(each)] for name, each in figures.items()}
    return {"finished": len(finished), "least_middle_most": spread}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.failover", description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--planned", action="store_true", help="give another the lead, instead of killing the leader")
    parser.add_argument("--patroni", type=Path, default=Path(".judges/patroni/bin/python"))
    parser.add_argument("--etcd", type=Path, default=Path(".judges/etcd/usr/bin/etcd"))
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    asked = parser.parse_args()
    where = surroundings()
    runs = asyncio.run(_stoppable(_run(asked)))
    found = {"surroundings": where, "planned": asked.planned, "runs": runs, **summary(runs)}
    print(orjson.dumps(summary(runs)).decode())
    if asked.keep:
        print(keep("failover-planned" if asked.planned else "failover", found))


if __name__ == "__main__":
    main()
