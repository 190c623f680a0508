"""The types that demo records use, each with the one index that it has in every class of object.

One index a type keeps the union of columns small, so that all classes fit into one CSV file. A value is written
`(*GRADE, "AA")`, and the values of a record stand in the order of their indexes. Links are values too: the data of
`BATCH`, `MACHINE`, `SPINDLE`, `ROLL`, `VEHICLE` is one other handle, that of `MEMBERS` one handle a line.
"""

from typing import NamedTuple

Value = tuple[int, str, str]

# Index 1 holds the address that a browser is redirected to.
URL = (1, "URL")
PRODUCT = (2, "PRODUCT")
SPEC = (3, "SPEC")
GRADE = (4, "GRADE")
BATCH = (5, "BATCH")
MACHINE = (6, "MACHINE")
SPINDLE = (7, "SPINDLE")
ROLL = (8, "ROLL")
MEMBERS = (9, "MEMBERS")
NET_WEIGHT_G = (10, "NET_WEIGHT_G")
NET_WEIGHT_KG = (11, "NET_WEIGHT_KG")
GROSS_WEIGHT_KG = (12, "GROSS_WEIGHT_KG")
TUBE_COLOUR = (13, "TUBE_COLOUR")
LUSTRE = (14, "LUSTRE")
COLOUR = (15, "COLOUR")
SHIFT = (16, "SHIFT")
MADE_AT = (17, "MADE_AT")
DYE_VERDICT = (18, "DYE_VERDICT")
DEFECT = (19, "DEFECT")
RFID = (20, "RFID")
MODEL = (21, "MODEL")
MAKER = (22, "MAKER")
ASSET = (23, "ASSET")
WORKSHOP = (24, "WORKSHOP")
STANDARD = (25, "STANDARD")
SERVICED_AT = (26, "SERVICED_AT")
BEARING = (27, "BEARING")
STYLE = (28, "STYLE")
SIZE = (29, "SIZE")
COMPOSITION = (30, "COMPOSITION")
WIDTH_CM = (31, "WIDTH_CM")
LENGTH_M = (32, "LENGTH_M")
WEIGHT_GSM = (33, "WEIGHT_GSM")
VEHICLE = (34, "VEHICLE")
CARRIER = (35, "CARRIER")
ORIGIN = (36, "ORIGIN")
DESTINATION = (37, "DESTINATION")
DEPARTED_AT = (38, "DEPARTED_AT")
LOAD_KG = (39, "LOAD_KG")

COLUMNS: tuple[tuple[int, str], ...] = (
    *(URL, PRODUCT, SPEC, GRADE, BATCH, MACHINE, SPINDLE, ROLL, MEMBERS, NET_WEIGHT_G, NET_WEIGHT_KG, GROSS_WEIGHT_KG),
    *(TUBE_COLOUR, LUSTRE, COLOUR, SHIFT, MADE_AT, DYE_VERDICT, DEFECT, RFID, MODEL, MAKER, ASSET, WORKSHOP, STANDARD),
    *(SERVICED_AT, BEARING, STYLE, SIZE, COMPOSITION, WIDTH_CM, LENGTH_M, WEIGHT_GSM, VEHICLE, CARRIER, ORIGIN),
    *(DESTINATION, DEPARTED_AT, LOAD_KG),
)
"""Every type with its index, in the order of the columns of a CSV file."""

LINKS = frozenset(kind for _, kind in (BATCH, MACHINE, SPINDLE, ROLL, MEMBERS, VEHICLE))
"""The types whose data names other handles, one a line."""


class Record(NamedTuple):
    """A handle with its values, as plain text: what a file for the bulk load says in one row."""

    handle: str
    values: tuple[Value, ...]


def page(handle: str) -> Value:
    """The value that sends a browser to the object's page, in a domain that is reserved for examples."""
    return (*URL, f"https://trace.example.com/{handle}")
