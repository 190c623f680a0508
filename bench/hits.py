"""How many look-ups the cache answered, second by second, as the node counts them itself (/metrics)."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

INTERVAL: Final = 1.0  # Seconds; the node publishes its figures as often.
LOOKUPS: Final = re.compile(rb'^filament_cache_lookups_total\{result="(hit|miss)"\} (\S+)$', re.MULTILINE)
Ratios = list[tuple[float, float]]
"""Seconds from the beginning, and the part of the look-ups since the last look that were hits."""


@asynccontextmanager
async def hit_ratios(status_port: int) -> AsyncIterator[Ratios]:
    """Fills the list while the block lasts."""
    ratios: Ratios = []
    watching = asyncio.create_task(_watch(status_port, ratios))  # a node that is gone is noticed by who measures it
    try:
        yield ratios
    finally:
        watching.cancel()
        await asyncio.wait({watching})


async def _watch(status_port: int, ratios: Ratios) -> None:
    begun = time.monotonic()
    with suppress(OSError):
        hits, misses = await _lookups(status_port)
        while True:
            await asyncio.sleep(INTERVAL)
            more_hits, more_misses = await _lookups(status_port)
            if asked := more_hits + more_misses - hits - misses:
                ratios.append((round(time.monotonic() - begun, 1), round((more_hits - hits) / asked, 4)))
            hits, misses = more_hits, more_misses


async def _lookups(status_port: int) -> tuple[float, float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", status_port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    found = {match[1]: float(match[2]) for match in LOOKUPS.finditer(await reader.read())}
    writer.close()
    return found.get(b"hit", 0.0), found.get(b"miss", 0.0)
