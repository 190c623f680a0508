"""Waiting for one's turn, and not for ever: who waits longer than that is refused, and the turn is another's."""

import asyncio

from registry.errors import ServerBusy


async def turn(gate: asyncio.Lock | asyncio.Semaphore, seconds: float) -> None:
    """Takes a turn, which whoever has it gives back. Raises ServerBusy."""
    try:
        async with asyncio.timeout(seconds):
            await gate.acquire()
    except TimeoutError:
        raise ServerBusy("server.queue") from None
