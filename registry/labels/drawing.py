"""One label as SVG, for screens and word processors, and its symbol as PNG, for programs that know nothing better."""

import html
import struct
import zlib
from typing import Final

from registry.labels.label import Label
from registry.labels.symbol import QUIET, Modules

MODULE_MM: Final = 0.5  # Of matrices: what phones read at a forearm's length.
BAR_MM: Final = 0.33  # Of bars: X of an EAN symbol at its nominal size (GS1 General Specifications, 5.12).
BAR_HEIGHT: Final = 46  # Modules: 15 mm.
PIXELS: Final = 6  # A module of a PNG, across.
TEXT: Final = 4  # Modules: the height of a line of text under a matrix; of bars a little more, for they are finer.
_TEXT_OF_BARS: Final = 8

_SVG: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width_mm:g}mm" height="{height_mm:g}mm" '
    'viewBox="0 0 {width} {height:g}" shape-rendering="crispEdges"><rect width="100%" height="100%" fill="#fff"/>'
    '<path d="{path}"/><text x="{middle:g}" y="{line:g}" font-size="{size:g}" text-anchor="middle" '
    'font-family="ui-monospace,Menlo,Consolas,monospace"{fit}>{text}</text></svg>\n'
)


def svg(label: Label) -> bytes:
    """A label with its text, in millimetres."""
    modules, quiet, linear = label.modules, QUIET[label.symbology], label.symbology.linear
    row_height = BAR_HEIGHT if linear else 1
    size = _TEXT_OF_BARS if linear else TEXT
    top = 1 if linear else quiet
    width, below = modules.width + 2 * quiet, top + len(modules.rows) * row_height
    height, module = below + size * 1.6, BAR_MM if linear else MODULE_MM
    path = "".join(
        f"M{first + quiet} {row * row_height + top}h{length}v{row_height}h-{length}z"
        for row, first, length in modules.runs()
    )
    # A letter of such fonts is 0.6 of its size wide; a longer name is pressed into the width that there is.
    wide = len(label.text) * size * 0.6 > width - 2
    fit = f' textLength="{width - 2}" lengthAdjust="spacingAndGlyphs"' if wide else ""
    return _SVG.format(
        width_mm=width * module,
        height_mm=height * module,
        width=width,
        height=height,
        path=path,
        middle=width / 2,
        line=below + size * 1.1,
        size=size,
        fit=fit,
        text=html.escape(label.text),
    ).encode()


def png(label: Label) -> bytes:
    """The symbol alone, in black and white, with its size in it."""
    modules, quiet = label.modules, QUIET[label.symbology]
    linear = label.symbology.linear
    top, repeats = (0, BAR_HEIGHT) if linear else (quiet, 1)
    width = (modules.width + 2 * quiet) * PIXELS
    light = b"\xff" * ((width + 7) // 8)
    lines = [light] * (top * PIXELS)
    for row in modules.rows:
        lines += [_pixels(modules, row, quiet, width)] * (repeats * PIXELS)
    lines += [light] * (top * PIXELS)
    per_metre = round(PIXELS / (BAR_MM if linear else MODULE_MM) * 1000)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(lines), 1, 0, 0, 0, 0)),
            _chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)),
            _chunk(b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines))),
            _chunk(b"IEND", b""),
        )
    )


def widened(modules: Modules, row: int, times: int) -> int:
    """A row whose modules are each so many dots wide."""
    bits = f"{row:0{modules.width}b}"
    return int("".join(bit * times for bit in bits), 2)


def _pixels(modules: Modules, row: int, quiet: int, width: int) -> bytes:
    """A line of pixels, dark ones 0, filled up to whole octets."""
    dark = widened(modules, row, PIXELS) << (quiet * PIXELS)
    spare = -width % 8
    return (((1 << width) - 1 - dark) << spare).to_bytes((width + 7) // 8, "big")


def _chunk(name: bytes, octets: bytes) -> bytes:
    return struct.pack(">I", len(octets)) + name + octets + struct.pack(">I", zlib.crc32(name + octets))
