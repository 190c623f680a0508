"""The node of an enterprise, which answers as it is told: right, wrong, late, or not at all.

`python -m bench.enterprise_node ADDRESS` listens for the native protocol over TCP and says where. A line of standard
input is how it answers from then on (`MANNERS`), and has it say how often it was asked until then. It ends with its
standard input. Every name is registered there, and its answer holds it once more, so that another's is known.
"""

import asyncio
import contextlib
import os
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Final

from registry.octets import Truncated
from registry.site import Interface, InterfaceKind, Protocol, ServerInfo, SiteInfo
from registry.value import HandleValue
from resolver.wire.envelope import ProtocolError
from resolver.wire.message import Message
from resolver.wire.query import HandleValues, Query
from resolver.wire.stream import MessageStream

PREFIX: Final = "88.168.9"  # Whose handles are there.
LATE: Final = 1.0  # Seconds that a slow node needs for an answer: less than there are for it (`DEADLINE`).
# `[recursion] deadline` of the nodes that ask: less than their clients wait, who are to hear that nobody answered.
DEADLINE: Final = 2.0
STARTING: Final = 30.0  # Seconds.
RIGHT: Final = "right"
_PLACE: Final = re.compile(r"listening on (\S+) (\d+)")


def told_of(name: str) -> str:
    """What is registered of a name."""
    return f"told of {name}"


def _answer(request: Message, name: str, *, request_id: int | None = None) -> bytes:
    values = (HandleValue(1, "SPEC", told_of(name).encode(), ttl=1),)
    body = HandleValues(name.encode(), values).to_wire()
    answer = request.answered(1, body, expiration=int(time.time()) + 60, serial=1)
    return answer.to_wire() if request_id is None else answer._replace(request_id=request_id).to_wire()


def _right(request: Message, name: str) -> bytes:
    return _answer(request, name)


MANNERS: Final[Mapping[str, Callable[[Message, str], bytes]]] = {
    RIGHT: _right,
    "slow": _right,
    "silent": lambda request, name: b"",
    "of another handle": lambda request, name: _answer(request, f"{name}-another"),
    "with another id": lambda request, name: _answer(request, name, request_id=request.request_id ^ 1),
    "garbage": lambda request, name: os.urandom(200),
}


class Answering:
    """Everybody who is connected, and the manner in which they are answered."""

    def __init__(self) -> None:
        self.manner = RIGHT
        self.asked = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = MessageStream()
        with contextlib.suppress(ConnectionError, ProtocolError, Truncated):
            while octets := await reader.read(1 << 16):
                stream.feed(octets)
                while isinstance(message := stream.take(), Message):
                    writer.write(await self._answer(message))
        writer.close()

    async def _answer(self, request: Message) -> bytes:
        self.asked += 1
        manner = self.manner
        if manner == "slow":
            await asyncio.sleep(LATE)
        return MANNERS[manner](request, Query.from_wire(request.body).handle.decode())


async def serve(address: str) -> None:
    answering = Answering()
    server = await asyncio.start_server(answering.converse, address, 0)
    print(f"listening on {address} {server.sockets[0].getsockname()[1]}", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        answering.manner = line.strip()
        print(answering.asked, flush=True)
        answering.asked = 0
    server.close()


class EnterpriseNode:
    """It in a process of its own. `asked` is how often it was, by manner."""

    def __init__(self, process: asyncio.subprocess.Process, address: str, port: int) -> None:
        interface = Interface(InterfaceKind.BOTH, Protocol.TCP, port)
        self.site = SiteInfo(1, (ServerInfo(1, ip_address(address), b"", (interface,)),))
        self.asked: Counter[str] = Counter()
        self._process = process
        self._manner = RIGHT

    async def be(self, manner: str) -> None:
        """Answers so from now on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{manner}\n".encode())
        self.asked[self._manner] += int(await self._process.stdout.readline())
        self._manner = manner


@asynccontextmanager
async def an_enterprise_node(address: str, *before: str) -> AsyncIterator[EnterpriseNode]:
    """It runs as long as the block, behind the words of another command where some are given."""
    words: Sequence[str] = (*before, sys.executable, "-m", "bench.enterprise_node", address)
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(STARTING):
            found = _PLACE.match((await process.stdout.readline()).decode())
        if found is None:
            raise RuntimeError("the node of the enterprise did not start")
        yield EnterpriseNode(process, found[1], int(found[2]))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def recursion_into(network: str) -> dict[str, str]:
    """The environment of a node that asks on behalf of others there."""
    return {"FILAMENT_RECURSION_NETWORKS": network, "FILAMENT_RECURSION_DEADLINE": str(DEADLINE)}


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
