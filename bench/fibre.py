"""Chemical fibre: cakes packed into boxes, boxes onto a pallet; a batch and a machine when they are first used.

A consignment is one pallet. Consignment number `ordinal` of an enterprise falls on day `ordinal % DAYS`, in round
`ordinal // DAYS`; batch, machine and every handle follow from these two by formula, so that any process can name
the pallets and batches of any other. Records come in the order in which the things come to be, hence a link always
points back and a stream may be cut anywhere.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from random import Random

from bench import vocabulary as v
from bench.enterprises import MAKERS, Enterprise
from bench.machinery import RECORDS_PER_MACHINE, SPINDLES, TEXTURER, WINDER, MachineType, machine_records
from bench.production import DAYS, day_of, moment, shift_of
from bench.vocabulary import Record, page

CAKES_PER_BOX = 6
DOFFS_PER_PALLET = 2
BOXES_PER_DOFF = SPINDLES // CAKES_PER_BOX
BOXES_PER_PALLET = DOFFS_PER_PALLET * BOXES_PER_DOFF
RECORDS_PER_PALLET = BOXES_PER_PALLET * (CAKES_PER_BOX + 1) + 1

# A batch runs for five days and, as the mill grows, over ten pallets a day: 2,400 cakes.
DAYS_PER_BATCH = 5
ROUNDS_PER_BATCH = 10
_BATCHES_PER_ROUND = DAYS // DAYS_PER_BATCH

MACHINES = 40
_MACHINES_PER_LINE = 8
_LINES = "ABCDE"

_DOFF_MINUTES = 8 * 60
_PACKING_MINUTES = 3 * 60

# Cakes below AA are few in a mill that earns its living.
_AA_SHARE, _A_SHARE = 0.93, 0.98
GRADES = ("AA", "A", "合格品")
_GRADE_VALUES = tuple((*v.GRADE, grade) for grade in GRADES)
_DEFECT_VALUES = tuple((*v.DEFECT, defect) for defect in ("毛丝", "油污丝", "成型不良", "绊丝", "色泽不匀"))
_DEFECT_COUNT = len(_DEFECT_VALUES)
# 染判: half of the good cakes are never dyed on trial.
_VERDICT_VALUES = (*((*v.DYE_VERDICT, verdict) for verdict in ("一交", "一交", "二交")), None, None, None)
_VERDICT_COUNT = len(_VERDICT_VALUES)
_TUBE_COLOURS = ("红管", "蓝管", "绿管", "黄管", "白管", "紫管")
_LUSTRES = ("半消光", "大有光", "全消光", "阳离子")
_BOX_TARE_G, _PALLET_TARE_G = 1_850, 24_000


@dataclass(frozen=True, slots=True)
class Yarn:
    """A product of the mill: its word in suffixes, the first letter of its batches, names and weight."""

    code: str
    letter: str
    name: str
    spec: str
    cake_g: int
    standard: str
    machine: MachineType


YARNS: tuple[Yarn, ...] = (
    Yarn("POY111-48", "P", "涤纶预取向丝 POY", "111dtex/48f", 12_000, "FZ/T 54003", WINDER),
    Yarn("DTY83-36", "D", "涤纶低弹丝 DTY", "83dtex/36f", 5_000, "GB/T 14460", TEXTURER),
    Yarn("FDY83-36", "F", "涤纶牵伸丝 FDY", "83dtex/36f", 10_000, "GB/T 8960", WINDER),
    Yarn("POY167-144", "P", "涤纶预取向丝 POY", "167dtex/144f", 15_000, "FZ/T 54003", WINDER),
    Yarn("DTY167-48", "D", "涤纶低弹丝 DTY", "167dtex/48f", 5_000, "GB/T 14460", TEXTURER),
    Yarn("FDY56-24", "F", "涤纶牵伸丝 FDY", "56dtex/24f", 8_000, "GB/T 8960", WINDER),
    Yarn("DTY111-144", "D", "涤纶超细旦低弹丝 DTY", "111dtex/144f", 4_500, "GB/T 14460", TEXTURER),
    Yarn("POY278-96", "P", "涤纶预取向丝 POY", "278dtex/96f", 16_000, "FZ/T 54003", WINDER),
    Yarn("FDY78-24", "F", "锦纶6 牵伸丝 FDY", "78dtex/24f", 6_000, "GB/T 16603", WINDER),
    Yarn("DTY78-68", "D", "锦纶6 弹力丝 DTY", "78dtex/68f", 3_000, "FZ/T 54007", TEXTURER),
)
_YARNS_PER_ENTERPRISE = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch (批号): one yarn from one machine, spun for a few days."""

    handle: str
    code: str
    yarn: Yarn
    machine: str
    line: str
    number: int
    day: int


