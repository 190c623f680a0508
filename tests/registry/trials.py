"""Writes on trial."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from registry.store import Store

Outcome = TypeVar("Outcome")


class _Over(Exception):
    pass


async def on_trial(store: Store, write: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """What a write comes to, which is taken back."""
    try:
        async with store.as_one():
            outcome = await write()
            raise _Over
    except _Over:
        return outcome
