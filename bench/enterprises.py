"""The 28 demo enterprises, each with a prefix of its own under 88.168.

All are invented: place names are those of Tongxiang, firms are not, and a likeness to a real one is chance.
"""

from dataclasses import dataclass
from enum import StrEnum

SECONDARY_NODE = "88.168"


class Industry(StrEnum):
    """What an enterprise lives by; it decides which classes of object it registers."""

    CHEMICAL_FIBRE = "chemical fibre"
    GARMENT = "garment"
    LOGISTICS = "logistics"
    EQUIPMENT = "equipment manufacturing"


@dataclass(frozen=True, slots=True)
class Enterprise:
    """An enterprise and the prefix under which it registers its identifiers."""

    number: int
    name_zh: str
    name_en: str
    industry: Industry
    prefix: str


_NAMES: tuple[tuple[Industry, str, str], ...] = (
    (Industry.CHEMICAL_FIBRE, "浙江澜丝化纤有限公司", "Zhejiang Lansi Chemical Fibre Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "桐乡市语溪聚酯纤维有限公司", "Tongxiang Yuxi Polyester Fibre Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "浙江槐锦新材料股份有限公司", "Zhejiang Huaijin New Materials Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "桐乡市泉纶化纤有限公司", "Tongxiang Quanlun Chemical Fibre Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "浙江梧纶差别化纤维有限公司", "Zhejiang Wulun Differential Fibre Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "桐乡市石湾长丝有限公司", "Tongxiang Shiwan Filament Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "浙江乌溪锦纶科技有限公司", "Zhejiang Wuxi Polyamide Technology Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "桐乡市麻溪加弹有限公司", "Tongxiang Maxi Texturing Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "浙江炉镇循环再生纤维有限公司", "Zhejiang Luzhen Recycled Fibre Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "浙江菊乡化纤集团有限公司", "Zhejiang Juxiang Chemical Fibre Group Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "桐乡市屠甸纺丝有限公司", "Tongxiang Tudian Spinning Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "浙江运河湾新纤维有限公司", "Zhejiang Canal Bend New Fibre Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "桐乡市高桥阻燃纤维有限公司", "Tongxiang Gaoqiao Flame-Retardant Fibre Co., Ltd."),
    (Industry.CHEMICAL_FIBRE, "桐乡市河山色丝有限公司", "Tongxiang Heshan Coloured Yarn Co., Ltd."),
    (Industry.GARMENT, "浙江濮织时装有限公司", "Zhejiang Puzhi Fashion Co., Ltd."),
    (Industry.GARMENT, "桐乡市羊绒里针织有限公司", "Tongxiang Cashmere Lane Knitting Co., Ltd."),
    (Industry.GARMENT, "桐乡市丰禾服饰有限公司", "Tongxiang Fenghe Apparel Co., Ltd."),
    (Industry.GARMENT, "浙江蓝印坊服装有限公司", "Zhejiang Blueprint Workshop Garments Co., Ltd."),
    (Industry.GARMENT, "桐乡市崇福外套有限公司", "Tongxiang Chongfu Outerwear Co., Ltd."),
    (Industry.GARMENT, "桐乡市稚语童装有限公司", "Tongxiang Zhiyu Children's Wear Co., Ltd."),
    (Industry.GARMENT, "浙江锦澜织造服饰有限公司", "Zhejiang Jinlan Weaving and Apparel Co., Ltd."),
    (Industry.GARMENT, "桐乡市动域运动服饰有限公司", "Tongxiang Dongyu Sportswear Co., Ltd."),
    (Industry.LOGISTICS, "桐乡市通苇物流有限公司", "Tongxiang Tongwei Logistics Co., Ltd."),
    (Industry.LOGISTICS, "浙江九曲供应链管理有限公司", "Zhejiang Jiuqu Supply Chain Co., Ltd."),
    (Industry.LOGISTICS, "桐乡市港湾仓储运输有限公司", "Tongxiang Harbour Bend Storage and Transport Co., Ltd."),
    (Industry.EQUIPMENT, "浙江卷纬智能装备有限公司", "Zhejiang Juanwei Intelligent Equipment Co., Ltd."),
    (Industry.EQUIPMENT, "桐乡市恒锭纺织机械有限公司", "Tongxiang Hengding Textile Machinery Co., Ltd."),
    (Industry.EQUIPMENT, "桐乡市精络机械制造有限公司", "Tongxiang Jingluo Machine Works Co., Ltd."),
)

ENTERPRISES: tuple[Enterprise, ...] = tuple(
    Enterprise(number, name_zh, name_en, industry, f"{SECONDARY_NODE}.{number}")
    for number, (industry, name_zh, name_en) in enumerate(_NAMES, start=1)
)

MAKERS: tuple[str, ...] = tuple(each.name_zh for each in ENTERPRISES if each.industry is Industry.EQUIPMENT)
"""The makers of the machines that stand at the fibre enterprises."""
