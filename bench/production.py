"""The days of the demo's production, and the clock and shifts of a mill that never stops."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

START = date(2024, 5, 1)
DAYS = 500
"""Production is spread over this many days. More records mean more a day, so that dates never reach the future."""

SHIFTS = ("甲", "乙", "丙")
_SHIFT_MINUTES = 8 * 60


@dataclass(frozen=True, slots=True)
class Day:
    """A day in the two forms that suffixes and values write it."""

    compact: str
    iso: str


# Production days, and what happens in the months after them: service, weaving, transport.
@lru_cache(maxsize=2 * DAYS)
def day_of(number: int) -> Day:
    """The day with this number, counted from the first day of production."""
    day = START + timedelta(days=number)
    return Day(f"{day:%Y%m%d}", day.isoformat())


def moment(day: int, minute: int) -> str:
    """A minute of a day as a timestamp in China's time."""
    return f"{day_of(day).iso}T{minute // 60:02d}:{minute % 60:02d}:00+08:00"


def shift_of(minute: int) -> str:
    """The shift (班次) that is at work in this minute of the day."""
    return SHIFTS[minute // _SHIFT_MINUTES]
