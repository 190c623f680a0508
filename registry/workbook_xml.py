"""XML of a workbook's parts, read as a stream and never trusted.

Names are taken without their namespace, since writers choose prefixes as they like and a part has one vocabulary. A
document type is refused, and with it every entity.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final
from xml.parsers import expat

from registry.errors import ProtocolFault

PIECE: Final = 1 << 16
# Octets that may be read without anything being complete in them: a tag of the longest legitimate kind is some hundred.
MAX_TAG: Final = 1 << 20

# What zipfile and zlib raise for an archive that is not what its directory says.
DAMAGED: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)

Start = Callable[[str, dict[str, str]], None]
End = Callable[[str], None]
Text = Callable[[str], None]


def parse(part: IO[bytes], start: Start, end: End, text: Text | None = None) -> Iterator[None]:
    """Feeds the handlers; stops after every piece, so that what they gathered can be taken. Raises ProtocolFault."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: start(name.rpartition(":")[2], attributes)
    parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    parser.StartDoctypeDeclHandler = _refuse_document_type
    if text is not None:
        parser.CharacterDataHandler = text
    fed = 0
    while True:
        piece = _read(part)
        try:
            parser.Parse(piece, not piece)
        except expat.ExpatError as error:
            raise ProtocolFault("load.workbook", reason=f"XML: {error}") from None
        yield
        if not piece:
            return
        fed += len(piece)
        if fed - parser.CurrentByteIndex > MAX_TAG:
            raise ProtocolFault("load.workbook", reason=f"an XML tag of more than {MAX_TAG} octets")


def attribute(attributes: dict[str, str], name: str) -> str | None:
    """An attribute by its name without prefix."""
    for key, value in attributes.items():
        if key.rpartition(":")[2] == name:
            return value
    return None


def _read(part: IO[bytes]) -> bytes:
    try:
        return part.read(PIECE)
    except DAMAGED as error:
        raise ProtocolFault("load.workbook", reason=f"the archive is damaged: {error}") from None


def _refuse_document_type(*_: object) -> None:
    raise ProtocolFault("load.workbook", reason="it has a document type, which no workbook needs")
