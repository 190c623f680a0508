"""A label in ZPL II, the language that label printers of most makers understand: one format, `^XA` to `^XZ`.

The symbol is sent as dots: every printer puts them down alike, whatever version of a symbology it has built in.
"""

from typing import Final

from registry.labels.drawing import widened
from registry.labels.label import Label
from registry.labels.symbol import QUIET

DOTS_PER_MM: Final = 8  # 203 dots an inch, the usual printer; a finer one prints the same label smaller.
MATRIX_DOTS: Final = 5  # A module: 0.625 mm.
BAR_DOTS: Final = 2  # A module: 0.25 mm, the least that is allowed in trade, so that a long key fits on 100 mm.
BAR_HEIGHT: Final = 160  # Dots: 20 mm.
_TEXT: Final = 24  # Dots: 3 mm.
_MARGIN: Final = 2 * DOTS_PER_MM


def zpl(label: Label) -> bytes:
    modules, linear = label.modules, label.symbology.linear
    dots = BAR_DOTS if linear else MATRIX_DOTS
    left = max(_MARGIN, QUIET[label.symbology] * dots)
    octets = (modules.width * dots + 7) // 8
    lines = BAR_HEIGHT if linear else len(modules.rows) * dots
    again = ":" * (lines // len(modules.rows) - 1)  # The line before once more.
    spare = octets * 8 - modules.width * dots
    drawn = "".join(f"{widened(modules, row, dots) << spare:0{2 * octets}X}{again}" for row in modules.rows)
    width = max(octets * 8 + 2 * left, 2 * _MARGIN + len(label.text) * _TEXT * 5 // 8)
    below = left + lines + _TEXT // 2
    return (
        f"^XA^CI28^PW{width}^LL{below + _TEXT + _MARGIN}"
        f"^FO{left},{left}^GFA,{octets * lines},{octets * lines},{octets},{drawn}^FS"
        f"^FO{_MARGIN},{below}^A0N,{_TEXT},{_TEXT}^FH_^FD{_escaped(label.text)}^FS^XZ\n"
    ).encode()


def _escaped(text: str) -> str:
    """A text in which nothing is a command."""
    return "".join(
        character if character.isascii() and character.isprintable() and character not in "^~_\\"
        else "".join(f"_{octet:02X}" for octet in character.encode())
        for character in text
    )  # fmt: skip
