"""Machines and their spindles: those that stand in a fibre mill, and those that an equipment maker ships.

A spindle (锭位) is identified under its machine, `E.WINDER.A12` and `E.WINDER.A12.07`, because that pair is what a
streak in a fabric is traced back to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from bench import vocabulary as v
from bench.enterprises import Enterprise
from bench.production import DAYS, day_of
from bench.vocabulary import Record, page

SPINDLES = 24
"""A winding module takes up 24 cakes at once."""

RECORDS_PER_MACHINE = 1 + SPINDLES

_BEARINGS = ("6006-2RZ", "6204-C3", "7005C/P4", "61905-2RS")


@dataclass(frozen=True, slots=True)
class MachineType:
    """A kind of machine: its word in the suffix, its name in the mill, its models."""

    word: str
    name: str
    models: tuple[str, ...]


WINDER = MachineType("WINDER", "高速卷绕机", ("JW-1824", "JW-1824S", "HD-24/1200"))
TEXTURER = MachineType("TEXTURER", "高速加弹机", ("JT-288V", "JT-336", "HD-1000M"))
SPINNER = MachineType("SPINNER", "纺丝机", ("JS-32B", "HD-FS24", "JS-48"))
TYPES = (WINDER, TEXTURER, SPINNER)


def machine_records(
    handle: str, kind: MachineType, maker: str, day: int, facts: tuple[v.Value, ...], chance: Random
) -> Iterator[Record]:
    """The machine and its spindles; `facts` are the values that only this owner's machines have."""
    model = kind.models[int(chance.random() * len(kind.models))]
    made = (*v.MADE_AT, day_of(day).iso)
    name = (*v.PRODUCT, kind.name)
    yield Record(handle, (page(handle), name, made, (*v.MODEL, model), (*v.MAKER, maker), *facts))
    product, link, bearings = (*v.PRODUCT, f"{kind.name}锭位"), (*v.MACHINE, handle), len(_BEARINGS)
    for spindle in range(1, SPINDLES + 1):
        bearing = _BEARINGS[int(chance.random() * bearings)]
        serviced = day_of(day + int(chance.random() * 90)).iso
        values = (product, link, made, (*v.SERVICED_AT, serviced), (*v.BEARING, bearing))
        yield Record(f"{handle}.{spindle:02d}", values)


def consignment(enterprise: Enterprise, ordinal: int, chance: Random) -> Iterator[Record]:
    """One machine leaves the works: its record and those of its spindles."""
    kind = TYPES[(enterprise.number + ordinal) % len(TYPES)]
    day = ordinal % DAYS
    number = f"{day_of(day).compact[2:6]}{ordinal + 1:05d}"
    handle = f"{enterprise.prefix}/E.{kind.word}.{number}"
    facts = ((*v.ASSET, f"出厂编号 {number}"),)
    yield from machine_records(handle, kind, enterprise.name_zh, day, facts, chance)


def count_before(ordinal: int) -> int:
    """How many records the consignments before this one hold."""
    return ordinal * RECORDS_PER_MACHINE