Supply = Callable[[], tuple[Enterprise, int]]
"""Draws a mill and the number of one of its pallets, registered before; weavers and carriers take it from there."""


def batch_of(enterprise: Enterprise, ordinal: int) -> Batch:
    """The batch that the enterprise's pallet with this number belongs to."""
    turn, day = divmod(ordinal, DAYS)
    week, run = day // DAYS_PER_BATCH, turn // ROUNDS_PER_BATCH
    number = run * _BATCHES_PER_ROUND + week
    place = number % MACHINES
    yarn = YARNS[(enterprise.number + place % _YARNS_PER_ENTERPRISE) % len(YARNS)]
    line = f"{_LINES[place // _MACHINES_PER_LINE]}{place % _MACHINES_PER_LINE + 1:02d}"
    first_day = week * DAYS_PER_BATCH
    code = f"{yarn.letter}{day_of(first_day).compact[2:]}{run + 1:02d}"
    prefix = enterprise.prefix
    machine = f"{prefix}/E.{yarn.machine.word}.{line}"
    return Batch(f"{prefix}/L.{yarn.code}.{code}", code, yarn, machine, line, number, first_day)


def pallet_handle(enterprise: Enterprise, ordinal: int) -> str:
    """The handle of the enterprise's pallet with this number."""
    turn, day = divmod(ordinal, DAYS)
    return f"{enterprise.prefix}/P.{day_of(day).compact}.{turn + 1:06d}"


def consignment(enterprise: Enterprise, ordinal: int, chance: Random) -> Iterator[Record]:
    """One pallet with all that is on it, after the batch and the machine where it is their first."""
    batch = batch_of(enterprise, ordinal)
    if _begins_batch(ordinal):
        if batch.number < MACHINES:
            yield from _machine(batch, chance)
        yield _batch(batch, chance)
    yield from _pallet(enterprise, ordinal, batch, chance)


