"""What a job's order means for the load that does it."""

from collections.abc import Mapping
from typing import Final

from registry.bulk import Kind, Plan
from registry.chunks import NAMES, VALUES, WISHES, Reading
from registry.column_mapping import reader_of
from registry.jobs import Order

_READINGS: Final[Mapping[Kind, Reading]] = {"register": VALUES, "update": VALUES, "delete": NAMES, "state": WISHES}


def reading(order: Order) -> Reading:
    """What is read of its file."""
    plain = _READINGS[order.kind]
    return plain if order.columns is None else Reading(plain.what, reader_of(order.columns))


def plan(order: Order, *, of_node: bool) -> Plan:
    """`of_node` says whether a node's administrator sent it."""
    return Plan(order.kind, order.on_error == "rollback", order.wish, of_node, reading(order))
