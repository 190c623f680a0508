"""Records as NDJSON and as CSV, the forms that the bulk load reads; made in blocks of many rows."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO

import orjson

from bench.vocabulary import COLUMNS, Record

# A block is a few hundred kilobytes: system calls vanish, memory does not show.
_RECORDS_PER_BLOCK = 1_000

Block = tuple[int, bytes]
"""How many rows, and the rows."""

_COLUMN = {index: place for place, (index, _) in enumerate(COLUMNS, start=1)}


def write_ndjson(given: Iterable[Record], output: IO[bytes]) -> int:
    """Write one JSON object a line; returns how many."""
    return _write(ndjson_blocks(given), output)


def write_csv(given: Iterable[Record], output: IO[bytes]) -> int:
    """Write a header and one row a record; returns how many records."""
    output.write(csv_header())
    return _write(csv_blocks(given), output)


def ndjson_blocks(given: Iterable[Record]) -> Iterator[Block]:
    """The lines of the records, many at a time."""
    remaining = iter(given)
    while chosen := list(islice(remaining, _RECORDS_PER_BLOCK)):
        yield len(chosen), b"".join(map(_line, chosen))


def csv_blocks(given: Iterable[Record]) -> Iterator[Block]:
    """The rows of the records without the header, many at a time; an absent value is an empty cell."""
    remaining = iter(given)
    while chosen := list(islice(remaining, _RECORDS_PER_BLOCK)):
        text = io.StringIO(newline="")
        csv.writer(text).writerows(map(_row, chosen))
        yield len(chosen), text.getvalue().encode()


def csv_header() -> bytes:
    """The first row: `handle`, then `index:TYPE` for every type of any class."""
    return ",".join(["handle", *(f"{index}:{kind}" for index, kind in COLUMNS)]).encode() + b"\r\n"


BLOCKS: dict[str, Callable[[Iterable[Record]], Iterator[Block]]] = {"ndjson": ndjson_blocks, "csv": csv_blocks}
"""How each form makes its blocks."""

HEADERS: dict[str, bytes] = {"ndjson": b"", "csv": csv_header()}
"""What each form begins with."""


def _line(record: Record) -> bytes:
    values = [{"index": index, "type": kind, "data": text} for index, kind, text in record.values]
    return orjson.dumps({"handle": record.handle, "values": values}, option=orjson.OPT_APPEND_NEWLINE)


def _row(record: Record) -> list[str]:
    row = [""] * (len(COLUMNS) + 1)
    row[0] = record.handle
    for index, _, text in record.values:
        row[_COLUMN[index]] = text
    return row


def _write(blocks: Iterable[Block], output: IO[bytes]) -> int:
    written = 0
    for count, block in blocks:
        output.write(block)
        written += count
    return written
