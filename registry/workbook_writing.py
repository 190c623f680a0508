"""XLSX workbooks written row by row, in constant memory, with every cell a plain text.

Texts that look like formulas or links stay texts: a cell that came from a stranger must not compute in the reader's
program.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import xlsxwriter

MAX_CELL: Final = 32_767  # Characters that a cell of a workbook holds.
MAX_SHEET_ROWS: Final = 1_048_576  # Rows of a sheet; the rest goes onto further sheets.


class Sink(Protocol):
    def write(self, octets: bytes, /) -> object: ...


class WorkbookWriter:
    """One table. Call `close` in the end, whether `finish` was reached or not."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="filament-workbook-"))
        self._path = self._directory / "refused.xlsx"
        self._workbook: Any = xlsxwriter.Workbook(
            str(self._path),
            {
                "constant_memory": True,
                "tmpdir": str(self._directory),
                "strings_to_urls": False,
                "strings_to_formulas": False,
                "strings_to_numbers": False,
            },
        )
        self._bold = self._workbook.add_format({"bold": True})
        self._faulty = self._workbook.add_format({"bg_color": "#FFC7CE", "font_color": "#9C0006"})
        self._names: Sequence[str] = ()
        self._sheet: Any = None
        self._row = 0

    def header(self, names: Sequence[str]) -> None:
        self._names = names
        self._begin_sheet()

    def row(self, cells: Sequence[str], faulty: int | None) -> None:
        """Adds a row; `faulty` is the column to be marked."""
        if self._row >= MAX_SHEET_ROWS:
            self._begin_sheet()
        for column, cell in enumerate(cells):
            if cell or column == faulty:
                self._sheet.write_string(self._row, column, cell[:MAX_CELL], self._faulty if column == faulty else None)
        self._row += 1

    def finish(self, sink: Sink) -> None:
        self._workbook.close()
        with self._path.open("rb") as written:
            shutil.copyfileobj(written, sink)

    def close(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)

    def _begin_sheet(self) -> None:
        self._sheet = self._workbook.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        for column, name in enumerate(self._names):
            self._sheet.write_string(0, column, name, self._bold)
        self._row = 1
