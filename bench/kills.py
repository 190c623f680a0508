"""What became of acknowledged writes when processes were killed: none is lost, none is made twice, none half.

A whole node with the Postgres it ships runs while writers register single handles, transactions and files, each under a
key of its own, and note down what was acknowledged. Meanwhile one of its processes after another is killed (SIGKILL):
the database, the registry, a worker. What was not answered is sent again under its key until it is. Then the book is
compared with the notes.

    python -m bench.kills --kills 1000 --seconds 3600 --keep
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

import orjson

from bench.running import POSTGRES, REGISTRY, WORKERS, Running, a_book_at_rest
from bench.surroundings import keep, surroundings
from bench.writers import KINDS, PATIENCE, Notes, a_session, compared, found_in, prepare, write_on

TWICE: Final = 0.25  # Of the kills: another follows before the node has answered everything again.
PAUSE: Final = (0.1, 1.2)  # Seconds between an answer after a kill and the next kill.
VICTIMS: Final = (POSTGRES, REGISTRY, *WORKERS)


async def measure(kills: int, seconds: float, writers: int, directory: Path) -> dict[str, object]:
    """Kills so often, or for so long, and says what became of what was acknowledged."""
    async with a_book_at_rest(directory) as dsn:
        await prepare(dsn)
    running, notes, killed = Running(directory), Notes(), Counter[str]()
    begun, stop = time.monotonic(), asyncio.Event()
    try:
        async with running.started(), a_session() as session, asyncio.TaskGroup() as group:
            for number in range(writers):
                group.create_task(write_on(session, running.places, notes, random.Random(number), stop))
            while killed.total() < kills and time.monotonic() - begun < seconds:
                await asyncio.sleep(random.uniform(*PAUSE))
                victim = random.choice(VICTIMS)
                if not running.signal(victim, signal.SIGKILL):
                    continue  # It has not been started again yet.
                killed[victim.partition(" ")[0]] += 1
                if random.random() > TWICE:
                    await _answered_again(notes)
            stop.set()
    except BaseException:
        sys.stderr.write("\n".join(["the node's last words:", *running.log, ""]))
        raise
    took = time.monotonic() - begun
    async with a_book_at_rest(directory) as dsn:
        found = await found_in(dsn)
    return {"kills": dict(killed), "seconds": round(took, 1)} | compared(notes, found)


async def _answered_again(notes: Notes) -> None:
    """Returns when a write of every kind was acknowledged, or a busy machine would never get to answer some."""
    before = notes.acknowledged.copy()
    while any(notes.acknowledged[kind] == before[kind] for kind in KINDS):
        notes.heard.clear()
        await asyncio.wait_for(notes.heard.wait(), PATIENCE)


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
