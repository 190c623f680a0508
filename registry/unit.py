"""A unit: what one task writes in one transaction, however many steps of the program write it (`Store.as_one`)."""

import random
from collections.abc import Callable
from typing import Any, Final

import asyncpg

COUNT_SLOTS: Final = 8  # Rows a prefix in handle_count: with as many writers, seldom two meet in one.


class Unit:
    """Its connection, and what follows once that is in the book."""

    def __init__(self, connection: asyncpg.pool.PoolConnectionProxy) -> None:
        self.connection = connection
        self.count_slot = count_slot()
        self.transaction: Any = None  # Of `registry.transaction`, while one is open.
        self.changes_prefixes = False
        self.then: list[Callable[[], None]] = []


def count_slot() -> int:
    """One slot for all that a transaction counts: of two that count much neither then waits for the other."""
    return random.randrange(COUNT_SLOTS)  # noqa: S311  # spreads writers, guards nothing
