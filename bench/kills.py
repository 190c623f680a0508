"""What became of acknowledged writes when processes were killed: none is lost, none is made twice, none half.

A whole node with the Postgres it ships runs while writers register single handles, transactions and files, each under a
key of its own, and note down what was acknowledged. Meanwhile one of its processes after another is killed (SIGKILL):
the database, the registry, a worker. What was not answered is sent again under its key until it is. Then the book is
compared with the notes.

    python -m bench.kills --kills 1000 --seconds 3600 --keep
"""

import argparse
import asyncio
import os
import random
import re
import signal
import socket
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

import aiohttp
import orjson

from bench.lab import ADMINISTRATOR, SECRET, SETTINGS, add_administrator
from bench.surroundings import keep, surroundings
from registry.data_directory import DataDirectory
from registry.embedded import EmbeddedPostgres, postgres_directory
from registry.migrate import migrate
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin

PREFIX: Final = "88.168.1"
TYPE: Final = "TOKEN"
OF_TRANSACTION: Final = 24
OF_FILE: Final = 200
SENT_TWICE: Final = 0.2  # Of the acknowledged writes: sent once more, to see the same answer.
PATIENCE: Final = 90.0  # Seconds for an answer, or for a node to come back.
PAUSE: Final = (0.1, 1.2)  # Seconds between an answer after a kill and the next kill.
NOT_NOW: Final = frozenset({408, 429, 502, 503, 504})
VICTIMS: Final = ("postgres", "registry", "worker 1", "worker 2")
PAGE: Final = 1000
_PROCESS: Final = re.compile(r"(registry|worker \d) is process (\d+)")


@dataclass
class Notes:
    """What was acknowledged: how many handles hold a token, by token."""

    expected: dict[str, int] = field(default_factory=dict)
    acknowledged: Counter[str] = field(default_factory=Counter)
    again: int = 0
    differing: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Write:
    """One request, whatever it takes to have it answered."""

    kind: str
    token: str
    method: str
    url: str
    body: bytes
    content_type: str
    handles: int


class Running:
    """A node, and the processes that it said it has."""

    def __init__(self, directory: Path, ports: tuple[int, int]) -> None:
        self.directory = directory
        self.resolver, self.registry = (f"http://127.0.0.1:{port}" for port in ports)
        self._ports = ports
        self.pids: dict[str, int] = {}
        self.up = asyncio.Event()

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        given = {
            "resolver.listen": "127.0.0.1",
            "resolver.port": self._ports[0],
            "resolver.native_port": 0,
            "resolver.workers": 2,
            "registry.port": self._ports[1],
            "status.port": 0,
        }
        line = ["up", "--data-directory", str(self.directory)]
        for name, value in given.items():
            line += ["--set", f"{name}={value}"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "resolver.cli", *line),
            env={**os.environ, **SETTINGS, "LC_ALL": "en_GB.UTF-8", "PYTHONUTF8": "1"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        reading = asyncio.create_task(self._read(process.stderr))
        try:
            await asyncio.wait_for(self.up.wait(), PATIENCE)
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            await reading

    async def _read(self, said: asyncio.StreamReader) -> None:
        while line := (await said.readline()).decode(errors="replace"):
            if found := _PROCESS.search(line):
                self.pids[found[1]] = int(found[2])
            if "The node is up" in line:
                self.up.set()

    def kill(self, victim: str) -> None:
        """The process that has this name now; one that is not there is passed over."""
        pid = self.pids.get(victim)
        if victim == "postgres":
            cluster = DataDirectory(postgres_directory(self.directory)).cluster
            try:
                pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            except (OSError, ValueError):
                return
        if pid is not None:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return


async def measure(kills: int, seconds: float, writers: int, directory: Path) -> dict[str, object]:
    """Kills so often, or for so long, and says what became of what was acknowledged."""
    async with _book(directory) as dsn:
        await _prepare(dsn)
    running, notes, killed = Running(directory, (_free_port(), _free_port())), Notes(), Counter[str]()
    begun, stop = time.monotonic(), asyncio.Event()
    async with running.started(), _session() as session, asyncio.TaskGroup() as group:
        for number in range(writers):
            group.create_task(_write(session, running, notes, random.Random(number), stop))
        while killed.total() < kills and time.monotonic() - begun < seconds:
            await asyncio.sleep(random.uniform(*PAUSE))
            victim = random.choice(VICTIMS)
            running.kill(victim)
            killed[victim.partition(" ")[0]] += 1
            notes.heard.clear()
            await asyncio.wait_for(notes.heard.wait(), PATIENCE)
        stop.set()
    took = time.monotonic() - begun
    async with _book(directory) as dsn:
        found = await _found(dsn)
    return {"kills": dict(killed), "seconds": round(took, 1)} | _compared(notes, found)


def _compared(notes: Notes, found: Counter[str]) -> dict[str, object]:
    there = {token: found[token] for token in notes.expected}
    return {
        "acknowledged": dict(notes.acknowledged),
        "handles": sum(notes.expected.values()),
        "lost": sum(there[token] == 0 for token in there),
        "half": sum(0 < there[token] < notes.expected[token] for token in there),
        "doubled": sum(there[token] > notes.expected[token] for token in there),
        "unknown": len(found.keys() - notes.expected.keys()),
        "sent_again": notes.again,
        "answered_otherwise": len(notes.differing),
        "otherwise": notes.differing[:10],
        "refused": notes.refused[:10],
    }


async def _write(
    session: aiohttp.ClientSession, running: Running, notes: Notes, chance: random.Random, stop: asyncio.Event
) -> None:
    """Writes until it is told to stop; what it has begun by then is brought to an end."""
    makers = (_single, _single, _transaction, _file)
    while not stop.is_set():
        write = chance.choice(makers)(running)
        answer = await _answered(session, write)
        if answer[0] >= 400:
            notes.refused.append(f"{write.kind}: {answer[0]} {answer[1][:200]!r}")
            continue
        notes.expected[write.token] = write.handles
        notes.acknowledged[write.kind] += 1
        notes.heard.set()
        if chance.random() < SENT_TWICE:
            notes.again += 1
            if (told := await _answered(session, write)) != answer:
                notes.differing.append(f"{write.kind}: {answer} {told}"[:500])


async def _answered(session: aiohttp.ClientSession, write: Write) -> tuple[int, bytes]:
    """The answer to a write, which is sent again under its key until there is one."""
    deadline = time.monotonic() + PATIENCE
    headers = {"Idempotency-Key": write.token, "Content-Type": write.content_type}
    while True:
        try:
            async with session.request(write.method, write.url, data=write.body, headers=headers) as response:
                body = await response.read()
                if response.status not in NOT_NOW:
                    return response.status, body
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"{write.kind} {write.token} was never answered")
        await asyncio.sleep(0.1)


