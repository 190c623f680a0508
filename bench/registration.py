"""Online registrations a second, one by one and many in a transaction, beside resolution at a set rate.

`python -m bench.registration [--rate 5000] [--seconds 10] [--keep]` asks a node over a registry of its own for names
that it keeps, at this rate, while clients register handles: each in a request of its own, then 24, 96 and 2,000 in a
transaction, each write under an Idempotency-Key. Generator, clients, resolver and Postgres share the machine.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import aiohttp
import orjson
import uvloop

from bench.chosen import chosen
from bench.generator import Plan, Target, measure
from bench.lab import Lab, a_lab
from bench.pools import resolution, write_pool
from bench.surroundings import keep, surroundings
from registry.handle import NAMING_AUTHORITY

REGISTERED: Final = 100_000
KEPT: Final = 20_000  # Names asked for again and again.
SIZES: Final = (1, 24, 96, 2000)  # Handles of a write: one, a winder's doff, a pallet, the most.
CLIENTS: Final = 8
PREFIX: Final = "88.168.7777"
WARM: Final = 1.0  # Seconds of resolution before anybody registers.
PATIENCE: Final = 120.0

Figures = dict[str, Any]


def main() -> int:
    """Measures, prints a JSON line for each size and one for the whole."""
    parser = argparse.ArgumentParser(prog="python -m bench.registration", description="Measure online registration.")
    parser.add_argument("--rate", type=int, default=5000, help="resolutions a second beside it (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each size (default: %(default)s)")
    parser.add_argument("--registered", type=int, default=REGISTERED, help="before (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="write the figures into bench/results")
    asked = parser.parse_args()
    figures = {"program": "registration", **surroundings(), **uvloop.run(_measure(asked))}
    print(orjson.dumps({"whole": figures}).decode())
    if asked.keep:
        print(keep("registration", figures), file=sys.stderr)
    return 0


async def _measure(asked: argparse.Namespace) -> Figures:
    async with a_lab(asked.registered) as lab, _session(lab) as session:
        base = f"http://127.0.0.1:{lab.node.port}"
        async with session.post(f"{base}/api/prefixes/{NAMING_AUTHORITY}/{PREFIX}") as answer:
            answer.raise_for_status()
        with tempfile.TemporaryDirectory() as directory:
            pool = Path(directory) / "kept"
            write_pool(pool, map(resolution, chosen(asked.registered, KEPT)))
            sizes = [await _size(asked, lab, session, base, pool, size) for size in SIZES]
    return {"registered": asked.registered, "rate": asked.rate, "clients": CLIENTS, "sizes": sizes}


async def _size(
    asked: argparse.Namespace, lab: Lab, session: aiohttp.ClientSession, base: str, pool: Path, size: int
) -> Figures:
    plan = Plan(pool, (Target("http", lab.node.port),), seconds=asked.seconds + 2 * WARM, rate=asked.rate)
    resolving = asyncio.create_task(measure(plan))
    await asyncio.sleep(WARM)
    until = time.monotonic() + asked.seconds
    begun = time.monotonic()
    times = [one for some in await asyncio.gather(*(_client(session, base, size, until) for _ in range(CLIENTS)))
             for one in some]  # fmt: skip
    took = time.monotonic() - begun
    times.sort()
    figures: Figures = {
        "handles_a_write": size,
        "handles_a_second": round(len(times) * size / took, 1),
        "writes": len(times),
        "p50_ms": round(times[len(times) // 2] * 1000, 2),
        "p99_ms": round(times[len(times) * 99 // 100] * 1000, 2),
        "resolution": (await resolving).to_json(),
    }
    print(orjson.dumps(figures).decode(), flush=True)
    return figures


async def _client(session: aiohttp.ClientSession, base: str, size: int, until: float) -> list[float]:
    """Seconds of each write that was acknowledged; at least one."""
    times: list[float] = []
    while not times or time.monotonic() < until:
        begun = time.monotonic()
        await _write(session, base, size)
        times.append(time.monotonic() - begun)
    return times


async def _write(session: aiohttp.ClientSession, base: str, size: int) -> None:
    token = str(uuid4())
    headers = {"Idempotency-Key": token, "Content-Type": "application/json"}
    if size == 1:
        method, url, form = "PUT", f"{base}/api/handles/{PREFIX}/S-{token}", orjson.dumps(_values(token))
    else:
        operations = [
            {"operation": "create", "handle": f"{PREFIX}/T-{token}-{number}", "values": _values(token)}
            for number in range(size)
        ]
        method, url, form = "POST", f"{base}/api/transactions", orjson.dumps({"operations": operations})
    async with session.request(method, url, data=form, headers=headers) as answer:
        answer.raise_for_status()
        await answer.read()


def _values(token: str) -> list[dict[str, object]]:
    return [
        {"index": 1, "type": "URL", "data": f"https://example.org/cakes/{token}"},
        {"index": 2, "type": "BATCH", "data": token[:8]},
        {"index": 3, "type": "SPEC", "data": "111dtex/48f"},
    ]


def _session(lab: Lab) -> aiohttp.ClientSession:
    name, _, key = lab.authorization.partition(": ")
    return aiohttp.ClientSession(headers={name: key.strip()}, timeout=aiohttp.ClientTimeout(total=PATIENCE))


if __name__ == "__main__":
    sys.exit(main())
