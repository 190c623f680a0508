"""Writers that note down what was acknowledged, and the book compared with their notes.

Single handles, transactions and files are registered, each under a key of its own; what was not answered is sent again
under its key until it is. Each value holds the token of its write, so that the book tells how much of each is there.
"""

import asyncio
import random
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import aiohttp
import orjson

from bench.lab import ADMINISTRATOR, SECRET, add_administrator
from registry.migrate import migrate
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin

PREFIX: Final = "88.168.1"
TYPE: Final = "TOKEN"
KINDS: Final = ("single", "transaction", "file")
OF_TRANSACTION: Final = 24
OF_FILE: Final = 200
SENT_TWICE: Final = 0.2  # Of the acknowledged writes: sent once more, to see the same answer.
PATIENCE: Final = 180.0  # Seconds for an answer, or for a node to come back, on a machine that has other work.
ANSWERED_WITHIN: Final = 20.0  # Seconds for one sending.
SENT_AGAIN: Final = 0.1  # Seconds after a sending that was not answered.
NOT_NOW: Final = frozenset({408, 429, 502, 503, 504})
PAGE: Final = 1000
CUT_OFF: Final = -1
SILENT: Final = -2

Saw = Callable[[float, int], None]
"""Told of each sending: when it was sent, and the status of its answer, or CUT_OFF or SILENT."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where to write: the addresses of the resolver and of the registry."""

    resolver: str
    registry: str


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


def _nobody(sent: float, status: int) -> None:
    """Where only the notes count."""


def compared(notes: Notes, found: Counter[str]) -> dict[str, object]:
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


async def write_on(
    session: aiohttp.ClientSession,
    places: Places,
    notes: Notes,
    chance: random.Random,
    stop: asyncio.Event,
    saw: Saw = _nobody,
    pause: float = 0.0,
) -> None:
    """Writes until it is told to stop; what it has begun by then is brought to an end."""
    makers = (_single, _single, _transaction, _file)
    while not stop.is_set():
        write = chance.choice(makers)(places)
        answer = await answered(session, write, notes, saw)
        if answer[0] >= 400:
            continue
        notes.expected[write.token] = write.handles
        notes.acknowledged[write.kind] += 1
        notes.heard.set()
        if chance.random() < SENT_TWICE:
            notes.again += 1
            if (told := await answered(session, write, notes, saw)) != answer:
                notes.differing.append(f"{write.kind}: {answer} {told}"[:500])
        await asyncio.sleep(pause)


async def answered(session: aiohttp.ClientSession, write: Write, notes: Notes, saw: Saw = _nobody) -> tuple[int, bytes]:
    """The answer to a write, which is sent again under its key until there is one."""
    deadline, status, body = time.monotonic() + PATIENCE, SILENT, b""
    while time.monotonic() < deadline:
        sent = time.monotonic()
        status, body = await _sent(session, write)
        saw(sent, status)
        if status >= 400 and status not in NOT_NOW:
            notes.refused.append(f"{write.kind}: {status} {body[:200]!r}")
        if 0 < status < 500 and status not in NOT_NOW:
            return status, body
        await asyncio.sleep(SENT_AGAIN)
    raise TimeoutError(f"{write.kind} {write.token} was never answered; last {status}: {body[:300]!r}")


async def _sent(session: aiohttp.ClientSession, write: Write) -> tuple[int, bytes]:
    headers = {"Idempotency-Key": write.token, "Content-Type": write.content_type}
    try:
        async with session.request(write.method, write.url, data=write.body, headers=headers) as response:
            return response.status, await response.read()
    except TimeoutError:
        return SILENT, b""
    except (aiohttp.ClientError, ConnectionError):
        return CUT_OFF, b""


def _single(places: Places) -> Write:
    token = str(uuid4())
    url = f"{places.resolver}/api/handles/{PREFIX}/S-?mintNewSuffix"
    return Write("single", token, "PUT", url, orjson.dumps(values(token)), "application/json", 1)


def _transaction(places: Places) -> Write:
    token = str(uuid4())
    operations = [
        {"operation": "create", "handle": f"{PREFIX}/T-{token}-{number}", "values": values(token)}
        for number in range(OF_TRANSACTION)
    ]
    body = orjson.dumps({"operations": operations})
    url = f"{places.resolver}/api/transactions"
    return Write("transaction", token, "POST", url, body, "application/json", OF_TRANSACTION)


def _file(places: Places) -> Write:
    token = str(uuid4())
    rows = [{"handle": f"{PREFIX}/B-{token}-{number}", "values": values(token)} for number in range(OF_FILE)]
    body = b"\n".join(map(orjson.dumps, rows))
    return Write("file", token, "POST", f"{places.registry}/api/bulk", body, "application/x-ndjson", OF_FILE)


def values(token: str) -> list[dict[str, object]]:
    return [{"index": 1, "type": TYPE, "data": token}]


def a_session(seconds: float = ANSWERED_WITHIN) -> aiohttp.ClientSession:
    """The administrator's; certificates are taken as they come, since a node makes its own."""
    identity = ADMINISTRATOR.replace(":", "%3A").encode()
    headers = {"Authorization": "Basic " + b64encode(identity + b":" + SECRET).decode()}
    timeout = aiohttp.ClientTimeout(total=seconds)
    return aiohttp.ClientSession(headers=headers, timeout=timeout, connector=aiohttp.TCPConnector(ssl=False))


async def prepare(dsn: str) -> None:
    await migrate(dsn)
    await add_administrator(dsn)
    store = Store(RegistrySettings(dsn=dsn), "bench")
    await store.open()
    try:
        async with begin(store, "bench") as transaction:
            await transaction.home(PREFIX)
    finally:
        await store.close()


async def found_in(dsn: str) -> Counter[str]:
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
