"""Symbols as modules, dark and light: QR Code (ISO/IEC 18004), Data Matrix (16022) and GS1-128 (15417).

Made by zint in some ten microseconds each. What is drawn, and at what size, is for the modules that draw.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

import zint

from registry.errors import InvalidHandle


class Symbology(Enum):
    """By the name that requests have for it."""

    QR = "qr"
    DATAMATRIX = "datamatrix"
    GS1_128 = "gs1-128"

    @property
    def linear(self) -> bool:
        return self is Symbology.GS1_128


# Light modules around a symbol, without which it is not found. For a Data Matrix one is enough, on clean paper.
QUIET: Final = {Symbology.QR: 4, Symbology.DATAMATRIX: 2, Symbology.GS1_128: 10}
_ZINT: Final = {
    Symbology.QR: zint.Symbology.QRCODE,
    Symbology.DATAMATRIX: zint.Symbology.DATAMATRIX,
    Symbology.GS1_128: zint.Symbology.GS1_128,
}
_MEDIUM: Final = 2  # Of QR: 15 % of a symbol may be unreadable, which is what printers in workshops ask for.
_UTF_8: Final = 26  # Assignment number of AIM's extended channel interpretations.


@dataclass(frozen=True, slots=True)
class Modules:
    """Rows of modules, each a number whose bits are dark, the highest of `width` the leftmost."""

    width: int
    rows: tuple[int, ...]

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """The dark runs: row, first column, length."""
        for number, row in enumerate(self.rows):
            bits = f"{row:0{self.width}b}"
            place = bits.find("1")
            while place >= 0:
                end = bits.find("0", place)
                end = self.width if end < 0 else end
                yield number, place, end - place
                place = bits.find("1", end)


@dataclass(frozen=True, slots=True)
class Content:
    """What a symbol holds: a text, or elements of GS1, application identifiers and their values."""

    text: str = ""
    elements: tuple[tuple[str, str], ...] = ()


def modules_of(symbology: Symbology, content: Content) -> Modules:
    """Raises InvalidHandle for what no symbol can hold."""
    symbol = zint.Symbol()
    symbol.symbology = _ZINT[symbology]
    if symbology is Symbology.QR:
        symbol.option_1 = _MEDIUM
    if symbology is Symbology.DATAMATRIX:
        symbol.option_3 = zint.DataMatrixOptions.SQUARE
    if content.elements:
        # Checked where the key was read: zint knows fewer identifiers than the standard has by now.
        symbol.input_mode = zint.InputMode.GS1 | zint.InputMode.GS1NOCHECK
        text = "".join(f"[{ai}]{value}" for ai, value in content.elements)
    else:
        symbol.input_mode = zint.InputMode.UNICODE
        text = content.text
        if not text.isascii():
            symbol.eci = _UTF_8
    try:
        symbol.encode(text)
    except RuntimeError:
        raise InvalidHandle("label.too_long", handle=text[:80], symbol=symbology.value) from None
    return Modules(symbol.width, tuple(_rows(symbol.encoded_data, symbol.rows, symbol.width)))


def _rows(encoded: memoryview, rows: int, width: int) -> Iterator[int]:
    """The rows that zint made: modules from the lowest bit of the first octet on."""
    octets, stride = encoded.tobytes(), encoded.shape[1] if encoded.shape else 0
    for begin in range(0, rows * stride, stride):
        bits = f"{int.from_bytes(octets[begin : begin + (width + 7) // 8], 'little'):0{width}b}"
        yield int(bits[-width:][::-1], 2)
