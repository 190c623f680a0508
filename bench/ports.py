"""Ports of the loopback interface for programs that cannot choose one themselves.

None is one that the system gives to whoever connects or asks for any (Linux: `ip_local_port_range`, 32768 to 60999).
Nobody holds a port between its choice and the start of its program: one of those would now and then be gone by then.
"""

import random
import socket
from contextlib import ExitStack
from typing import Final

CHOSEN_FROM: Final = range(20_000, 32_000)


def free_ports(count: int, *, datagrams: bool = False) -> list[int]:
    """They are bound together, so that no two are the same."""
    chance = random.SystemRandom()
    ports: list[int] = []
    with ExitStack() as stack:
        while len(ports) < count:
            probe = stack.enter_context(
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
            )
            try:
                probe.bind(("127.0.0.1", port := chance.choice(CHOSEN_FROM)))
            except OSError:
                continue
            ports.append(port)
    return ports


def free_port(*, datagrams: bool = False) -> int:
    (port,) = free_ports(1, datagrams=datagrams)
    return port
