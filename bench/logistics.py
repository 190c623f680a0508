"""Vehicles, and transport units (运输单元): the pallets that went from a mill to a customer on one lorry."""

from collections.abc import Iterator
from random import Random

from bench import vocabulary as v
from bench.enterprises import Enterprise
from bench.fibre import Supply, pallet_handle
from bench.production import DAYS, day_of, moment
from bench.vocabulary import Record, page

UNITS = 8
VEHICLES = 30
PALLETS_PER_LORRY = 30

_DESTINATIONS = ("绍兴柯桥", "苏州盛泽", "海宁许村", "湖州织里", "南通家纺城", "萧山衙前", "长兴夹浦", "福建长乐")
_MODELS = ("9.6 米厢式货车", "13 米半挂车", "7.6 米厢式货车")
_PALLET_KG = 560


def consignment(enterprise: Enterprise, ordinal: int, supply: Supply, chance: Random) -> Iterator[Record]:
    """A day's transport units of one vehicle, after the vehicle where it is its first."""
    vehicle = f"{enterprise.prefix}/V.{ordinal % VEHICLES + 1:03d}"
    if ordinal < VEHICLES:
        yield _vehicle(enterprise, vehicle, ordinal)
    for number in range(ordinal * UNITS + 1, (ordinal + 1) * UNITS + 1):
        yield _transport_unit(enterprise, vehicle, number, supply, chance)


def count_before(ordinal: int) -> int:
    """How many records the consignments before this one hold."""
    return ordinal * UNITS + min(ordinal, VEHICLES)


def _vehicle(enterprise: Enterprise, handle: str, ordinal: int) -> Record:
    values = (
        (*v.PRODUCT, _MODELS[ordinal % len(_MODELS)]),
        (*v.ASSET, f"TX{enterprise.number:02d}-{ordinal + 1:03d}"),
        (*v.SERVICED_AT, day_of(ordinal * 7).iso),
        (*v.CARRIER, enterprise.name_zh),
    )
    return Record(handle, values)


def _transport_unit(enterprise: Enterprise, vehicle: str, number: int, supply: Supply, chance: Random) -> Record:
    mill, newest = supply()
    # Numbers that follow each other lie on days that follow each other, up to the end of a round.
    oldest = max(newest - PALLETS_PER_LORRY + 1, newest - newest % DAYS)
    members = [pallet_handle(mill, pallet) for pallet in range(oldest, newest + 1)]
    day = newest % DAYS + 1 + int(chance.random() * 5)
    handle = f"{enterprise.prefix}/T.{day_of(day).compact}.{number:06d}"
    values = (
        page(handle),
        (*v.MEMBERS, "\n".join(members)),
        (*v.VEHICLE, vehicle),
        (*v.CARRIER, enterprise.name_zh),
        (*v.ORIGIN, mill.name_zh),
        (*v.DESTINATION, _DESTINATIONS[int(chance.random() * len(_DESTINATIONS))]),
        (*v.DEPARTED_AT, moment(day, int(chance.random() * 24 * 60))),
        (*v.LOAD_KG, str(len(members) * _PALLET_KG)),
    )
    return Record(handle, values)
