"""Hosts apart on one machine: a network namespace each, and one wire to each, which can be cut, slow or lossy.

A host's end is an interface of the kernel's (TAP, tun(4)); the other end is here, and this process carries each frame
from host to host. So what befalls a wire needs no queueing discipline of the kernel, and is over when this process
ends. Only root may.
"""

import asyncio
import contextlib
import fcntl
import os
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NETWORK: Final = "10.77.0"
FRAME: Final = 2048  # Octets: more than an Ethernet frame has.
_NAMED: Final = Path("/run/netns")
_TUNSETIFF: Final = 0x400454CA
_TAP: Final = 0x0002 | 0x1000  # IFF_TAP, and no header of its own (IFF_NO_PI)


@dataclass(frozen=True, slots=True)
class Wire:
    """Between two hosts."""

    delay: float = 0.0  # seconds, each way
    loss: float = 0.0  # of the frames
    cut: bool = False


SOUND: Final = Wire()


class Wires:
    """One network of some hosts."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.hosts = tuple(hosts)
        self._taps: list[int] = []
        self._wires: dict[frozenset[int], Wire] = {}
        self._chance = random.Random(1)

    @staticmethod
    def missing() -> str:
        """Why there can be none on this machine; nothing when there can."""
        if os.geteuid() != 0:
            return "only root may make network namespaces"
        if shutil.which("ip") is None or not Path("/dev/net/tun").exists():
            return "not on this machine: ip (iproute2), or /dev/net/tun"
        return ""

    def address(self, host: str) -> str:
        return f"{NETWORK}.{self.hosts.index(host) + 1}"

    def on(self, host: str) -> tuple[str, ...]:
        """The words that stand before a command which is to run there."""
        return ("ip", "netns", "exec", _namespace(host))

    def disturb(self, one: str, other: str, wire: Wire) -> None:
        self._wires[frozenset((self.hosts.index(one), self.hosts.index(other)))] = wire

    @contextmanager
    def laid(self) -> Iterator["Wires"]:
        """Within a running loop, which carries the frames."""
        loop = asyncio.get_running_loop()
        _sweep()
        with contextlib.ExitStack() as stack:
            for number, host in enumerate(self.hosts):
                _ip("netns", "add", _namespace(host))
                stack.callback(_ip, "netns", "delete", _namespace(host))
                tap = self._connect(number, host)
                stack.callback(os.close, tap)
                self._taps.append(tap)
            for number, tap in enumerate(self._taps):
                loop.add_reader(tap, self._carry, number)
                stack.callback(loop.remove_reader, tap)
            yield self

    def _connect(self, number: int, host: str) -> int:
        name = f"fil{os.getpid()}n{number}"
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _TAP))
        _ip("link", "set", name, "address", _mac(number).hex(":"), "netns", _namespace(host))
        _ip("-n", _namespace(host), "address", "add", f"{self.address(host)}/24", "dev", name)
        for device in (name, "lo"):
            _ip("-n", _namespace(host), "link", "set", device, "up")
        return tap

    def _carry(self, sender: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while frame := os.read(self._taps[sender], FRAME):
                for receiver in range(len(self._taps)):
                    if receiver != sender and (frame[0] & 1 or frame[:6] == _mac(receiver)):
                        self._send(sender, receiver, frame)

    def _send(self, sender: int, receiver: int, frame: bytes) -> None:
        wire = self._wires.get(frozenset((sender, receiver)), SOUND)
        if wire.cut or (wire.loss and self._chance.random() < wire.loss):
            return
        if wire.delay:
            asyncio.get_running_loop().call_later(wire.delay, self._deliver, receiver, frame)
        else:
            self._deliver(receiver, frame)

    def _deliver(self, receiver: int, frame: bytes) -> None:
        with contextlib.suppress(OSError):  # its queue is full, or the network is being taken away: a lost frame
            os.write(self._taps[receiver], frame)


def _mac(number: int) -> bytes:
    return bytes((2, 0, 0, 0, 0, number + 1))


def _namespace(host: str) -> str:
    return f"filament-{os.getpid()}-{host}"


def _sweep() -> None:
    """Takes away the namespaces of processes that were killed."""
    for left in _NAMED.glob("filament-*-*"):
        process = left.name.split("-")[1]
        if process.isdecimal() and not Path(f"/proc/{process}").exists():
            _ip("netns", "delete", left.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
