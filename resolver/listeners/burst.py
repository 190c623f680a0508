"""Datagrams read and written in bursts: one system call for several dozen (recvmmsg(2), sendmmsg(2)), and no compiler.

The kernel's vectors of messages stand in memory that never moves; the lengths of a burst are read, and its places and
lengths written, as one array each. A source is octets: the peer's address as the kernel writes it and, on a socket for
every address, the one of ours that was asked, because the answer must come from there. Linux on 64 bits has all this;
elsewhere `datagrams.SingleDatagrams` serves.
"""

import asyncio
import ctypes
import errno
import logging
import os
import socket
import struct
import sys
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate
from mmap import mmap
from operator import itemgetter
from typing import Final

from resolver.listeners.budget import IPV4_NETWORK, IPV6_NETWORK
from resolver.listeners.datagrams import UNSENT
from resolver.wire.datagram import MAX_DATAGRAM

log = logging.getLogger(__name__)

AT_ONCE: Final = 64  # Datagrams a system call, which then costs each of them little.
# Bursts before others have their turn: a thousand datagrams, a few milliseconds. What comes in while a turn of the loop
# is long, as much is read from the database, must not stay behind, or the kernel drops who asks for kept answers.
BURSTS_A_TURN: Final = 16
# Octets of a datagram that are read; the rest is cut off, and what is left is no message. The RFC knows 512, but a
# client may write a name of 2,048 into one datagram. No power of two: those would all lie in the same lines of cache.
HEARD: Final = 2368

_NAME: Final = 32  # Octets kept for an address; the kernel writes 16 or 28.
_CONTROL: Final = 48  # and for the address that was asked; it writes 32 or 40.
_PLACE: Final = _NAME + _CONTROL
_HEADER: Final = struct.Struct("@PI4xPNPNi4xI4x")  # struct mmsghdr: name, vector, control, flags, length
_SEGMENT: Final = struct.Struct("@PN")  # struct iovec
_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  # recognised, not bound to

# By family: octets of an address and of the control message, where in them the network and the interface stand, and
# the option that asks for the address of ours. IPV6_RECVPKTINFO has another number than IPV6_PKTINFO.
_IP_PKTINFO: Final = 8
_LAYOUTS: Final = {
    socket.AF_INET: (16, 32, slice(4, 4 + IPV4_NETWORK), 16, (socket.IPPROTO_IP, _IP_PKTINFO)),
    socket.AF_INET6: (28, 40, slice(8, 8 + IPV6_NETWORK), 32, (socket.IPPROTO_IPV6, 49)),
}

Hear = Callable[[list[bytes], list[bytes]], None]


def are_there() -> bool:
    """Whether this system can do it."""
    return sys.platform == "linux" and sys.maxsize > 1 << 32 and sys.byteorder == "little" and _C is not None


def _library() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None, use_errno=True)
    if not (hasattr(library, "recvmmsg") and hasattr(library, "sendmmsg")):
        return None
    library.sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    library.recvmmsg.argtypes = (*library.sendmmsg.argtypes, ctypes.c_void_p)
    return library


_C: Final = _library() if sys.platform == "linux" else None


