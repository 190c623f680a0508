"""Lines of a file gathered into blocks of many, without looking at each: they are split where they are read.

Where a block ends depends on the lines alone, never on the pieces that they came in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from registry.rows import MAX_ROW, TOO_LONG, LineCutter

# A merge of so many rows takes half a second: longer ones would keep readers of the change log from moving on.
BLOCK_LINES: Final = 20_000
BLOCK_OCTETS: Final = 16 << 20  # Bounds memory where lines are long: some copies of three blocks exist at once.


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines, each with its end. `faults` are the rules that lines broke when they were cut, by line."""

    first_line: int
    octets: bytes
    faults: Mapping[int, str] = field(default_factory=dict)

    def rows(self) -> tuple[Sequence[bytes], dict[int, str], Sequence[int]]:
        """The lines that are not blank, the faults of them by place, and their numbers."""
        rows = self.octets.split(b"\n")
        del rows[-1]
        numbers: Sequence[int] = range(self.first_line, self.first_line + len(rows))
        if not all(rows) or any(map(bytes.isspace, rows)):
            filled = [(number, row) for number, row in zip(numbers, rows, strict=True) if row and not row.isspace()]
            numbers, rows = [number for number, _ in filled], [row for _, row in filled]
        faults = {place: self.faults[number] for place, number in enumerate(numbers) if number in self.faults}
        return rows, faults if self.faults else {}, numbers


class BlockCutter(LineCutter):
    """Cuts a file into blocks."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._count = 0
        self._octets = 0
        self._faults: dict[int, str] = {}

    def feed_blocks(self, octets: bytes) -> list[Block]:
        """The blocks that these octets complete. Raises ProtocolFault when the file is of another form."""
        blocks: list[Block] = []
        start, end = 0, octets.rfind(b"\n") + 1
        if end and (self._held or self._overflowed or not self._begun):
            start = octets.find(b"\n") + 1
            self._add_first(octets[: start - 1], blocks)
        if start < end:
            self._add_whole(octets[start:end], blocks)
        self._hold(octets[end:])
        return blocks

    def finish_blocks(self) -> list[Block]:
        """The last blocks."""
        blocks = self.feed_blocks(b"\n") if self._held or self._overflowed else []
        return [*blocks, self._take()] if self._parts else blocks

    def _add_first(self, line: bytes, blocks: list[Block]) -> None:
        """Adds the line that was held back, now that it is whole."""
        line = self._completed(line)
        fault, self._overflowed = TOO_LONG if self._overflowed else "", False
        self._add(line, fault, blocks)

    def _add_whole(self, octets: bytes, blocks: list[Block]) -> None:
        count = octets.count(b"\n")
        if len(octets) <= MAX_ROW and self._fits(count, len(octets)):
            self._parts.append(octets)
            self._count += count
            self._octets += len(octets)
            self._line += count
            return
        for line in octets[:-1].split(b"\n"):
            if len(line) > MAX_ROW:
                self._add_first(line, blocks)
            else:
                self._add(line, "", blocks)

    def _add(self, line: bytes, fault: str, blocks: list[Block]) -> None:
        if not self._fits(1, len(line) + 1):
            blocks.append(self._take())
        self._line += 1
        if fault:
            self._faults[self._line] = fault
        self._parts += (line, b"\n")
        self._count += 1
        self._octets += len(line) + 1

    def _fits(self, count: int, octets: int) -> bool:
        return self._count + count <= BLOCK_LINES and self._octets + octets <= BLOCK_OCTETS

    def _take(self) -> Block:
        block = Block(self._line - self._count + 1, b"".join(self._parts), self._faults)
        self._parts, self._count, self._octets, self._faults = [], 0, 0, {}
        return block
