"""Sockets handed by a process to its successor, so that nobody who asks meanwhile is turned away (unix(7), SCM_RIGHTS).

Both have the same sockets from then on. What the kernel holds in them, connections that nobody accepted and datagrams
that nobody read, is not lost, as it would be if one socket were closed and another opened. The successor takes them
once it can serve, and only then does the former process stop listening: if it fails before, nothing has happened.
Connections that wait for their next request follow one by one.

The place is a name in the abstract namespace, which has no owner: each side looks at who the other is.
"""

import asyncio
import contextlib
import errno
import json
import logging
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

log = logging.getLogger(__name__)

IS_POSSIBLE: Final = sys.platform == "linux"
TIMEOUT: Final = 10.0  # Seconds for a process that lives and has nothing else to do but to hand over.
MAX_SOCKETS: Final = 64  # In one message: the addresses that are listened on; the kernel takes 253.
MAX_MESSAGE: Final = 4096
TAKEN: Final = b"taken"
CONNECTION: Final = "connection "  # Before the kind of a listening socket, a connection that came through it.

Receive = Callable[[str, socket.socket], None]


class Legacy:
    """What a running process leaves. `listening` names its sockets by kind; `taken` says that a successor has them."""

    def __init__(self, listening: Callable[[], Mapping[str, Sequence[socket.socket]]]) -> None:
        self.taken = asyncio.Event()
        self._listening = listening
        self._heir: socket.socket | None = None

    @asynccontextmanager
    async def offered(self) -> AsyncIterator[None]:
        """Whoever is our successor may come as long as the block runs."""
        door = _door()
        if door is None:
            yield
            return
        loop = asyncio.get_running_loop()
        with door:
            loop.add_reader(door, self._open, door)
            try:
                yield
            finally:
                loop.remove_reader(door)
                self._part()

    def pass_on(self, kind: str, descriptor: int) -> bool:
        """Gives the successor a connection, which is closed here then; False while it cannot take one."""
        if self._heir is None:
            return False
        try:
            socket.send_fds(self._heir, [json.dumps({"kind": CONNECTION + kind}).encode()], [descriptor])
        except BlockingIOError:
            return False
        except OSError as error:
            log.warning("the successor takes no more connections: %s", error)
            self._part()
            return False
        return True

    def _open(self, door: socket.socket) -> None:
        heir, _ = door.accept()
        heir.setblocking(False)
        if self._heir is not None or not _is_ours(heir):
            heir.close()
            return
        self._heir = heir
        given = [(kind, one.fileno()) for kind, sockets in self._listening().items() for one in sockets]
        message = json.dumps({"kinds": [kind for kind, _ in given]}).encode()
        try:
            socket.send_fds(heir, [message], [descriptor for _, descriptor in given][:MAX_SOCKETS])
        except OSError as error:
            log.warning("the sockets cannot be handed over: %s", error)
            self._part()
            return
        asyncio.get_running_loop().add_reader(heir, self._hear, heir)

    def _hear(self, heir: socket.socket) -> None:
        said = b""
        with contextlib.suppress(OSError):
            said = heir.recv(MAX_MESSAGE)
        if said == TAKEN:
            asyncio.get_running_loop().remove_reader(heir)
            self.taken.set()
        else:  # it ended before it could serve: everything stays as it was
            self._part()

    def _part(self) -> None:
        if self._heir is not None:
            asyncio.get_running_loop().remove_reader(self._heir)
            self._heir.close()
            self._heir = None


class Inheritance:
    """What a successor was given: listening sockets by kind, and connections that follow."""

    def __init__(self, former: socket.socket, sockets: Mapping[str, Sequence[socket.socket]]) -> None:
        self._sockets = {kind: list(bound) for kind, bound in sockets.items()}
        self._former = former

    def listening(self, kind: str) -> list[socket.socket]:
        """The sockets of a kind, which are the caller's from then on."""
        return self._sockets.pop(kind, [])

    def serve(self, receive: Receive) -> None:
        """Says that everything is listened on, and gives each connection that follows to `receive`."""
        self._former.setblocking(False)
        self._former.send(TAKEN)
        asyncio.get_running_loop().add_reader(self._former, self._hear, receive)

    def _hear(self, receive: Receive) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._former, MAX_MESSAGE, 1)
        except BlockingIOError:
            return
        except OSError:
            message, descriptors = b"", []
        if not message:
            asyncio.get_running_loop().remove_reader(self._former)
            self._former.close()
            return
        kind = json.loads(message)["kind"].removeprefix(CONNECTION)
        for descriptor in descriptors:
            receive(kind, socket.socket(fileno=descriptor))


class InheritedProcess:
    """A child of ours that a former program of this process started; as much of subprocess.Popen as we use."""

    def __init__(self, number: int) -> None:
        self.pid = number
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Blocks until it has ended."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    async def ended(self) -> int:
        """Waits until it has ended."""
        loop = asyncio.get_running_loop()
        descriptor = os.pidfd_open(self.pid)
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        return self.wait()


def inherit(process: int) -> Inheritance | None:
    """Takes over from a process of ours; None when it is gone, or hands nothing over. To be run on a thread."""
    former = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        former.settimeout(TIMEOUT)
        former.connect(_place(process))
        if not _is_ours(former, process):
            raise ConnectionError("somebody else is there")
        message, descriptors, _, _ = socket.recv_fds(former, MAX_MESSAGE, MAX_SOCKETS)
        kinds = json.loads(message)["kinds"]
    except (OSError, ValueError) as error:
        log.warning("nothing is taken over from process %d: %s", process, error)
        former.close()
        return None
    sockets: dict[str, list[socket.socket]] = {}
    for kind, descriptor in zip(kinds, descriptors, strict=True):
        sockets.setdefault(kind, []).append(socket.socket(fileno=descriptor))
    return Inheritance(former, sockets)


def _door() -> socket.socket | None:
    """Where a successor knocks; None where there can be none, and for a second node in one process."""
    if not IS_POSSIBLE:
        return None
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        door.setblocking(False)
        door.bind(_place(os.getpid()))
        door.listen(1)
    except OSError as error:
        door.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return door


def _place(process: int) -> str:
    return f"\0filament-{process}"


def _is_ours(peer: socket.socket, process: int | None = None) -> bool:
    """Whether the other side is a process of our own user, and perhaps a certain one."""
    said = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    number, user, _ = struct.unpack("3i", said)
    return bool(user == os.geteuid() and process in (None, number))