class _Messages:
    """A vector of messages for the kernel, and the memory that it points to."""

    def __init__(self, family: int, slot: int, *, control: bool) -> None:
        name, with_control, *_ = _LAYOUTS[socket.AddressFamily(family)]
        self.octets = mmap(-1, AT_ONCE * slot)
        self.places = mmap(-1, AT_ONCE * _PLACE)
        self._headers = mmap(-1, AT_ONCE * _HEADER.size)
        segments = mmap(-1, AT_ONCE * _SEGMENT.size)
        memories = (self.octets, self.places, segments, self._headers)
        self.base, places, vector, self.address = map(_address, memories)
        for number in range(AT_ONCE):
            place = places + number * _PLACE
            _SEGMENT.pack_into(segments, number * _SEGMENT.size, self.base + number * slot, slot)
            asked = (place + _NAME, with_control) if control else (0, 0)
            message = (place, name, vector + number * _SEGMENT.size, 1, *asked, 0, 0)
            _HEADER.pack_into(self._headers, number * _HEADER.size, *message)
        self.lengths = memoryview(self._headers).cast("I")[14 :: _HEADER.size // 4]
        self.controls = memoryview(self._headers).cast("Q")[5 :: _HEADER.size // 8]
        self.starts = memoryview(segments).cast("Q")[0::2]
        self.sizes = memoryview(segments).cast("Q")[1::2]


def _address(memory: mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


class BurstDatagrams:
    """One bound socket. `hear` is given what came, and where each came from."""

    def __init__(self, bound: socket.socket, hear: Hear) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = bound
        self._hear = hear
        self._family = bound.family
        self._unsent: deque[tuple[bytes, bytes]] = deque()
        self._unsent_octets = 0
        _, control, self._network, interface, option = _LAYOUTS[bound.family]
        self._any = bound.getsockname()[0] in _ANY
        if self._any:
            bound.setsockopt(*option, 1)
        self._heard = _Messages(bound.family, HEARD, control=self._any)
        self._sent = _Messages(bound.family, MAX_DATAGRAM, control=self._any)
        self._controls = array("Q", [control] * AT_ONCE)
        self._interfaces = memoryview(self._sent.places).cast("I")[(_NAME + interface) // 4 :: _PLACE // 4]
        self._slots = [(number * HEARD, slice(number * _PLACE, (number + 1) * _PLACE)) for number in range(AT_ONCE)]
        self.host_of = itemgetter(slice(4, 8) if bound.family == socket.AF_INET else slice(8, 24))  # The address alone.
        self._loop.add_reader(bound, self._read)

    def network_of(self, source: bytes) -> bytes:
        """★"""
        return source[self._network]

    def address_of(self, source: bytes) -> str:
        return socket.inet_ntop(self._family, self.host_of(source))

    def send(self, datagrams: Sequence[bytes], sources: Sequence[bytes]) -> int:
        """★ Sends each to its source; returns how many had to be dropped, as too many were not taken before."""
        done = 0
        while done < len(datagrams) and not self._unsent:
            part = slice(done, done + AT_ONCE)
            written = self._write(datagrams[part], sources[part])
            done += written
            if written < AT_ONCE:
                break
        if done >= len(datagrams):
            return 0
        return self._put_off(datagrams[done:], sources[done:])

    def stop_hearing(self) -> None:
        self._loop.remove_reader(self._socket)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._unsent.clear()
        self._socket.close()

    def _read(self) -> None:
        """★"""
        for _ in range(BURSTS_A_TURN):
            if self._read_burst() < AT_ONCE:
                return

    def _read_burst(self) -> int:
        """★ How many came."""
        assert _C is not None
        heard = self._heard
        if self._any:
            heard.controls[:] = self._controls
        count: int = _C.recvmmsg(self._socket.fileno(), heard.address, AT_ONCE, socket.MSG_DONTWAIT, None)
        if count <= 0:
            log.debug("no datagram could be read: %s", os.strerror(ctypes.get_errno()))
            return 0
        octets, places, slots = heard.octets, heard.places, self._slots
        lengths = heard.lengths[:count].tolist()
        self._hear(
            [octets[start : start + length] for (start, _), length in zip(slots, lengths, strict=False)],
            [places[place] for _, place in slots[:count]],
        )
        return count

    def _write(self, datagrams: Sequence[bytes], sources: Sequence[bytes]) -> int:
        """★ How many of them, AT_ONCE at most, need no more be cared for: they are sent, or never can be."""
        assert _C is not None
        sent, count = self._sent, len(datagrams)
        octets = b"".join(datagrams)
        sent.octets[: len(octets)] = octets
        sent.places[: count * _PLACE] = b"".join(sources)
        sizes = array("Q", map(len, datagrams))
        sent.sizes[:count] = sizes
        sent.starts[:count] = array("Q", accumulate(sizes[:-1], initial=sent.base))
        if self._any:  # Whichever interface it came by: routes say by which it leaves.
            self._interfaces[:count] = _NO_INTERFACES[:count]
        done = 0
        while done < count:
            written = _C.sendmmsg(
                self._socket.fileno(), sent.address + done * _HEADER.size, count - done, socket.MSG_DONTWAIT
            )
            if written < 0:
                error = ctypes.get_errno()
                if error == errno.EAGAIN:
                    return done
                log.debug("a datagram could not be delivered: %s", os.strerror(error))
                written = 1  # the first of them, which is what was refused
            done += written
        return done

    def _put_off(self, datagrams: Sequence[bytes], sources: Sequence[bytes]) -> int:
        if not self._unsent:
            self._loop.add_writer(self._socket, self._go_on)
        dropped = 0
        for octets, source in zip(datagrams, sources, strict=True):
            if self._unsent_octets + len(octets) > UNSENT:
                dropped += 1
                continue
            self._unsent.append((octets, source))
            self._unsent_octets += len(octets)
        return dropped

    def _go_on(self) -> None:
        part = [self._unsent[number] for number in range(min(AT_ONCE, len(self._unsent)))]
        for _ in range(self._write([octets for octets, _ in part], [source for _, source in part])):
            self._unsent_octets -= len(self._unsent.popleft()[0])
        if not self._unsent:
            self._loop.remove_writer(self._socket)


_NO_INTERFACES: Final = array("I", bytes(4 * AT_ONCE))
