"""What stands in a cell of a sheet, as the text that a person sees.

A cell that does not hold what it shows (a formula, an error, a number longer than spreadsheets can keep) is not
guessed at: it becomes the rule that refuses its row.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from registry.shared_strings import SharedStrings, unescaped

Cell = str | dict[str, Any]

MAX_DIGITS: Final = 15  # What a spreadsheet keeps of a number; an identifier typed as one has lost the rest.
MAX_SHOWN: Final = 200  # Characters of a formula in a refusal.
_DAY: Final = 86_400
# Day 0. Spreadsheets count a 29 February 1900 that never was; no date before it is meant.
_EPOCH_1900: Final = datetime(1899, 12, 30)
_EPOCH_1904: Final = datetime(1904, 1, 1)
_LAST_DAY: Final = 2_958_465  # 9999-12-31


@dataclass(frozen=True, slots=True)
class Convention:
    """What a workbook says about all of its cells: its texts, which styles are dates, and what day 0 is."""

    strings: SharedStrings
    date_styles: Collection[int] = field(default_factory=frozenset)
    from_1904: bool = False

    def cell(self, place: str, kind: str, style: str, formula: str | None, value: str) -> Cell:
        """The text of a cell of this kind (attribute `t`), style and content, or why there is none."""
        if formula is not None:
            return {"rule": "load.formula", "cell": place, "shown": f"={formula[:MAX_SHOWN]}"}
        if kind == "s":
            try:
                return self.strings.get(int(value)) if value else ""
            except (ValueError, IndexError):
                return {"rule": "load.row", "reason": f"cell {place} names text {value[:20]!r}, which is not there"}
        if kind in {"str", "inlineStr"}:
            return unescaped(value)
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(value, value)
        if kind == "e":
            return {"rule": "load.cell_error", "cell": place, "shown": value[:20]}
        if kind == "d" or not value:
            return value
        return self._number(place, style, value)

    def _number(self, place: str, style: str, value: str) -> Cell:
        try:
            number = float(value)
        except ValueError:
            return {"rule": "load.row", "reason": f"cell {place} holds {value[:20]!r}, which is no number"}
        if style.isdecimal() and int(style) in self.date_styles and 0 <= number <= _LAST_DAY:
            return self._date(number)
        if number.is_integer() and abs(number) < 10**MAX_DIGITS:
            return str(int(number))
        if abs(number) >= 10**MAX_DIGITS:
            return {"rule": "load.number", "cell": place, "shown": value[:40], "digits": MAX_DIGITS}
        return repr(float(f"{number:.15g}"))

    def _date(self, number: float) -> str:
        seconds = round(number * _DAY)
        moment = (_EPOCH_1904 if self.from_1904 else _EPOCH_1900) + timedelta(seconds=seconds)
        if number < 1:
            return moment.strftime("%H:%M:%S")
        return moment.strftime("%Y-%m-%d" if seconds % _DAY == 0 else "%Y-%m-%d %H:%M:%S")
