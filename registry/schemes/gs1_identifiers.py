"""GS1 application identifiers: what each says a value is made of (GS1 General Specifications, section 3.2).

A specification is in the standard's notation: N figures, X character set 82, Y set 39, Z the URL-safe base64 alphabet,
each with a length or a largest one (`..20`); a part in brackets may be absent; behind a comma stand the part's checks
(`gs1_checks`). A star marks a value of known length, which no separator ends.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from registry.errors import InvalidHandle
from registry.schemes.gs1_checks import CHECKS

MAX_SHOWN: Final = 100  # Characters of a stranger's value that a refusal repeats; no value is longer than 90.

_SPECIFICATIONS: Final[dict[str, str]] = {
    "00": "*N18,digit",
    **dict.fromkeys(("01", "02", "03"), "*N14,digit"),
    **dict.fromkeys(("11", "12", "13", "15", "16", "17"), "*N6,date"),
    "20": "*N2",
    **dict.fromkeys(("10", "21", "22", "243", "254", "420", "4318", "7020", "7021", "7022", "7240"), "X..20"),
    "235": "X..28",
    **dict.fromkeys(("240", "241", "250", "251", "400", "403", "4308", "4319", "7002", "90"), "X..30"),
    "242": "N..6",
    "253": "N13,digit,prefix [X..17]",
    "255": "N13,digit,prefix [N..12]",
    **dict.fromkeys(("30", "37"), "N..8"),
    # Measures: the last figure of the identifier says how many of the value stand behind the decimal point.
    **{
        f"{measure}{decimals}": "*N6"
        for measures in (range(310, 317), range(320, 338), range(340, 358), range(360, 370))
        for measure in measures
        for decimals in range(6)
    },
    **{f"390{decimals}": "N..15" for decimals in range(10)},
    **{f"391{decimals}": "N3 N..15" for decimals in range(10)},
    **{f"392{decimals}": "N..15" for decimals in range(10)},
    **{f"393{decimals}": "N3 N..15" for decimals in range(10)},
    **{f"394{decimals}": "N4" for decimals in range(4)},
    **{f"395{decimals}": "N6" for decimals in range(6)},
    **dict.fromkeys(("401", "7023", "8004"), "X..30,prefix"),
    "402": "N17,digit",
    **dict.fromkeys(("410", "411", "412", "413", "414", "415", "416", "417"), "*N13,digit"),
    "421": "N3 X..9",
    **dict.fromkeys(("422", "424", "426"), "N3"),
    **dict.fromkeys(("423", "425"), "N3 [N3] [N3] [N3] [N3]"),
    "427": "X..3",
    **dict.fromkeys(("4300", "4301", "4310", "4311", "4320"), "X..35"),
    **dict.fromkeys(("4302", "4303", "4304", "4305", "4306"), "X..70"),
    **dict.fromkeys(("4312", "4313", "4314", "4315", "4316"), "X..70"),
    **dict.fromkeys(("4307", "4317"), "Y2"),
    "4309": "N10 N10",
    **dict.fromkeys(("4321", "4322", "4323"), "N1,yes"),
    **dict.fromkeys(("4324", "4325"), "N6,date N4"),
    "4326": "N6,day",
    **dict.fromkeys(("4330", "4331", "4332", "4333"), "N6 [-]"),
    "7001": "N13",
    "7003": "N6,day N4,time",
    "7004": "N..4",
    "7005": "X..12",
    "7006": "N6,day",
    "7007": "N6,day [N6,day]",
    "7008": "X..3",
    "7009": "X..10",
    "7010": "X..2",
    "7011": "N6,day [N4,time]",
    **{f"703{number}": "N3 X..27" for number in range(10)},
    "7040": "N1 X1 X1 X1",
    "7041": "X..4",
    **{f"71{number}": "X..20" for number in range(8)},
    **{f"723{number}": "X2 X..28" for number in range(10)},
    "7241": "N2",
    "7242": "X..25",
    "7250": "N2 N6,day",
    "7251": "N2 N6,day N4,time",
    "7252": "N1",
    **dict.fromkeys(("7253", "7254", "7259"), "X..40"),
    "7255": "X..10",
    "7256": "X..90",
    "7257": "X..70",
    "7258": "N1 [/] N1",
    "8001": "N4 N5 N3 N1 N1",
    "8002": "X..20",
    "8003": "N1,zero N13,digit,prefix [X..16]",
    "8005": "N6",
    **dict.fromkeys(("8006", "8026"), "N14,digit N4,piece"),
    "8007": "X..34",
    "8008": "N6,day N2,time [N2,minute] [N2,minute]",
    "8009": "X..50",
    "8010": "Y..30,prefix",
    "8011": "N..12,number",
    "8012": "X..20",
    **dict.fromkeys(("8013", "8014"), "X..25,prefix,pair"),
    **dict.fromkeys(("8017", "8018"), "N18,digit"),
    "8019": "N..10",
    "8020": "X..25",
    "8030": "Z..90",
    **dict.fromkeys(("8040", "8041"), "N15"),
    "8042": "N32",
    "8043": "N18 [N..2]",
    **dict.fromkeys(("8110", "8112", "8200"), "X..70"),
    "8111": "N4",
    **{f"9{number}": "X..90" for number in range(1, 10)},
}
_CLASSES: Final = {
    "N": "[0-9]",
    "X": r"[!\"%&'()*+,./0-9:;<=>?A-Z_a-z-]",
    "Y": "[#/0-9A-Z-]",
    "Z": "[0-9A-Z_a-z-]",
}
_PART: Final = re.compile(r"(\[)?([NXYZ])(\.\.)?([0-9]+)((?:,[a-z]+)*)\]?|\[([-/])\]")
_LENGTHS: Final = (2, 3, 4)  # Of identifiers; none begins another one.


@dataclass(frozen=True, slots=True)
class Identifier:
    """One application identifier. `form` is its specification without checks, as refusals show it."""

    ai: str
    form: str
    is_ended: bool
    length: int
    pattern: re.Pattern[str]
    checks: tuple[tuple[int, str], ...]

    def check(self, value: str) -> None:
        """Refuses a value that is not of this form, or contradicts itself. Raises InvalidHandle."""
        parts = self.pattern.fullmatch(value)
        if parts is None:
            raise InvalidHandle("gs1.form", ai=self.ai, value=value[:MAX_SHOWN], form=self.form)
        for group, check in self.checks:
            part = parts[group]
            fault = CHECKS[check](part) if part else None
            if fault is not None:
                rule, right = fault
                raise InvalidHandle(f"gs1.{rule}", ai=self.ai, value=value[:MAX_SHOWN], right=right)


@lru_cache(maxsize=1024)  # All of them; a pattern is compiled when it is first asked for.
def find_identifier(ai: str) -> Identifier | None:
    specification = _SPECIFICATIONS.get(ai)
    return None if specification is None else _compiled(ai, specification)


def identifier_of(ai: str) -> Identifier:
    """Raises InvalidHandle for an identifier that the standard does not have."""
    found = find_identifier(ai)
    if found is None:
        raise InvalidHandle("gs1.identifier", ai=ai[:MAX_SHOWN])
    return found


def identifier_at(text: str, begin: int) -> Identifier:
    """The identifier that stands in a text. Raises InvalidHandle."""
    for length in _LENGTHS:
        if (found := find_identifier(text[begin : begin + length])) is not None:
            return found
    raise InvalidHandle("gs1.identifier", ai=text[begin : begin + max(_LENGTHS)])


def _compiled(ai: str, specification: str) -> Identifier:
    pattern, checks, length = "", [], 0
    for group, part in enumerate(_PART.finditer(specification), 1):
        optional, letter, at_most, figures, names, character = part.groups()
        if character:
            pattern += f"({re.escape(character)}{'?' if character == '-' else ''})"
            continue
        several = f"{{{'1,' if at_most else ''}{figures}}}"
        pattern += f"({_CLASSES[letter]}{several}){'?' if optional else ''}"
        checks += [(group, name) for name in names.split(",")[1:]]
        length += int(figures)
    form = re.sub(r",[a-z]+|\*", "", specification)
    return Identifier(ai, form, not specification.startswith("*"), length, re.compile(pattern), tuple(checks))
