"""Fabric rolls and the garments cut from them; a roll links to the batch of the yarn that it was woven from."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from bench import vocabulary as v
from bench.enterprises import Enterprise
from bench.fibre import Supply, batch_of
from bench.production import DAYS, day_of, moment
from bench.vocabulary import Record, page

ROLLS = 4
GARMENTS_PER_ROLL = 12
RECORDS_PER_CONSIGNMENT = ROLLS * (1 + GARMENTS_PER_ROLL)

_WEAVING_DAYS = 20
_SEWING_DAYS = 15
_COLOURS = ("藏青", "本白", "黑色", "酒红", "浅灰", "米色", "墨绿", "雾霾蓝")
_SIZES = ("S", "M", "L", "XL", "XXL")


@dataclass(frozen=True, slots=True)
class Article:
    """A fabric and the garment that is made of it."""

    code: str
    fabric: str
    composition: str
    width_cm: int
    weight_gsm: int
    style: str
    garment: str


ARTICLES: tuple[Article, ...] = (
    Article("T8890", "涤纶春亚纺", "涤纶 100%", 150, 85, "JK1021", "立领夹克"),
    Article("K3320", "涤氨针织汗布", "涤纶 92% 氨纶 8%", 170, 180, "TS2107", "圆领短袖"),
    Article("T5512", "涤纶塔丝隆", "涤纶 100%", 148, 140, "CT3302", "连帽风衣"),
    Article("K7041", "仿羊绒针织布", "涤纶 65% 腈纶 35%", 165, 240, "SW4415", "半高领毛衫"),
    Article("N2108", "锦纶弹力布", "锦纶 88% 氨纶 12%", 152, 160, "TR5520", "运动长裤"),
    Article("T6633", "涤纶雪纺", "涤纶 100%", 150, 75, "DR6208", "连衣裙"),
)


def consignment(enterprise: Enterprise, ordinal: int, supply: Supply, chance: Random) -> Iterator[Record]:
    """A lot of rolls from one batch of yarn, each followed by the garments cut from it."""
    mill, pallet = supply()
    article = ARTICLES[(enterprise.number + ordinal) % len(ARTICLES)]
    batch = batch_of(mill, pallet).handle
    day = pallet % DAYS + _WEAVING_DAYS
    lot = f"{day_of(day).compact[2:6]}-{ordinal % 9 + 1}"
    colour = (*v.COLOUR, _COLOURS[int(chance.random() * len(_COLOURS))])
    for number in range(ordinal * ROLLS, (ordinal + 1) * ROLLS):
        roll = f"{enterprise.prefix}/R.{article.code}.{lot}.{number + 1:04d}"
        yield Record(roll, _roll_values(roll, article, batch, colour, chance))
        yield from _garments(enterprise, number, article, roll, colour, day + _SEWING_DAYS)


def count_before(ordinal: int) -> int:
    """How many records the consignments before this one hold."""
    return ordinal * RECORDS_PER_CONSIGNMENT


def _roll_values(roll: str, article: Article, batch: str, colour: v.Value, chance: Random) -> tuple[v.Value, ...]:
    return (
        page(roll),
        (*v.PRODUCT, article.fabric),
        (*v.BATCH, batch),
        colour,
        (*v.COMPOSITION, article.composition),
        (*v.WIDTH_CM, str(article.width_cm)),
        (*v.LENGTH_M, f"{80 + chance.random() * 40:.1f}"),
        (*v.WEIGHT_GSM, str(article.weight_gsm)),
    )


def _garments(
    enterprise: Enterprise, roll_number: int, article: Article, roll: str, colour: v.Value, day: int
) -> Iterator[Record]:
    product, link, style = (*v.PRODUCT, article.garment), (*v.ROLL, roll), (*v.STYLE, article.style)
    composition = (*v.COMPOSITION, article.composition)
    for number in range(GARMENTS_PER_ROLL):
        size = _SIZES[number % len(_SIZES)]
        serial = roll_number * GARMENTS_PER_ROLL + number + 1
        handle = f"{enterprise.prefix}/G.{article.style}.{size}.{serial:07d}"
        # Sewn from eight in the morning, one every half hour.
        made = (*v.MADE_AT, moment(day, 8 * 60 + number * 30))
        yield Record(handle, (page(handle), product, link, colour, made, style, (*v.SIZE, size), composition))
