"""The templates that every node has: the chain of chemical fibre and textiles, from the machine to the garment.

They are named `textile/<name>@<version>`. A version that was released is never changed here, as none is anywhere: a
test holds each one to its digest. Types and indexes are those of the demo's identifiers and of tables for bulk loads.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from registry.template import Attribute, Kind, Option, Template, TemplateName

LIBRARY: Final = "textile"

_GRADES: Final = (Option("AA", "优等品", "AA"), Option("A", "一等品", "A"), Option("合格品", "合格品", "qualified"))
_SHIFTS: Final = (Option("甲", "甲班", "shift A"), Option("乙", "乙班", "shift B"), Option("丙", "丙班", "shift C"))
_VERDICTS: Final = tuple(Option(text, text, english) for text, english in (
    ("一交", "first"), ("二交", "second"), ("三交", "third"), ("十字交", "cross")))  # fmt: skip


def _attribute(index: int, value_type: str, zh: str, en: str, kind: Kind = "string", **more: Any) -> Attribute:
    if kind == "string":
        more = {"min_length": 1, "max_length": 255, **more}
    return Attribute(index=index, type=value_type, kind=kind, zh=zh, en=en, **more)


def _number(index: int, value_type: str, zh: str, en: str, unit: str, most: float) -> Attribute:
    return _attribute(index, value_type, zh, en, "number", unit=unit, minimum=0, maximum=most)


_URL: Final = _attribute(1, "URL", "追溯页面", "page", "url")
_PRODUCT: Final = _attribute(2, "PRODUCT", "产品名称", "product")
_SPEC: Final = _attribute(3, "SPEC", "规格", "specification", pattern=r"[0-9]+(\.[0-9]+|)dtex/[0-9]+f.*", max_length=64)
_GRADE: Final = _attribute(4, "GRADE", "等级", "grade", "enumeration", options=_GRADES)
_BATCH: Final = _attribute(5, "BATCH", "批号", "batch", "reference")
_MACHINE: Final = _attribute(6, "MACHINE", "机台", "machine", "reference")
_SPINDLE: Final = _attribute(7, "SPINDLE", "锭位", "spindle", "reference")
_ROLL: Final = _attribute(8, "ROLL", "布卷", "fabric roll", "reference")
_MEMBERS: Final = _attribute(9, "MEMBERS", "包含的标识", "members", "reference", many=True)
_NET_G: Final = _number(10, "NET_WEIGHT_G", "净重", "net weight", "g", 100_000)
_NET_KG: Final = _number(11, "NET_WEIGHT_KG", "净重", "net weight", "kg", 10_000)
_GROSS_KG: Final = _number(12, "GROSS_WEIGHT_KG", "毛重", "gross weight", "kg", 10_000)
_TUBE_COLOUR: Final = _attribute(13, "TUBE_COLOUR", "管色", "tube colour")
_LUSTRE: Final = _attribute(14, "LUSTRE", "光泽", "lustre")
_COLOUR: Final = _attribute(15, "COLOUR", "颜色", "colour")
_SHIFT: Final = _attribute(16, "SHIFT", "班次", "shift", "enumeration", options=_SHIFTS)
_MADE_AT: Final = _attribute(17, "MADE_AT", "生产时间", "made at", "time")
_MADE_ON: Final = _attribute(17, "MADE_AT", "生产日期", "made on", "date")
_DYE_VERDICT: Final = _attribute(18, "DYE_VERDICT", "染判", "dye verdict", "enumeration", options=_VERDICTS)
_DEFECT: Final = _attribute(19, "DEFECT", "外观缺陷", "defect")
_RFID: Final = _attribute(20, "RFID", "RFID 编码", "RFID code", pattern="[0-9A-Fa-f]{8,64}")
_MODEL: Final = _attribute(21, "MODEL", "型号", "model")
_MAKER: Final = _attribute(22, "MAKER", "制造商", "maker")
_ASSET: Final = _attribute(23, "ASSET", "资产编号", "asset number")
_WORKSHOP: Final = _attribute(24, "WORKSHOP", "车间", "workshop")
_STANDARD: Final = _attribute(25, "STANDARD", "执行标准", "standard")
_SERVICED_ON: Final = _attribute(26, "SERVICED_AT", "保养日期", "serviced on", "date")
_BEARING: Final = _attribute(27, "BEARING", "轴承", "bearing")
_STYLE: Final = _attribute(28, "STYLE", "款号", "style")
_SIZE: Final = _attribute(29, "SIZE", "尺码", "size")
_COMPOSITION: Final = _attribute(30, "COMPOSITION", "成分", "composition")
_WIDTH_CM: Final = _number(31, "WIDTH_CM", "幅宽", "width", "cm", 1000)
_LENGTH_M: Final = _number(32, "LENGTH_M", "长度", "length", "m", 100_000)
_WEIGHT_GSM: Final = _number(33, "WEIGHT_GSM", "克重", "weight", "g/m²", 5000)
_VEHICLE: Final = _attribute(34, "VEHICLE", "车辆", "vehicle", "reference")
_CARRIER: Final = _attribute(35, "CARRIER", "承运人", "carrier")
_ORIGIN: Final = _attribute(36, "ORIGIN", "起运地", "origin")
_DESTINATION: Final = _attribute(37, "DESTINATION", "目的地", "destination")
_DEPARTED_AT: Final = _attribute(38, "DEPARTED_AT", "起运时间", "departed at", "time")
_LOAD_KG: Final = _number(39, "LOAD_KG", "载重", "load", "kg", 100_000)
_DRAWING: Final = _attribute(40, "DOCUMENT", "文件摘要", "digest of a document", "digest")
_MEASURED: Final = _attribute(41, "MEASURED", "检测数据", "measured values", "json")

_CAKE: Final = (_SPEC, _GRADE, _BATCH, _SPINDLE, _NET_G, _MADE_AT)


def _template(zh: str, en: str, industry: str, required: tuple[Attribute, ...], *others: Attribute) -> Template:
    needed = tuple(msgspec.structs.replace(attribute, required=True) for attribute in required)
    attributes = sorted((*needed, *others), key=lambda attribute: attribute.index)
    return Template(zh=zh, en=en, industry=industry, attributes=tuple(attributes))


# Industries: 2822 polyester fibre, 1751 weaving of chemical fibre, 1811 woven garments, 3551 textile machinery,
# 5431 road freight.
BY_NAME: Final[Mapping[str, Template]] = {
    "textile/poy@1": _template("预取向丝丝饼", "yarn cake, POY", "C2822", _CAKE,
                               _URL, _PRODUCT, _MACHINE, _SHIFT, _DEFECT, _DYE_VERDICT, _MEASURED),
    "textile/fdy@1": _template("牵伸丝丝饼", "yarn cake, FDY", "C2822", _CAKE,
                               _URL, _PRODUCT, _MACHINE, _SHIFT, _DEFECT, _DYE_VERDICT, _MEASURED),
    "textile/dty@1": _template("低弹丝丝饼", "yarn cake, DTY", "C2822", _CAKE,
                               _URL, _PRODUCT, _MACHINE, _TUBE_COLOUR, _SHIFT, _DEFECT, _DYE_VERDICT, _MEASURED),
    "textile/batch@1": _template("批次", "batch", "C2822", (_PRODUCT, _SPEC),
                                 _URL, _MACHINE, _TUBE_COLOUR, _LUSTRE, _MADE_ON, _STANDARD, _DRAWING),
    "textile/box@1": _template("包装箱", "box", "C2822", (_BATCH, _MEMBERS, _NET_KG),
                               _URL, _PRODUCT, _SPEC, _GRADE, _GROSS_KG, _SHIFT),
    "textile/pallet@1": _template("托盘", "pallet", "C2822", (_MEMBERS, _NET_KG),
                                  _URL, _PRODUCT, _BATCH, _GROSS_KG, _MADE_AT, _RFID),
    "textile/machine@1": _template("机台", "machine", "C3551", (_PRODUCT, _MODEL),
                                   _URL, _MADE_ON, _MAKER, _ASSET, _WORKSHOP, _DRAWING),
    "textile/spindle@1": _template("锭位", "spindle", "C3551", (_MACHINE,),
                                   _URL, _PRODUCT, _MADE_ON, _SERVICED_ON, _BEARING),
    "textile/roll@1": _template("布卷", "fabric roll", "C1751", (_PRODUCT, _LENGTH_M),
                                _URL, _BATCH, _MACHINE, _COLOUR, _MADE_AT, _COMPOSITION, _WIDTH_CM, _WEIGHT_GSM,
                                _GRADE, _MEASURED),
    "textile/garment@1": _template("服装", "garment", "C1811", (_PRODUCT, _STYLE, _SIZE),
                                   _URL, _ROLL, _COLOUR, _MADE_AT, _COMPOSITION),
    "textile/transport@1": _template("运输单元", "transport unit", "G5431", (_MEMBERS, _CARRIER),
                                     _URL, _VEHICLE, _ORIGIN, _DESTINATION, _DEPARTED_AT, _LOAD_KG, _DRAWING),
}  # fmt: skip

TEMPLATES: Final[Mapping[str, Template]] = {TemplateName.from_text(name).key: one for name, one in BY_NAME.items()}
