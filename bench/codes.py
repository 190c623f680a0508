"""Codes of other systems in the demo: what the first mill's customers hold of its first pallet, and what it publishes.

The company prefix is one of those that GS1 keeps for examples (952), and the arc is the one for examples (2.999).
"""

import json
from collections.abc import Iterator
from typing import Final

from bench import vocabulary as v
from bench.enterprises import ENTERPRISES
from bench.fibre import batch_of, pallet_handle
from bench.vocabulary import Record, page
from registry.alias import ALIAS
from registry.links import LINK

COMPANY: Final = "9521680"
ARC: Final = "2.999.168.10"
MILL: Final = ENTERPRISES[9]
CUSTOMER: Final = ENTERPRISES[14]

GTIN: Final = "09521680001008"  # A carton of six cakes.
CARTON: Final = 421  # Its serial number.
SSCC: Final = "395216800000000019"
OID: Final = f"{ARC}.54003"
EPC: Final = "3056452840001900000001A5"  # The carton, as an RFID tag says it: SGTIN-96.
PALLET: Final = pallet_handle(MILL, 0)
BATCH: Final = batch_of(MILL, 0)
_CARTON_HANDLE: Final = f"{MILL.prefix}/B.{BATCH.yarn.code}.{BATCH.code}.20240501.00001"
_LINK_INDEX: Final = 50  # Behind all types of the vocabulary.
_SHOP: Final = "https://trace.example.com"


# Systems, the starts of their codes, and under which prefix they are written.
GRANTS: Final = (("gs1", COMPANY, MILL.prefix), ("oid", ARC, MILL.prefix))
# How people meet these codes: each one is typed as it stands.
WRITINGS: Final = (
    f"https://id.example.com/01/{GTIN}/10/{BATCH.code}/21/{CARTON}",
    f"(01){GTIN}(10){BATCH.code}",
    f"(00){SSCC}",
    EPC,
    f"urn:oid:{OID}",
    f"{CUSTOMER.prefix}/PO-2405-0117.3",
)


def records() -> Iterator[Record]:
    """A product with its links, a batch, a carton, a pallet and a standard, after what they stand for."""
    yield Record(f"gs1/01/{GTIN}", (*_of_yarn(), *_links()))
    yield Record(f"gs1/01/{GTIN}/10/{BATCH.code}", (*_of_yarn(), (*v.BATCH, BATCH.handle)))
    yield _alias(f"gs1/01/{GTIN}/10/{BATCH.code}/21/{CARTON}", _CARTON_HANDLE)
    yield _alias(f"gs1/01/{GTIN}/21/{CARTON}", _CARTON_HANDLE)
    yield _alias(f"gs1/00/{SSCC}", PALLET)
    yield _alias(f"{CUSTOMER.prefix}/PO-2405-0117.3", PALLET)
    yield Record(f"oid/{OID}", (page(f"oid/{OID}"), *_of_yarn(), (*v.STANDARD, BATCH.yarn.standard)))


def _of_yarn() -> tuple[v.Value, ...]:
    return ((*v.PRODUCT, BATCH.yarn.name), (*v.SPEC, BATCH.yarn.spec))


def _links() -> tuple[v.Value, ...]:
    links = (
        {"rel": "gs1:pip", "href": f"{_SHOP}/yarn", "title": "产品信息", "hreflang": ["zh"], "default": True},
        {"rel": "gs1:pip", "href": f"{_SHOP}/en/yarn", "title": "Product page", "hreflang": ["en"], "default": True},
        {"rel": "gs1:certificationInfo", "href": f"{_SHOP}/yarn.pdf", "title": "检测报告", "type": "application/pdf"},
    )
    return tuple((_LINK_INDEX + place, LINK, json.dumps(link, ensure_ascii=False)) for place, link in enumerate(links))


def _alias(code: str, handle: str) -> Record:
    return Record(code, ((1, ALIAS, handle),))
