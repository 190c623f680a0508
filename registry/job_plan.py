"""What a job's order means for the load that does it."""

from registry.bulk import Plan
from registry.chunks import NAMES, VALUES, Reading
from registry.column_mapping import reader_of
from registry.jobs import Order


def reading(order: Order) -> Reading:
    """What is read of its file."""
    plain = NAMES if order.kind in ("delete", "state") else VALUES
    return plain if order.columns is None else Reading(plain.names_only, reader_of(order.columns))


def plan(order: Order, *, of_node: bool) -> Plan:
    """`of_node` says whether a node's administrator sent it."""
    made = Plan(order.kind, order.on_error == "rollback", of_node=of_node, reading=reading(order))
    return made if order.wish is None else Plan(made.kind, made.all_or_none, order.wish, of_node, made.reading)