def _single(running: Running) -> Write:
    token = str(uuid4())
    url = f"{running.resolver}/api/handles/{PREFIX}/S-?mintNewSuffix"
    return Write("single", token, "PUT", url, orjson.dumps(_values(token)), "application/json", 1)


def _transaction(running: Running) -> Write:
    token = str(uuid4())
    operations = [
        {"operation": "create", "handle": f"{PREFIX}/T-{token}-{number}", "values": _values(token)}
        for number in range(OF_TRANSACTION)
    ]
    body = orjson.dumps({"operations": operations})
    url = f"{running.resolver}/api/transactions"
    return Write("transaction", token, "POST", url, body, "application/json", OF_TRANSACTION)


def _file(running: Running) -> Write:
    token = str(uuid4())
    rows = [{"handle": f"{PREFIX}/B-{token}-{number}", "values": _values(token)} for number in range(OF_FILE)]
    body = b"\n".join(map(orjson.dumps, rows))
    return Write("file", token, "POST", f"{running.registry}/api/bulk", body, "application/x-ndjson", OF_FILE)


def _values(token: str) -> list[dict[str, object]]:
    return [{"index": 1, "type": TYPE, "data": token}]


def _session() -> aiohttp.ClientSession:
    identity = ADMINISTRATOR.replace(":", "%3A").encode()
    headers = {"Authorization": "Basic " + b64encode(identity + b":" + SECRET).decode()}
    return aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=20))


@asynccontextmanager
async def _book(directory: Path) -> AsyncIterator[str]:
    """The database of a node that does not run."""
    async with EmbeddedPostgres(postgres_directory(directory)) as postgres:
        yield postgres.dsn


async def _prepare(dsn: str) -> None:
    await migrate(dsn)
    await add_administrator(dsn)
    store = Store(RegistrySettings(dsn=dsn), "bench")
    await store.open()
    try:
        async with begin(store, "bench") as transaction:
            await transaction.home(PREFIX)
    finally:
        await store.close()


async def _found(dsn: str) -> Counter[str]:
    """How many handles hold each token."""
    store = Store(RegistrySettings(dsn=dsn), "bench")
    await store.open()
    found, after = Counter[str](), ""
    try:
        prefix = store.prefixes.find(PREFIX.encode())
        assert prefix is not None
        while True:
            names, after = await store.list_handles(prefix, PAGE, after=after)
            records = await store.fetch_many([store.key_of(name.encode()) for name in names])
            found.update(value.data.decode() for record in records.values() for value in record.values)
            if len(names) < PAGE:
                return found
    finally:
        await store.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--keep", action="store_true", help="write the counts into bench/results")
    chosen = parser.parse_args()
    place = surroundings()
    with tempfile.TemporaryDirectory(prefix="filament-kills-") as directory:
        said = asyncio.run(measure(chosen.kills, chosen.seconds, chosen.writers, Path(directory)))
    counts = {"program": "kills", **place, **said}
    sys.stdout.write(orjson.dumps(counts, option=orjson.OPT_INDENT_2).decode() + "\n")
    if chosen.keep:
        sys.stderr.write(f"{keep('kills', counts)}\n")


if __name__ == "__main__":
    main()
