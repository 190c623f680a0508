"""Servers that answer what a test tells them to, on one port over UDP and TCP."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address

from registry.errors import ResponseCode
from registry.site import Interface, InterfaceKind, Protocol, ServerInfo, SiteInfo
from registry.value import HandleValue
from resolver.client.servers import Server
from resolver.wire.datagram import Reassembly, split
from resolver.wire.message import Message
from resolver.wire.query import HandleValues, Query
from resolver.wire.refusal import Referral
from resolver.wire.stream import MessageStream

Answering = Callable[[Message], list[Message]]
Record = tuple[HandleValue, ...] | Referral | int


def reply(request: Message, code: int, body: bytes = b"") -> Message:
    return request.answered(code, body, expiration=int(time.time()) + 60, serial=1)


class Scripted:
    """A server with a book: by handle the values, a code, or where it refers to. It remembers what it was asked."""

    def __init__(self) -> None:
        self.book: dict[str, Record] = {}
        self.port = 0
        self.asked: list[tuple[str, str]] = []  # transport and handle
        self.deaf_to_datagrams = 0  # so many are passed over
        self.conversing: set[asyncio.Task[None]] = set()

    @property
    def server(self) -> Server:
        return Server.from_text(f"127.0.0.1:{self.port}")

    def site(self, value_type: str = "HS_SITE", address: str = "127.0.0.1", **fields) -> HandleValue:
        both = InterfaceKind.BOTH
        interfaces = (Interface(both, Protocol.TCP, self.port), Interface(both, Protocol.UDP, self.port))
        info = SiteInfo(1, (ServerInfo(1, ip_address(address), b"", interfaces),), **fields)
        return HandleValue(1, value_type, info.to_wire())

    def answers(self, request: Message, transport: str) -> list[Message]:
        query = Query.from_wire(request.body)
        handle = query.handle.decode()
        self.asked.append((transport, handle))
        found = self.book.get(handle, ResponseCode.HANDLE_NOT_FOUND)
        if isinstance(found, int):
            return [reply(request, found)]
        if isinstance(found, Referral):
            code = ResponseCode.SERVICE_REFERRAL if found.handle else ResponseCode.PREFIX_REFERRAL
            return [reply(request, code, found.to_wire())]
        return [reply(request, 1, HandleValues(query.handle, found).to_wire())]

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversing = asyncio.current_task()
        self.conversing.add(conversing)
        conversing.add_done_callback(self.conversing.discard)
        stream = MessageStream()
        while octets := await reader.read(1 << 16):
            stream.feed(octets)
            while (message := stream.take()) is not None:
                assert isinstance(message, Message)
                for answer in self.answers(message, "tcp"):
                    writer.write(answer.to_wire())
        writer.close()
        await writer.wait_closed()


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, scripted: Scripted) -> None:
        self._scripted = scripted
        self._reassembly = Reassembly(time.monotonic)

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        if self._scripted.deaf_to_datagrams:
            self._scripted.deaf_to_datagrams -= 1
            return
        whole = self._reassembly.add(addr, data)
        if whole is None:
            return
        request = Message.from_wire(whole)
        self._transport.sendto(b"nonsense", addr)
        self._transport.sendto(request._replace(request_id=request.request_id ^ 1, response_code=100).to_wire(), addr)
        for answer in self._scripted.answers(request, "udp"):
            for datagram in reversed(split(answer.to_wire())):
                self._transport.sendto(datagram, addr)


@asynccontextmanager
async def scripted() -> AsyncIterator[Scripted]:
    loop = asyncio.get_running_loop()
    made = Scripted()
    while True:
        server = await asyncio.start_server(made.converse, "127.0.0.1", 0)
        made.port = server.sockets[0].getsockname()[1]
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            bound.bind(("127.0.0.1", made.port))
        except OSError:  # somebody else's datagrams
            bound.close()
            server.close()
            continue
        break
    transport, _ = await loop.create_datagram_endpoint(lambda: Datagrams(made), sock=bound)
    try:
        yield made
    finally:
        transport.close()
        server.close()
        if made.conversing:
            await asyncio.wait(made.conversing, timeout=10)
