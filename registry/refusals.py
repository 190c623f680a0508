"""The refused rows of a load as a file of its own form: mended in place, it can be loaded as it is.

What is added to a row is passed over by the load that reads it again: a member `refusal` of a JSON line, columns whose
name begins with '#' of a table.
"""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import asyncpg
import orjson

from registry.language import Catalogue, Language, text
from registry.refusal import message
from registry.store import Store
from registry.workbook_writing import WorkbookWriter

FIRST_CHUNK: Final = -10  # Below every number: what precedes the rows of an archive has negative ones.
PAGE: Final = 500  # Refusals read at once; their rows may be 64 KiB long.

FORM: Final = "SELECT form, columns FROM import_batch WHERE batch_id = $1"
REFUSALS: Final = """
SELECT chunk, line, field, rule, culprit, line_text FROM import_refusal
WHERE batch_id = $1 AND (chunk, line) > ($2, $3) ORDER BY chunk, line LIMIT $4
"""

TEXTS: Final[Catalogue] = {
    "line": ("#line", "#行"),
    "field": ("#field", "#字段"),
    "message": ("#message", "#原因"),
}


class Sink(Protocol):
    def write(self, octets: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A refused row as the book keeps it."""

    line: int
    field: str
    rule: str
    culprit: dict[str, Any]
    text: str

    @property
    def member(self) -> str:
        """What a JSON line calls what is told of it."""
        return "refusal"

    def message(self, language: Language) -> str:
        return message(self.rule, self.culprit, language)

    def to_json(self, language: Language) -> dict[str, Any]:
        """The refusal without its row."""
        return {
            "line": self.line,
            "field": self.field,
            "rule": self.rule,
            "message": self.message(language),
            "culprit": self.culprit,
        }


@dataclass(frozen=True, slots=True)
class OtherRow:
    """A row of which something else is to be told than a refusal: a rule of the catalogue."""

    line: int
    rule: str
    text: str

    @property
    def field(self) -> str:
        return ""

    @property
    def member(self) -> str:
        return "result"

    def message(self, language: Language) -> str:
        return message(self.rule, {}, language)

    def to_json(self, language: Language) -> dict[str, Any]:
        return {"line": self.line, "rule": self.rule, "message": self.message(language)}


ReportedRow = RefusedRow | OtherRow


async def refused_rows(store: Store, batch_id: int) -> AsyncIterator[list[RefusedRow]]:
    """The refusals of a load in order of lines, page by page."""
    chunk, line = FIRST_CHUNK, 0
    while True:
        async with store.connection() as connection:
            rows = await connection.fetch(REFUSALS, batch_id, chunk, line, PAGE)
        if not rows:
            return
        yield [refused_row(row) for row in rows]
        chunk, line = rows[-1]["chunk"], rows[-1]["line"]


def refused_row(row: asyncpg.Record) -> RefusedRow:
    """A refusal with columns of these names."""
    return RefusedRow(row["line"], row["field"], row["rule"], orjson.loads(row["culprit"]), row["line_text"])


async def write_refusals(store: Store, batch_id: int, sink: Sink, language: Language) -> None:
    """Writes the refused rows in the form in which they came. Raises KeyError when there is no such load."""
    async with store.connection() as connection:
        batch = await connection.fetchrow(FORM, batch_id)
    if batch is None:
        raise KeyError(batch_id)
    writer = row_writer(batch["form"], sink, batch["columns"] or (), language)
    try:
        await asyncio.to_thread(writer.begin)
        async for rows in refused_rows(store, batch_id):
            await asyncio.to_thread(writer.add, rows)
        await asyncio.to_thread(writer.finish)
    finally:
        await asyncio.to_thread(writer.close)


class RowWriter:
    """A file of rows, each with what became of it."""

    def __init__(self, sink: Sink, columns: Sequence[str], language: Language) -> None:
        self._sink = sink
        self._columns = list(columns)
        self._language: Language = language
        self._added = [text(TEXTS, rule, language) for rule in TEXTS]

    def begin(self) -> None:
        """Writes what precedes the rows."""

    def add(self, rows: Sequence[ReportedRow]) -> None:
        """Writes some rows."""

    def finish(self) -> None:
        """Writes what follows the rows."""

    def close(self) -> None:
        """Lets go of what was held, finished or not."""


class _LineWriter(RowWriter):
    def add(self, rows: Sequence[ReportedRow]) -> None:
        self._sink.write(b"".join([self._line(row) for row in rows]))

    def _line(self, row: ReportedRow) -> bytes:
        refusal = {row.member: row.to_json(self._language)}
        try:
            given = orjson.loads(row.text)
        except orjson.JSONDecodeError:
            given = None
        form = given | refusal if isinstance(given, dict) else {"text": row.text} | refusal
        return orjson.dumps(form, option=orjson.OPT_APPEND_NEWLINE)


class _TableWriter(RowWriter):
    """CSV as spreadsheet programs read Chinese in it: UTF-8 that says so."""

    def begin(self) -> None:
        self._write([[*self._columns, *self._added]], "utf-8-sig")

    def add(self, rows: Sequence[ReportedRow]) -> None:
        width = len(self._columns)
        self._write([_padded(_csv_cells(row.text), width) + self._about(row) for row in rows], "utf-8")

    def _about(self, row: ReportedRow) -> list[str]:
        return [str(row.line), row.field, row.message(self._language)]

    def _write(self, rows: Sequence[Sequence[str]], encoding: str) -> None:
        out = io.StringIO(newline="")
        csv.writer(out).writerows(rows)
        self._sink.write(out.getvalue().encode(encoding))


class _SheetWriter(RowWriter):
    def __init__(self, sink: Sink, columns: Sequence[str], language: Language) -> None:
        super().__init__(sink, columns, language)
        self._workbook = WorkbookWriter()

    def begin(self) -> None:
        self._workbook.header([*self._columns, *self._added])

    def add(self, rows: Sequence[ReportedRow]) -> None:
        width = len(self._columns)
        for row in rows:
            cells = _padded(_sheet_cells(row.text), width)
            faulty = self._columns.index(row.field) if row.field in self._columns else None
            about = [str(row.line), row.field, row.message(self._language)]
            self._workbook.row([*cells, *about], faulty)

    def finish(self) -> None:
        self._workbook.finish(self._sink)

    def close(self) -> None:
        self._workbook.close()


def _csv_cells(row_text: str) -> list[str]:
    try:
        return next(csv.reader((row_text,)), [])
    except csv.Error:
        return [row_text]


def _sheet_cells(row_text: str) -> list[str]:
    try:
        cells = orjson.loads(row_text)
    except orjson.JSONDecodeError:  # A row longer than what is kept of one.
        return [row_text]
    return [cell if isinstance(cell, str) else str(cell.get("shown", "")) for cell in cells]


def _padded(cells: list[str], width: int) -> list[str]:
    """As many cells as the header: what is behind its end is put into the last one, where it is seen."""
    if len(cells) > width > 0:
        return [*cells[: width - 1], ",".join(cells[width - 1 :])]
    return cells + [""] * (width - len(cells))


_WRITERS: Final[dict[str, type[RowWriter]]] = {"ndjson": _LineWriter, "csv": _TableWriter, "xlsx": _SheetWriter}


def row_writer(form: str, sink: Sink, columns: Sequence[str], language: Language) -> RowWriter:
    """Writes rows in the form in which they came. Call its `close` in the end, whatever happened."""
    return _WRITERS[form](sink, columns, language)
