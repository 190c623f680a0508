"""Rows of data on standard output, as a table for people or in a form for programs."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TextIO

from registry.language import Language, text
from resolver.cli.catalogues import COLUMNS
from resolver.cli.frame import cells

Row = Mapping[str, Any]
WIDEST: Final = 100  # Terminal cells of one column of a table: the other forms show every value whole.
Writer = Callable[[Iterable[Row], Sequence[str], Language, TextIO], None]


def write_rows(rows: Iterable[Row], columns: Sequence[str], form: str, language: Language) -> None:
    """Writes the named columns of each row in one of FORMS."""
    FORMS[form](rows, columns, language, sys.stdout)
    sys.stdout.flush()


def _table(rows: Iterable[Row], columns: Sequence[str], language: Language, out: TextIO) -> None:
    head = [text(COLUMNS, column, language) for column in columns]
    body = [[_shown(row.get(column)) for column in columns] for row in rows]
    if not body:
        return  # As `ls` of an empty directory: heads above nothing look like an answer.
    widths = [max(map(cells, column)) for column in zip(head, *body, strict=True)]
    for line in (head, ["─" * width for width in widths], *body):
        padded = [word + " " * (width - cells(word)) for word, width in zip(line, widths, strict=True)]
        out.write("  ".join(padded).rstrip() + "\n")


def _json(rows: Iterable[Row], columns: Sequence[str], language: Language, out: TextIO) -> None:
    json.dump([_only(row, columns) for row in rows], out, ensure_ascii=False, indent=2)
    out.write("\n")


def _ndjson(rows: Iterable[Row], columns: Sequence[str], language: Language, out: TextIO) -> None:
    out.writelines(json.dumps(_only(row, columns), ensure_ascii=False) + "\n" for row in rows)


def _csv(rows: Iterable[Row], columns: Sequence[str], language: Language, out: TextIO) -> None:
    table = csv.writer(out, lineterminator="\n")
    table.writerow(columns)
    for row in rows:
        table.writerow([_text(row.get(column)) for column in columns])


def _only(row: Row, columns: Sequence[str]) -> dict[str, Any]:
    return {column: row[column] for column in columns if column in row}


def _shown(value: Any) -> str:
    # A line break or an escape sequence in a stranger's value would redraw the reader's terminal.
    line = _text(value)[: WIDEST + 1].replace("\n", "↵")
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    while cells(shown) > WIDEST:
        shown = shown.rstrip("…")[:-1] + "…"
    return shown


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


FORMS: Final[Mapping[str, Writer]] = {"table": _table, "json": _json, "ndjson": _ndjson, "csv": _csv}
