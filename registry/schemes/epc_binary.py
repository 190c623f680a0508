"""EPCs as the memory of RFID tags holds them, in the hexadecimal figures that readers send (EPC Tag Data Standard,
section 14), and the GS1 keys that they say.

A header says which scheme it is; filter and partition follow, and the partition says how many figures of the key are
the company's. Schemes of which a tag says a part as text are read where text is a serial number alone: SGTIN-198.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_COMPANY_BITS: Final = (40, 37, 34, 30, 27, 24, 20)  # By partition;
_COMPANY_FIGURES: Final = (12, 11, 10, 9, 8, 7, 6)  # section 14.3.
_HEADER, _FILTER, _PARTITION = 8, 3, 3  # Bits.
_CHARACTER: Final = 7  # Bits of a character of a serial number that is text (section 14.4.2).
_PADDED: Final = {96: (24,), 198: (50, 52)}  # Figures in which so many bits are sent: whole octets, or whole words.
_SHAPE: Final = re.compile("[0-9A-F]{24}|[0-9A-F]{50}|[0-9A-F]{52}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Layout:
    """`key` is how many bits company and reference have together, and how many figures (0: as many as there are);
    `serial` how many bits a serial number has. What is left is reserved, and zero."""

    scheme: str
    key: tuple[int, int]
    serial: int = 0
    bits: int = 96


_LAYOUTS: Final[Mapping[int, _Layout]] = {
    0x2C: _Layout("gdti", (41, 12), 41),
    0x2D: _Layout("gsrn", (58, 17)),
    0x2E: _Layout("gsrnp", (58, 17)),
    0x30: _Layout("sgtin", (44, 13), 38),
    0x31: _Layout("sscc", (58, 17)),
    0x32: _Layout("sgln", (41, 12), 41),
    0x33: _Layout("grai", (44, 12), 38),
    0x34: _Layout("giai", (82, 0)),
    0x36: _Layout("sgtin", (44, 13), 140, 198),
}


class _Bits:
    """The first bits of hexadecimal figures, taken one after the other."""

    def __init__(self, figures: str, length: int) -> None:
        beyond = 4 * len(figures) - length
        self._number = int(figures, 16)
        if self._number & ((1 << beyond) - 1):
            raise ValueError("bits behind the end")
        self._number >>= beyond
        self.left = length

    def take(self, length: int) -> int:
        self.left -= length
        return (self._number >> self.left) & ((1 << length) - 1)


def is_binary(text: str) -> bool:
    """Whether a text is as long as an EPC, and begins with a header that is read here."""
    if _SHAPE.fullmatch(text) is None:
        return False
    layout = _LAYOUTS.get(int(text[:2], 16))
    return layout is not None and len(text) in _PADDED[layout.bits]


def fields_of(text: str) -> tuple[str, Sequence[str]]:
    """The scheme, and the fields of the URN: company, reference, and the serial number of those that have one. Raises
    ValueError for what contradicts itself; `is_binary` was asked before."""
    layout = _LAYOUTS[int(text[:2], 16)]
    bits = _Bits(text, layout.bits)
    bits.take(_HEADER + _FILTER)
    partition = bits.take(_PARTITION)
    if partition >= len(_COMPANY_BITS):
        raise ValueError("partition 7")
    size, figures = layout.key
    company_size, company_figures = _COMPANY_BITS[partition], _COMPANY_FIGURES[partition]
    company = _figures(bits.take(company_size), company_figures)
    reference = bits.take(size - company_size)
    fields = [company, _figures(reference, figures - company_figures) if figures else str(reference)]
    if layout.serial:
        fields.append(_text(bits) if layout.bits > 96 else str(bits.take(layout.serial)))
    if bits.take(bits.left):
        raise ValueError("reserved bits")
    return layout.scheme, fields


def _figures(number: int, length: int) -> str:
    text = str(number).zfill(length) if length else ""
    if len(text) > length or (number and not length):
        raise ValueError(f"{number} has more than {length} figures")
    return text


def _text(bits: _Bits) -> str:
    """Characters up to the first that is none."""
    characters = [chr(bits.take(_CHARACTER)) for _ in range(bits.left // _CHARACTER)]
    text, _, rest = "".join(characters).partition("\0")
    if not text or rest.strip("\0"):
        raise ValueError("no serial number")
    return text
