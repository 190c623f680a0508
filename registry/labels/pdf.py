"""Sheets of labels as PDF (ISO 32000-1), written page by page: whatever the number of labels, one page is in memory.

A4 with the usual cut of sticky sheets: three by eight for matrices, two by eight for bars, which are wider.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from registry.labels.label import Label
from registry.labels.symbol import QUIET

MM: Final = 72 / 25.4  # Points.
WIDTH, HEIGHT = 210 * MM, 297 * MM
ROWS: Final = 8
COLUMNS_OF_MATRICES: Final = 3
COLUMNS_OF_BARS: Final = 2
_SIDE: Final = 26 * MM  # Of a matrix with its quiet zone, at most.
_MODULE: Final = 0.6 * MM
_BAR: Final = 0.33 * MM
_MARGIN: Final = 4 * MM
_BAR_HEIGHT: Final = 18 * MM
_SIZE: Final = 7.5  # Points of text; a letter of Courier is 0.6 of it wide, one of Chinese is a square.
_LINES: Final = 7  # Of text on one label; what is longer is in the symbol.

_CATALOG, _PAGES, _LATIN, _CHINESE, _DESCENDANT = 1, 2, 3, 4, 5
_FIRST_FREE: Final = 6
# Chinese is left to the reader's own fonts (ISO 32000-1, 9.7.5.2): every one that shows it has them.
_FONTS: Final = {
    _LATIN: b"<</Type/Font/Subtype/Type1/BaseFont/Courier/Encoding/WinAnsiEncoding>>",
    _CHINESE: b"<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UTF16-H/DescendantFonts[5 0 R]>>",
    _DESCENDANT: b"<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/CIDSystemInfo"
    b"<</Registry(Adobe)/Ordering(GB1)/Supplement 4>>/DW 1000/W[1 95 600]>>",
}


@dataclass(frozen=True, slots=True)
class _Cell:
    """A place on the sheet, from its lower left corner."""

    x: float
    y: float
    width: float
    height: float


def pdf(labels: Iterable[Label]) -> Iterator[bytes]:
    """The octets of a document with these labels, which are all of one symbology."""
    written = _Written()
    yield written.opened()
    pages: list[int] = []
    numbers = count(_FIRST_FREE)
    for sheet in _sheets(labels):
        page, drawn = next(numbers), next(numbers)
        pages.append(page)
        content = zlib.compress("".join(_drawn(label, cell) for label, cell in sheet).encode("ascii"))
        yield written.thing(
            page,
            f"<</Type/Page/Parent {_PAGES} 0 R/MediaBox[0 0 {WIDTH:.2f} {HEIGHT:.2f}]/Contents {drawn} 0 R"
            f"/Resources<</Font<</L {_LATIN} 0 R/C {_CHINESE} 0 R>>>>>>".encode("ascii"),
        )
        head = f"<</Length {len(content)}/Filter/FlateDecode>>stream\n".encode("ascii")
        yield written.thing(drawn, head + content + b"\nendstream")
    kids = " ".join(f"{page} 0 R" for page in pages)
    yield written.thing(_PAGES, f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode("ascii"))
    yield written.closed()


class _Written:
    """What of a document is written: where each of its numbered objects begins."""

    def __init__(self) -> None:
        self._length = 0
        self._places: dict[int, int] = {}

    def opened(self) -> bytes:
        begin = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
        self._length = len(begin)
        catalog = self.thing(_CATALOG, f"<</Type/Catalog/Pages {_PAGES} 0 R>>".encode("ascii"))
        return begin + catalog + b"".join(self.thing(number, font) for number, font in _FONTS.items())

    def thing(self, number: int, octets: bytes) -> bytes:
        """An indirect object."""
        whole = b"%d 0 obj\n%b\nendobj\n" % (number, octets)
        self._places[number] = self._length
        self._length += len(whole)
        return whole

    def closed(self) -> bytes:
        size = len(self._places) + 1
        lines = b"".join(b"%010d 00000 n \n" % self._places[number] for number in range(1, size))
        table = b"xref\n0 %d\n0000000000 65535 f \n%b" % (size, lines)
        return b"%btrailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (table, size, _CATALOG, self._length)


def _sheets(labels: Iterable[Label]) -> Iterator[list[tuple[Label, _Cell]]]:
    sheet: list[tuple[Label, _Cell]] = []
    for label in labels:
        columns = COLUMNS_OF_BARS if label.symbology.linear else COLUMNS_OF_MATRICES
        row, column = divmod(len(sheet), columns)
        width, height = WIDTH / columns, HEIGHT / ROWS
        sheet.append((label, _Cell(column * width, HEIGHT - (row + 1) * height, width, height)))
        if len(sheet) == columns * ROWS:
            yield sheet
            sheet = []
    if sheet:
        yield sheet


def _drawn(label: Label, cell: _Cell) -> str:
    return _bars(label, cell) if label.symbology.linear else _matrix(label, cell)


def _matrix(label: Label, cell: _Cell) -> str:
    """The symbol on the left, the text beside it."""
    modules, quiet = label.modules, QUIET[label.symbology]
    across = modules.width + 2 * quiet
    module = min(_MODULE, _SIDE / across)
    x, top = cell.x + _MARGIN, cell.y + (cell.height + across * module) / 2
    left, first = x + quiet * module, top - quiet * module
    runs = "".join(
        f"{left + column * module:.3f} {first - (row + 1) * module:.3f} {length * module:.3f} {module:.3f} re\n"
        for row, column, length in modules.runs()
    )
    beside = x + across * module + 1.5 * MM
    lines = _broken(label.text, cell.x + cell.width - _MARGIN - beside)
    middle = cell.y + cell.height / 2 + (len(lines) - 1) * _SIZE * 0.65 - _SIZE * 0.3
    return f"{runs}f\n" + _text(lines, beside, middle)


def _bars(label: Label, cell: _Cell) -> str:
    """The symbol, and the text under it."""
    modules, quiet = label.modules, QUIET[label.symbology]
    module = min(_BAR, (cell.width - 2 * _MARGIN) / (modules.width + 2 * quiet))
    left, bottom = cell.x + (cell.width - modules.width * module) / 2, cell.y + (cell.height - _BAR_HEIGHT) / 2
    runs = "".join(
        f"{left + column * module:.3f} {bottom:.3f} {length * module:.3f} {_BAR_HEIGHT:.3f} re\n"
        for _, column, length in modules.runs()
    )
    return f"{runs}f\n" + _text(_broken(label.text, modules.width * module)[:2], left, bottom - 1.2 * _SIZE)


def _broken(text: str, width: float) -> Sequence[str]:
    """A text in lines of a width."""
    lines, line, used = [], "", 0.0
    for character in text:
        needed = _SIZE * (0.6 if character.isascii() else 1.0)
        if line and used + needed > width:
            lines.append(line)
            line, used = "", 0.0
        line += character
        used += needed
    return [*lines, line][:_LINES]


def _text(lines: Sequence[str], x: float, y: float) -> str:
    """Lines of text from their first base line on; in Chinese letters where one needs them."""
    shown = "".join(f"{_string(line)} Tj T*\n" for line in lines)
    font = "L" if all(map(str.isascii, lines)) else "C"
    if font == "C":
        shown = "".join(f"<{line.encode('utf-16-be').hex()}> Tj T*\n" for line in lines)
    return f"BT /{font} {_SIZE} Tf {_SIZE * 1.3:.2f} TL {x:.2f} {y:.2f} Td\n{shown}ET\n"


def _string(line: str) -> str:
    return f"<{line.encode('ascii', 'replace').hex()}>"
