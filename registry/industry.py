"""Industry codes: the four levels of GB/T 4754-2017, as a secondary node reports them of its templates.

A code is a division (28), group (282) or class (2822), perhaps behind the letter of its section (C2822).
"""

import re
from typing import Final

_CODE: Final = re.compile(r"([A-T]?)([0-9]{2,4})")

# The last division of each section.
_SECTIONS: Final = (
    ("A", 5), ("B", 12), ("C", 43), ("D", 46), ("E", 50), ("F", 52), ("G", 60), ("H", 62), ("I", 65), ("J", 69),
    ("K", 70), ("L", 72), ("M", 75), ("N", 79), ("O", 82), ("P", 83), ("Q", 85), ("R", 90), ("S", 96), ("T", 97),
)  # fmt: skip


def levels(code: str) -> tuple[str, ...]:
    """Section, division, group and class, as far as the code says. Raises ValueError for what is no code."""
    found = _CODE.fullmatch(code)
    if found is None:
        raise ValueError("is two to four digits of GB/T 4754, perhaps behind the letter of the section")
    letter, digits = found[1], found[2]
    division = int(digits[:2])
    section = next((name for name, last in _SECTIONS if division <= last), None)
    if section is None or division == 0:
        raise ValueError(f"has no section: there is no division {digits[:2]} in GB/T 4754-2017")
    if letter and letter != section:
        raise ValueError(f"is of section {section}, not {letter}")
    return (section, *[digits[:length] for length in range(2, len(digits) + 1)])
