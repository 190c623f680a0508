"""The texts of a workbook that its cells name by number: in memory while they are few, else in a temporary file."""

import re
import tempfile
from array import array
from types import TracebackType
from typing import IO, Final, Self

from registry.errors import ProtocolFault
from registry.rows import MAX_ROW
from registry.workbook_xml import parse

MAX_IN_MEMORY: Final = 32 << 20  # Octets; the strings of some hundred thousand rows.
MAX_STRINGS: Final = 50_000_000  # Their places take 400 MB in memory; the largest sheet has a million rows.

_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


def unescaped(text: str) -> str:
    """A text as a spreadsheet program shows it: `_x000A_` stands for a character that XML cannot hold."""
    return _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text) if "_x" in text else text


class SharedStrings:
    """Texts by number. A context manager: the temporary file ends with it."""

    def __init__(self) -> None:
        self._octets = tempfile.SpooledTemporaryFile(max_size=MAX_IN_MEMORY)  # noqa: SIM115  # closed by __exit__
        self._ends = array("Q", [0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._octets.close()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def get(self, number: int) -> str:
        """Raises IndexError."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        start, end = self._ends[number], self._ends[number + 1]
        self._octets.seek(start)
        return self._octets.read(end - start).decode()

    def read(self, part: IO[bytes]) -> None:
        """Takes in the part that holds them. Raises ProtocolFault."""
        gatherer = _Gatherer(self)
        for _ in parse(part, gatherer.start, gatherer.end, gatherer.text):
            if len(self) > MAX_STRINGS:
                raise ProtocolFault("load.workbook", reason=f"more than {MAX_STRINGS} texts")

    def add(self, text: str) -> None:
        octets = text.encode(errors="replace")
        self._octets.write(octets)
        self._ends.append(self._ends[-1] + len(octets))


class _Gatherer:
    """Puts a text together from its runs; how it is pronounced is left out."""

    def __init__(self, strings: SharedStrings) -> None:
        self._strings = strings
        self._parts: list[str] = []
        self._length = 0
        self._in_text = False
        self._in_phonetic = False

    def start(self, name: str, _: dict[str, str]) -> None:
        if name == "si":
            self._parts, self._length = [], 0
        self._in_phonetic |= name == "rPh"
        self._in_text = name == "t" and not self._in_phonetic

    def end(self, name: str) -> None:
        self._in_text = False
        if name == "rPh":
            self._in_phonetic = False
        elif name == "si":
            self._strings.add(unescaped("".join(self._parts)))

    def text(self, text: str) -> None:
        # One that is longer than a row may be is cut: the row that names it will be refused for its length.
        if self._in_text and self._length <= MAX_ROW:
            self._parts.append(text)
            self._length += len(text)
