"""The demo's identifiers: any number of realistic records from a seed, in constant memory.

`python -m bench.identifiers --count 1000000 --output demo.ndjson` writes them for the bulk load. A record links only
to records before it in the whole, so every link resolves wherever the count cuts. Several processes share the work
by consignments; their records come in another order, and are the same ones.
"""

import argparse
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, nullcontext
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Lock
from time import monotonic
from typing import IO, cast

from bench.enterprises import ENTERPRISES, Enterprise
from bench.forms import BLOCKS, HEADERS, write_csv, write_ndjson
from bench.schedule import consignment, cut
from bench.vocabulary import COLUMNS, Record

__all__ = ["COLUMNS", "ENTERPRISES", "SEED", "Enterprise", "Record", "records", "write_csv", "write_ndjson"]

SEED = 20260118

_PROGRESS_SECONDS = 1.0

# The exit code of a process whose reader went away; a shell would say 128 + SIGPIPE.
_READER_LEFT = 141


def records(count: int, seed: int = SEED, *, part: int = 0, parts: int = 1) -> Iterator[Record]:
    """Exactly `count` records, or one of several parts of them: consignments are dealt out in turn."""
    if count < 0 or not 0 <= part < parts:
        raise ValueError(f"there is no part {part!r} of {parts!r} of {count!r} records")
    return _records(count, seed, part, parts)


def main() -> int:
    """Write records to a file or to standard output; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m bench.identifiers", description="Make demo identifiers.")
    parser.add_argument("--count", type=int, default=100_000, help="records to write (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="the same seed, the same records (default: %(default)s)")
    parser.add_argument("--format", choices=sorted(BLOCKS), default="ndjson", help="default: %(default)s")
    parser.add_argument("--processes", type=int, default=1, help="how many share the work (default: %(default)s)")
    parser.add_argument("--output", default="-", help="a file, or - for standard output (default: -)")
    asked = parser.parse_args()
    if asked.count < 0 or asked.processes < 1:
        parser.error("--count must not be negative, and --processes must be at least 1")
    try:
        with _opened(asked.output, "wb") as output:
            output.write(HEADERS[asked.format])
        _report(_written(asked), asked.count)
    except BrokenPipeError:
        # Whoever read our output has read enough.
        return 1
    return 0


def _records(count: int, seed: int, part: int, parts: int) -> Iterator[Record]:
    whole, rest = cut(count)
    for number in range(part, whole, parts):
        yield from consignment(number, seed)
    if whole % parts == part:
        yield from islice(consignment(whole, seed), rest)


def _written(asked: argparse.Namespace) -> Generator[int, None, None]:
    """Write all records, and say of each block how many it held."""
    if asked.processes == 1:
        yield from _write_part(asked, 0)
        return
    context = get_context("spawn")
    turn = context.Lock()
    with ExitStack() as stack:
        workers, told = [], []
        for part in range(asked.processes):
            receiver, sender = context.Pipe(duplex=False)
            told.append(stack.enter_context(receiver))
            worker = context.Process(target=_work, args=(asked, part, turn, sender), daemon=True)
            worker.start()
            stack.callback(worker.join)
            stack.callback(worker.terminate)
            workers.append(worker)
            # Ours must be closed, or the end of the worker would never be seen.
            sender.close()
        yield from _received(told)
        for worker in workers:
            worker.join()
            if worker.exitcode == _READER_LEFT:
                raise BrokenPipeError
            if worker.exitcode:
                raise RuntimeError(f"a process that made records ended with code {worker.exitcode!r}")


def _work(asked: argparse.Namespace, part: int, turn: Lock, teller: Connection) -> None:
    """Make one part in a process of its own, and tell the parent what was written."""
    try:
        for rows in _write_part(asked, part, turn):
            teller.send(rows)
    except BrokenPipeError:
        sys.exit(_READER_LEFT)


def _write_part(asked: argparse.Namespace, part: int, turn: Lock | None = None) -> Iterator[int]:
    """Write one part block by block; the processes take turns, so that a row is never torn."""
    given = records(asked.count, asked.seed, part=part, parts=asked.processes)
    with _opened(asked.output, "ab") as output:
        for rows, block in BLOCKS[asked.format](given):
            with turn or nullcontext():
                output.write(block)
                output.flush()
            yield rows


def _opened(name: str, mode: str) -> IO[bytes]:
    return open(sys.stdout.fileno(), "wb", closefd=False) if name == "-" else open(name, mode)


def _received(told: list[Connection]) -> Iterator[int]:
    while told:
        for ready in cast("list[Connection]", wait(told)):
            try:
                yield ready.recv()
            except EOFError:
                told.remove(ready)


def _report(written: Generator[int, None, None], count: int) -> None:
    begun = told = monotonic()
    done = 0
    with closing(written):
        for rows in written:
            done += rows
            if monotonic() - told >= _PROGRESS_SECONDS:
                told = monotonic()
                _tell(done, count, told - begun, end="\r" if sys.stderr.isatty() else "\n")
    _tell(done, count, monotonic() - begun, end="\n")


def _tell(written: int, count: int, seconds: float, end: str) -> None:
    rate = written / seconds if seconds else 0.0
    print(f"{written:,} of {count:,} records, {rate:,.0f} a second", file=sys.stderr, end=end, flush=True)


if __name__ == "__main__":
    sys.exit(main())
