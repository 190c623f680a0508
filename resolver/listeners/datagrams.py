"""Datagrams read and written one by one through the event loop, where the system has no bursts (`burst`)."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final

from resolver.listeners.budget import network_of

log = logging.getLogger(__name__)

UNSENT: Final = 1 << 20  # Octets of answers that the network does not take; beyond them answers are dropped.

Source = tuple[str, int] | tuple[str, int, int, int]
Hear = Callable[[list[bytes], list[Source]], None]


class SingleDatagrams(asyncio.DatagramProtocol):
    """One bound socket. `hear` is given what came, and where it came from."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, bound: socket.socket) -> None:
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=bound)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's has the methods, not the class

    def error_received(self, exc: Exception) -> None:
        log.debug("a datagram could not be delivered: %s", exc)

    def datagram_received(self, data: bytes, addr: Source) -> None:
        """★"""
        self._hear([data], [addr])

    def host_of(self, source: Source, /) -> str:
        """★"""
        return source[0]

    def network_of(self, source: Source) -> bytes:
        """★"""
        return network_of(source[0])

    def address_of(self, source: Source) -> str:
        return source[0]

    def send(self, datagrams: Sequence[bytes], sources: Sequence[Source]) -> int:
        """★ Sends each to its source; returns how many had to be dropped, as too many were not taken before."""
        transport = self._transport
        if transport is None:
            return 0
        for number, (octets, source) in enumerate(zip(datagrams, sources, strict=True)):
            if transport.get_write_buffer_size() > UNSENT:  # type: ignore[attr-defined]  # both loops' have it
                return len(datagrams) - number
            transport.sendto(octets, source)
        return 0

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None
