"""What the types of values are called by people, and in which unit they count.

`attribute_of` is the one place that is asked. The names below are those that chemical fibre, textile, garment and
logistics systems use; a type that nobody named is shown as it is written.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from registry.language import Language


class Kind(Enum):
    """How a value reads best."""

    TEXT = "text"
    QUANTITY = "quantity"
    TIME = "time"
    MEMBERS = "members"  # Other identifiers that this one holds; all other links lead to what it is part of.
    ADDRESS = "address"
    INTERNAL = "internal"  # Says something to programs; people find it among all values.


@dataclass(frozen=True, slots=True)
class Attribute:
    """A type in one language: its name, its unit ("" for none) and its kind."""

    name: str
    unit: str = ""
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True)
class _Known:
    english: str
    chinese: str
    unit: str = ""
    kind: Kind = Kind.TEXT


TITLES: Final = ("PRODUCT", "NAME", "TITLE", "DESC")  # What heads a page, the first that is there.

_KNOWN: Final[dict[str, _Known]] = {
    "URL": _Known("Web page", "网页", kind=Kind.ADDRESS),
    "EMAIL": _Known("E-mail", "电子邮箱"),
    "DESC": _Known("Description", "说明"),
    "NAME": _Known("Name", "名称"),
    "TITLE": _Known("Title", "名称"),
    "PRODUCT": _Known("Product", "产品"),
    "SPEC": _Known("Specification", "规格"),
    "GRADE": _Known("Grade", "等级"),
    "BATCH": _Known("Batch", "批号"),
    "MACHINE": _Known("Machine", "机台"),
    "SPINDLE": _Known("Spindle", "锭位"),
    "ROLL": _Known("Fabric roll", "布卷"),
    "MEMBERS": _Known("Contents", "包含", kind=Kind.MEMBERS),
    "NET_WEIGHT_G": _Known("Net weight", "净重", "g", Kind.QUANTITY),
    "NET_WEIGHT_KG": _Known("Net weight", "净重", "kg", Kind.QUANTITY),
    "GROSS_WEIGHT_KG": _Known("Gross weight", "毛重", "kg", Kind.QUANTITY),
    "TUBE_COLOUR": _Known("Tube colour", "管色"),
    "LUSTRE": _Known("Lustre", "光泽"),
    "COLOUR": _Known("Colour", "颜色"),
    "SHIFT": _Known("Shift", "班次"),
    "MADE_AT": _Known("Made", "生产时间", kind=Kind.TIME),
    "DYE_VERDICT": _Known("Dye verdict", "染判"),
    "DEFECT": _Known("Defect", "疵点"),
    "RFID": _Known("RFID tag", "RFID 标签"),
    "MODEL": _Known("Model", "型号"),
    "MAKER": _Known("Maker", "制造商"),
    "ASSET": _Known("Asset number", "资产编号"),
    "WORKSHOP": _Known("Workshop", "车间"),
    "STANDARD": _Known("Standard", "执行标准"),
    "SERVICED_AT": _Known("Serviced", "保养时间", kind=Kind.TIME),
    "BEARING": _Known("Bearing", "轴承"),
    "STYLE": _Known("Style", "款式"),
    "SIZE": _Known("Size", "尺码"),
    "COMPOSITION": _Known("Composition", "成分"),
    "WIDTH_CM": _Known("Width", "门幅", "cm", Kind.QUANTITY),
    "LENGTH_M": _Known("Length", "长度", "m", Kind.QUANTITY),
    "WEIGHT_GSM": _Known("Weight", "克重", "g/m²", Kind.QUANTITY),
    "VEHICLE": _Known("Vehicle", "车辆"),
    "CARRIER": _Known("Carrier", "承运人"),
    "ORIGIN": _Known("From", "起点"),
    "DESTINATION": _Known("To", "终点"),
    "DEPARTED_AT": _Known("Departed", "发车时间", kind=Kind.TIME),
    "LOAD_KG": _Known("Load", "载重", "kg", Kind.QUANTITY),
    "HS_ALIAS": _Known("Other name of", "别名,指向"),
    "10320/LOC": _Known("Locations", "网址选择", kind=Kind.INTERNAL),
}


def attribute_of(value_type: str, language: Language) -> Attribute:
    """The attribute that values of a type are."""
    folded = value_type.upper()
    known = _KNOWN.get(folded)
    if known is not None:
        return Attribute(known.chinese if language == "zh" else known.english, known.unit, known.kind)
    if folded.startswith("URL."):
        return Attribute(value_type, kind=Kind.ADDRESS)
    return Attribute(value_type, kind=Kind.INTERNAL if folded.startswith("HS_") else Kind.TEXT)
