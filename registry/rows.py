"""Octets of a bulk file cut into rows, whatever pieces they arrive in and however long a row pretends to be.

Cutting looks at octets below 0x30 and at ';' only, which in UTF-8 and in GB18030 stand for themselves, so that nothing
has to be decoded before it is cut. A row is handed on with the line it begins in; a faulty one with the rule it broke.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from registry.errors import ProtocolFault

# A record of the longest kind, escaped as JSON, is about half of this.
MAX_ROW: Final = 1 << 20
KEPT_OF_LONG_ROW: Final = 1 << 16  # Octets kept of a row that is refused for its length, to show which one it was.

TOO_LONG: Final = "load.line_too_long"
QUOTE_OPEN: Final = "load.quote_open"

_BLANK_LINE = re.compile(rb"\n[ \t\r\v\f]*\n")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_DELIMITERS: Final = (b",", b";", b"\t")
# What the first octets say when the file is of another form than announced.
_OTHER_FORMS: Final = (
    (b"PK\x03\x04", "a ZIP archive, perhaps an XLSX workbook"),
    (b"\xd0\xcf\x11\xe0", "an old XLS workbook"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"\x1f\x8b", "a gzip archive"),
)


class Row(NamedTuple):
    """One row as it was read. `fault` names the rule that it broke already, or is empty."""

    line: int
    octets: bytes
    fault: str = ""


class LineCutter:
    """Lines of a file, blank ones left out."""

    def __init__(self) -> None:
        self._line = 0
        self._held = bytearray()
        self._begun = False
        self._overflowed = False

    def feed(self, octets: bytes) -> list[Row]:
        """The rows that these octets complete. Raises ProtocolFault when the file is of another form."""
        rows: list[Row] = []
        *complete, rest = octets.split(b"\n")
        rows += self._feed(complete[:1])  # the only one that can have begun before, or with a byte order mark
        rows += self._feed(complete[1:]) if len(octets) > MAX_ROW else self._feed_plain(complete[1:])
        self._hold(rest)
        return rows

    def _feed(self, complete: list[bytes]) -> list[Row]:
        rows: list[Row] = []
        for line in complete:
            if self._held or self._overflowed or not self._begun or len(line) > MAX_ROW:
                line = self._completed(line)
            self._line += 1
            if self._overflowed:
                self._overflowed = False
                rows.extend(self._cut(line, TOO_LONG))
            else:
                rows.extend(self._cut(line))
        return rows

    def _feed_plain(self, lines: list[bytes]) -> list[Row]:
        """As `_feed`, for lines that are whole and not too long: nearly all."""
        return self._feed(lines)

    def finish(self) -> list[Row]:
        """The last row, when no line end follows it."""
        rows = self.feed(b"\n") if self._held or self._overflowed else []
        return rows + self._cut_end()

    def _cut(self, line: bytes, fault: str = "") -> tuple[Row, ...]:
        return () if not fault and (not line or line.isspace()) else (Row(self._line, line, fault),)

    def _cut_end(self) -> list[Row]:
        return []

    def _completed(self, line: bytes) -> bytes:
        self._hold(line)
        line = bytes(self._held)
        self._held.clear()
        if self._begun:
            return line
        self._begun = True
        return line.removeprefix(_BYTE_ORDER_MARK)

    def _hold(self, octets: bytes) -> None:
        if not self._overflowed:
            self._held += octets[: MAX_ROW + 1]
            if not self._begun:
                _check_form(self._held)
            if len(self._held) > MAX_ROW:
                self._overflowed = True
                del self._held[KEPT_OF_LONG_ROW:]


class RowCutter(LineCutter):
    """Rows of a CSV file, whose quoted cells may hold line ends (RFC 4180). The first one is the header."""

    def __init__(self) -> None:
        super().__init__()
        self.header: Row | None = None
        self.delimiter = b","
        self._open: list[bytes] = []
        self._open_octets = 0
        self._first_line = 0

    def _feed_plain(self, lines: list[bytes]) -> list[Row]:
        if self.header is None:
            return self._feed(lines)
        rows: list[Row] = []
        start = self._line
        for number, line in enumerate(lines, start + 1):
            if self._open or b'"' in line or not line or line.isspace():
                self._line = number
                rows += self._cut(line)
            else:
                rows.append(Row(number, line))
        self._line = start + len(lines)
        return rows

    def _cut(self, line: bytes, fault: str = "") -> tuple[Row, ...]:
        if self.header is None and not self._open:
            if not fault and (not line or line.isspace()):
                return ()
            self.delimiter = max(_DELIMITERS, key=line.count)
        if fault or self._open_octets + len(line) > MAX_ROW:
            return self._closed(line, TOO_LONG)
        if (self._open or b'"' in line) and _ends_inside_quotes(line, bool(self._open), self.delimiter):
            self._first_line = self._first_line if self._open else self._line
            self._open.append(line)
            self._open_octets += len(line) + 1
            return ()
        if self._open:
            return self._closed(line, "")
        return self._row(Row(self._line, line)) if line and not line.isspace() else ()

    def _cut_end(self) -> list[Row]:
        return list(self._closed(self._open.pop(), QUOTE_OPEN)) if self._open else []

    def _closed(self, line: bytes, fault: str) -> tuple[Row, ...]:
        first_line = self._first_line or self._line
        octets = b"\n".join([*self._open, line])
        self._open.clear()
        self._open_octets = self._first_line = 0
        return self._row(Row(first_line, octets[:KEPT_OF_LONG_ROW] if fault else octets, fault))

    def _row(self, row: Row) -> tuple[Row, ...]:
        if self.header is not None:
            return (row,)
        if row.fault:
            raise ProtocolFault("load.header", rule="the header row never ends", column=1)
        self.header = row
        return ()


def encoding_of(rows: Iterator[bytes]) -> str | None:
    """UTF-8 or GB18030, as most rows say that are not plain ASCII; None when all of them are."""
    in_utf8 = others = 0
    for row in rows:
        if not row.isascii():
            try:
                row.decode()
                in_utf8 += 1
            except UnicodeDecodeError:
                others += 1
    # Chinese text in GB18030 is next to never valid UTF-8, so a tie is a damaged UTF-8 file.
    return None if not in_utf8 + others else "utf-8" if in_utf8 >= others else "gb18030"


def _ends_inside_quotes(line: bytes, inside: bool, delimiter: bytes) -> bool:
    """Whether a line that began inside a quoted cell, or outside, ends inside one, as Python's csv module reads it."""
    position = 0
    opening = delimiter + b'"'
    if not inside:
        position = 1 if line.startswith(b'"') else _behind(line, opening, 0)
    while position > 0 or inside:
        quote = line.find(b'"', position)
        if quote < 0:
            return True
        if line[quote + 1 : quote + 2] == b'"':
            position = quote + 2
            inside = True
            continue
        inside = False
        position = _behind(line, opening, quote + 1)
    return False


def _behind(line: bytes, sought: bytes, start: int) -> int:
    found = line.find(sought, start)
    return 0 if found < 0 else found + len(sought)


def _check_form(first: bytearray) -> None:
    for magic, form in _OTHER_FORMS:
        if first.startswith(magic):
            raise ProtocolFault("load.wrong_form", form=form)
