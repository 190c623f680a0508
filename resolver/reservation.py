"""Ports held for the processes that will share them, and the refusal when another program has one.

Resolvers share their port (SO_REUSEPORT), so a second node of the same user would silently take half of the first one's
questions: whether a port is free is asked without sharing, before it is held for sharing.
"""

import errno
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

# No IPv6 here: a module that is not loaded, or one that is switched off.
_NO_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})
_EVERY_IPV6: Final = "::"
ATTEMPTS: Final = 20  # Ports that the system chooses before we give up to find one that datagrams have free too.


class PortTaken(Exception):
    """Another program listens there, or it is not ours to use."""

    def __init__(self, address: str, port: int, reason: str) -> None:
        super().__init__(f"port {port} of {address}: {reason}")
        self.address = address
        self.port = port


@dataclass(frozen=True, slots=True)
class Reservation:
    """Addresses and a port that are ours while the sockets are open; they are bound and never listen."""

    addresses: tuple[str, ...]
    port: int
    sockets: tuple[socket.socket, ...]

    def release(self) -> None:
        for held in self.sockets:
            held.close()


def reserve(addresses: Collection[str], port: int, *, datagrams: bool = False) -> Reservation:
    """Holds one port of these addresses; with port 0 a free one. Raises PortTaken.

    With `datagrams` it is free for them too. It is not held for them: a bound socket is given its share of them.
    """
    if datagrams and not port:
        return _reserve_any(addresses)
    held: dict[str, socket.socket] = {}
    try:
        for address in addresses:
            try:
                if port:
                    _bind(address, port, shared=False).close()
                if datagrams:
                    _bind(address, port, shared=False, kind=socket.SOCK_DGRAM).close()
                held[address] = _bind(address, port, shared=True)
            except _Unavailable:
                continue
            port = port or held[address].getsockname()[1]
    except BaseException:
        for opened in held.values():
            opened.close()
        raise
    return Reservation(tuple(held), port, tuple(held.values()))


def hold(addresses: Collection[str], port: int) -> Reservation:
    """Holds a port that processes of ours listen on already."""
    return Reservation(tuple(addresses), port, tuple(_bind(address, port, shared=True) for address in addresses))


def _reserve_any(addresses: Collection[str]) -> Reservation:
    for attempt in range(ATTEMPTS):
        free = reserve(addresses, 0)
        free.release()
        try:
            return reserve(addresses, free.port, datagrams=True)
        except PortTaken:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt raises or returns")


class _Unavailable(Exception):
    """The address family is not there."""


def _bind(address: str, port: int, *, shared: bool, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        held = socket.socket(family, kind)
    except OSError as error:
        raise _Unavailable from error
    try:
        if kind == socket.SOCK_STREAM:  # connections of a former run are still closing
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        held.bind((address, port))
    except OSError as error:
        held.close()
        if address == _EVERY_IPV6 and error.errno in _NO_FAMILY:
            raise _Unavailable from error
        raise PortTaken(address, port, error.strerror or str(error)) from None
    return held
