"""The native port of a node in other processes, spoken to over real sockets, and which process holds which of them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from registry.settings import RegistrySettings
from resolver.node import Node, running
from resolver.settings import ResolverSettings, Settings
from resolver.wire.administration import NamedHandle
from resolver.wire.codes import OpCode
from resolver.wire.datagram import Reassembly, split
from resolver.wire.envelope import ENVELOPE, TRUNCATED, Envelope
from resolver.wire.message import Message, SealedMessage, message_from_wire
from tests.registry.books import URL, open_book, register
from tests.resolver.native import request
from tests.resolver.patience import PATIENT

DEADLINE = 60.0  # Seconds; two cores, and other tests on them.
ATTEMPTS = 400  # Connections until each of four workers has one: more than 100 were never needed.

AnyMessage = Message | SealedMessage


class Connection:
    """One TCP connection, whose requests are answered in their order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int, host: str = "127.0.0.1") -> AsyncIterator["Connection"]:
        connection = cls(*await asyncio.open_connection(host, port))
        try:
            yield connection
        finally:
            connection.writer.close()

    @property
    def local_port(self) -> int:
        return self.writer.get_extra_info("sockname")[1]

    def write(self, *messages: AnyMessage | bytes) -> None:
        octets = [one if isinstance(one, bytes) else one.to_wire() for one in messages]
        self.writer.write(b"".join(octets))

    async def read(self) -> AnyMessage:
        async with asyncio.timeout(DEADLINE):
            head = await self.reader.readexactly(ENVELOPE)
            return message_from_wire(head + await self.reader.readexactly(int.from_bytes(head[16:], "big")))

    async def ask(self, asked: AnyMessage) -> AnyMessage:
        self.write(asked)
        return await self.read()

    async def ends(self) -> bytes:
        """What still comes before the other side closes."""
        try:
            async with asyncio.timeout(DEADLINE):
                return await self.reader.read()
        except ConnectionError:
            return b""


class Datagrams(asyncio.DatagramProtocol):
    """One UDP socket."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, port: int, host: str = "127.0.0.1") -> AsyncIterator["Datagrams"]:
        loop = asyncio.get_running_loop()
        transport, datagrams = await loop.create_datagram_endpoint(cls, remote_addr=(host, port))
        try:
            yield datagrams
        finally:
            transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.came.put_nowait(data)

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self._transport.sendto(datagram)

    async def read(self) -> AnyMessage:
        reassembly = Reassembly(asyncio.get_running_loop().time)
        async with asyncio.timeout(DEADLINE):
            while (whole := reassembly.add("node", await self.came.get())) is None:
                pass
        envelope = Envelope.from_wire(whole)
        return message_from_wire(envelope._replace(flags=envelope.flags & ~TRUNCATED).to_wire() + whole[ENVELOPE:])

    async def ask(self, asked: AnyMessage) -> AnyMessage:
        self.send(*split(asked.to_wire()))
        return await self.read()


@asynccontextmanager
async def a_connection_to_each(port: int, processes: Sequence[int]) -> AsyncIterator[list[Connection]]:
    """Connections to one port whose other ends are these processes, in their order."""
    async with AsyncExitStack() as stack:
        held: dict[int, Connection] = {}
        for _ in range(ATTEMPTS):
            connection = await stack.enter_async_context(Connection.open(port))
            held.setdefault(await _holder(port, connection.local_port, processes), connection)
            if len(held) == len(processes):
                break
        for connection in held.values():
            # As the national SDKs begin: a connection that asks one thing only is not kept for long.
            begun = request(OpCode.GET_SITE_INFO, NamedHandle(b"/").to_wire(), version=(2, 10))
            assert (await connection.ask(begun)).response_code == 1
        yield [held[process] for process in processes]


async def _holder(port: int, local_port: int, processes: Sequence[int]) -> int:
    """Which of these processes has accepted the connection from a port of ours."""
    async with asyncio.timeout(DEADLINE):
        while True:
            inode = _inode(port, local_port)
            for process in processes:
                if inode != "0" and any(_links(process, f"socket:[{inode}]")):
                    return process
            await asyncio.sleep(0.01)


def _inode(port: int, local_port: int) -> str:
    """Of the other end: "0" until it was accepted."""
    wanted = [_kernel_address(port), _kernel_address(local_port)]
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        fields = line.split()
        if fields[1:3] == wanted:
            return fields[9]
    return "0"


def _links(process: int, name: str) -> list[bool]:
    links = []
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            links.append(str(descriptor.readlink()) == name)
        except FileNotFoundError:
            continue  # closed meanwhile
    return links


def _kernel_address(port: int) -> str:
    return f"{socket.htonl(0x7F000001):08X}:{port:04X}"


@asynccontextmanager
async def a_node_with(handle: str, dsn: str, directory: Path) -> AsyncIterator[Node]:
    """A ready node of one process whose book holds this handle of the prefix 88.118.1."""
    async with open_book(dsn) as store:
        await register(store, handle, URL)
    settings = Settings(
        RegistrySettings(dsn=dsn, data_directory=str(directory)),
        ResolverSettings(listen=("127.0.0.1",), port=0, native_port=0, **PATIENT),
    )
    async with running(settings) as made:
        async with asyncio.timeout(DEADLINE):
            while made.unready():  # noqa: ASYNC110  # what a node thinks of its database is told to nobody
                await asyncio.sleep(0.01)
        yield made
