"""Telling systemd how we are: the datagram protocol of sd_notify(3)."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

READY: Final = "READY=1"
RELOADED: Final = "READY=1\nSTATUS=settings and certificates read again"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"


def notify(state: str) -> None:
    """Does nothing when nobody asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # The first character of an abstract socket's name is written as an at sign.
    target = "\0" + address[1:] if address.startswith("@") else address
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
        told.sendto(state.encode(), target)


@asynccontextmanager
async def signs_of_life() -> AsyncIterator[None]:
    """Tells systemd, as long as the block runs, that this loop still turns, as often as it wants to hear it."""
    interval = _watchdog_interval()
    if interval is None:
        yield
        return

    async def tell() -> None:
        while True:
            notify(ALIVE)
            await asyncio.sleep(interval)

    telling = asyncio.create_task(tell(), name="watchdog")
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.wait({telling})


def _watchdog_interval() -> float | None:
    """Seconds between signs of life, half of what is asked for; None when nobody asked, or asked another process."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000