def count_before(ordinal: int) -> int:
    """How many records the consignments before this one hold."""
    turn, day = divmod(ordinal, DAYS)
    runs, begun = divmod(turn, ROUNDS_PER_BATCH)
    of_this_run = _BATCHES_PER_ROUND if begun else -(-day // DAYS_PER_BATCH)
    batches = runs * _BATCHES_PER_ROUND + of_this_run
    return ordinal * RECORDS_PER_PALLET + batches + min(batches, MACHINES) * RECORDS_PER_MACHINE


def _begins_batch(ordinal: int) -> bool:
    turn, day = divmod(ordinal, DAYS)
    return turn % ROUNDS_PER_BATCH == 0 and day % DAYS_PER_BATCH == 0


def _machine(batch: Batch, chance: Random) -> Iterator[Record]:
    maker = MAKERS[int(chance.random() * len(MAKERS))]
    facts = (
        (*v.ASSET, f"ZC{batch.day:04d}{batch.number:03d}"),
        (*v.WORKSHOP, f"{'一二三四五'[_LINES.index(batch.line[0])]}车间"),
    )
    # It was made some time before it was put to use; the calendar also counts backwards.
    return machine_records(batch.machine, batch.yarn.machine, maker, batch.day - 400, facts, chance)


def _batch(batch: Batch, chance: Random) -> Record:
    yarn = batch.yarn
    values = (
        page(batch.handle),
        (*v.PRODUCT, yarn.name),
        (*v.SPEC, yarn.spec),
        (*v.MACHINE, batch.machine),
        (*v.TUBE_COLOUR, _TUBE_COLOURS[int(chance.random() * len(_TUBE_COLOURS))]),
        (*v.LUSTRE, _LUSTRES[int(chance.random() * len(_LUSTRES))]),
        (*v.MADE_AT, day_of(batch.day).iso),
        (*v.STANDARD, yarn.standard),
    )
    return Record(batch.handle, values)


@dataclass(frozen=True, slots=True)
class _Load:
    """What the cakes and boxes of one pallet have in common."""

    prefix: str
    batch: Batch
    turn: int
    day: int
    first_minute: int

    def minute(self, doff: int) -> int:
        return self.first_minute + doff * _DOFF_MINUTES


def _pallet(enterprise: Enterprise, ordinal: int, batch: Batch, chance: Random) -> Iterator[Record]:
    turn, day = divmod(ordinal, DAYS)
    load = _Load(enterprise.prefix, batch, turn, day, int(chance.random() * _DOFF_MINUTES))
    boxes, net = [], 0
    for number in range(BOXES_PER_PALLET):
        box, weight = yield from _box(load, number, chance)
        boxes.append(box)
        net += weight
    handle = pallet_handle(enterprise, ordinal)
    values = (
        page(handle),
        (*v.PRODUCT, batch.yarn.name),
        (*v.BATCH, batch.handle),
        (*v.MEMBERS, "\n".join(boxes)),
        *_weights(net, _PALLET_TARE_G + BOXES_PER_PALLET * _BOX_TARE_G),
        (*v.MADE_AT, moment(day, load.minute(DOFFS_PER_PALLET - 1) + _PACKING_MINUTES)),
        (*v.RFID, f"E280{chance.getrandbits(80):020X}"),
    )
    yield Record(handle, values)


def _box(load: _Load, number: int, chance: Random) -> Generator[Record, None, tuple[str, int]]:
    """The cakes of one box, then the box; returns its handle and its net weight."""
    batch, members, worst, net = load.batch, [], 0, 0
    for cake, grade, weight in _cakes(load, number, chance):
        yield cake
        members.append(cake.handle)
        worst = max(worst, grade)
        net += weight
    serial = load.turn * BOXES_PER_PALLET + number + 1
    handle = f"{load.prefix}/B.{batch.yarn.code}.{batch.code}.{day_of(load.day).compact}.{serial:05d}"
    values = (
        (*v.PRODUCT, batch.yarn.name),
        (*v.SPEC, batch.yarn.spec),
        (*v.GRADE, GRADES[worst]),
        (*v.BATCH, batch.handle),
        (*v.MEMBERS, "\n".join(members)),
        *_weights(net, _BOX_TARE_G),
        (*v.SHIFT, shift_of(load.minute(number // BOXES_PER_DOFF))),
    )
    yield Record(handle, values)
    return handle, net


def _cakes(load: _Load, box: int, chance: Random) -> Iterator[tuple[Record, int, int]]:
    """The cakes of one box, each with the number of its grade and its weight. Most records come from here."""
    batch, draw = load.batch, chance.random
    yarn = batch.yarn
    doff, place = divmod(box, BOXES_PER_DOFF)
    stem = f"{load.prefix}/C.{yarn.code}.{day_of(load.day).compact}.{batch.line}S"
    doffing = f"{load.turn * DOFFS_PER_PALLET + doff + 1:04d}"
    product, spec, link = (*v.PRODUCT, yarn.name), (*v.SPEC, yarn.spec), (*v.BATCH, batch.handle)
    made = (*v.MADE_AT, moment(load.day, load.minute(doff)))
    lightest, spread = yarn.cake_g - yarn.cake_g // 100, yarn.cake_g // 50
    for spindle in range(place * CAKES_PER_BOX + 1, (place + 1) * CAKES_PER_BOX + 1):
        luck = draw()
        grade = 0 if luck < _AA_SHARE else 1 if luck < _A_SHARE else 2
        weight = lightest + int(draw() * spread)
        judged = _DEFECT_VALUES[int(draw() * _DEFECT_COUNT)] if grade else _VERDICT_VALUES[int(draw() * _VERDICT_COUNT)]
        position = (*v.SPINDLE, f"{batch.machine}.{spindle:02d}")
        grams = (*v.NET_WEIGHT_G, str(weight))
        values = (product, spec, _GRADE_VALUES[grade], link, position, grams, made)
        cake = Record(f"{stem}{spindle:02d}-{doffing}", values if judged is None else (*values, judged))
        yield cake, grade, weight


def _weights(net_g: int, tare_g: int) -> tuple[v.Value, v.Value]:
    return (*v.NET_WEIGHT_KG, f"{net_g / 1000:.3f}"), (*v.GROSS_WEIGHT_KG, f"{(net_g + tare_g) / 1000:.3f}")
