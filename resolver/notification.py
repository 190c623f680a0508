"""Telling systemd how we are: the datagram protocol of sd_notify(3)."""

import contextlib
import os
import socket
from typing import Final

READY: Final = "READY=1"
RELOADED: Final = "READY=1\nSTATUS=certificate read again"
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


def watchdog_interval() -> float | None:
    """Seconds between signs of life, half of what is asked for; None when nobody asked, or asked another process."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000
