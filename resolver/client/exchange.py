"""One request to one server and its answer, over each of the protocol's transports (RFC 3652, section 2).

An answer is several messages where a list is long; it is over with the first that does not say that more follow.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final
from urllib.parse import quote

import aiohttp

from registry.site import Protocol
from resolver.client.errors import BadAnswer, NoAnswer
from resolver.wire.codes import OpFlag
from resolver.wire.datagram import Reassembly, split
from resolver.wire.envelope import ProtocolError
from resolver.wire.message import Message, message_from_wire
from resolver.wire.stream import MessageStream

RETRIES: Final = (0.5, 1.0, 1.5)  # Seconds that each datagram is waited on, as by the reference client.
TIMEOUT: Final = 10.0  # Seconds over TCP and HTTP.
MAX_ANSWER: Final = 1 << 24  # Octets of a message; the national SDK's limit is as large.
MAX_MESSAGES: Final = 100_000  # Of one answer: five million handles.
READ_SIZE: Final = 1 << 16
MEDIA_TYPE: Final = "application/x-hdl-message"

_CONTINUOUS: Final = int(OpFlag.CONTINUOUS)

Exchange = Callable[[str, int, Message], Awaitable[list[Message]]]


class Transports:
    """`tls` is what HTTPS trusts; by default what the system trusts. No message may have more than `most` octets."""

    def __init__(self, tls: ssl.SSLContext | None = None, most: int = MAX_ANSWER) -> None:
        self._tls = tls
        self._most = most
        self._by: Mapping[Protocol, Exchange] = {
            Protocol.UDP: exchange_udp,
            Protocol.TCP: partial(exchange_tcp, most=most),
            Protocol.HTTP: self._http,
            Protocol.HTTPS: self._https,
        }

    async def exchange(self, protocol: Protocol, host: str, port: int, request: Message) -> list[Message]:
        """The messages of the answer. Raises NoAnswer or BadAnswer."""
        try:
            return await self._by[protocol](host, port, request)
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise NoAnswer(f"{protocol.name.lower()}://{host}:{port}: {reason}") from None
        except ProtocolError as error:
            raise BadAnswer(f"{protocol.name.lower()}://{host}:{port}: {error}") from None

    async def _http(self, host: str, port: int, request: Message) -> list[Message]:
        return await self._post(f"http://{_in_url(host)}:{port}/", request)

    async def _https(self, host: str, port: int, request: Message) -> list[Message]:
        return await self._post(f"https://{_in_url(host)}:{port}/", request)

    async def _post(self, url: str, request: Message) -> list[Message]:
        headers = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        tls = self._tls if self._tls is not None else True
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers, auto_decompress=False) as session,
            session.post(url + quote("/", safe=""), data=request.to_wire(), ssl=tls, allow_redirects=False) as response,
        ):
            if response.status != 200 or response.content_type != MEDIA_TYPE:
                raise BadAnswer(f"{url} answered with HTTP {response.status} and {response.content_type}")
            answer = _Answer(request, self._most)
            async for octets in response.content.iter_any():
                if answer.feed(octets):
                    break
            return answer.messages


async def exchange_tcp(host: str, port: int, request: Message, *, most: int = MAX_ANSWER) -> list[Message]:
    """Over a connection of its own. Raises OSError, NoAnswer or ProtocolError."""
    async with asyncio.timeout(TIMEOUT):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(request.to_wire())
            answer = _Answer(request, most)
            while octets := await reader.read(READ_SIZE):
                if answer.feed(octets):
                    return answer.messages
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    raise NoAnswer(f"tcp://{host}:{port}: closed before the answer was whole")


async def exchange_udp(host: str, port: int, request: Message) -> list[Message]:
    """Asked again while nothing comes. Raises OSError or NoAnswer."""
    loop = asyncio.get_running_loop()
    transport, asking = await loop.create_datagram_endpoint(lambda: _Asking(request), remote_addr=(host, port))
    try:
        for seconds in RETRIES:
            for datagram in split(request.to_wire()):
                transport.sendto(datagram)
            await asyncio.wait({asking.answered}, timeout=seconds)
            if asking.answered.done():
                return asking.answered.result()
    finally:
        transport.close()
    raise NoAnswer(f"udp://{host}:{port}: no answer to {len(RETRIES)} datagrams")


class _Answer:
    """Messages of a stream that answer one request, until the last of them."""

    def __init__(self, request: Message, most: int) -> None:
        self.messages: list[Message] = []
        self._request = request
        self._stream = MessageStream(most)

    def feed(self, octets: bytes) -> bool:
        """Whether the answer is whole. Raises ProtocolError."""
        self._stream.feed(octets)
        while (message := self._stream.take()) is not None:
            if not isinstance(message, Message) or not answers(message, self._request):
                continue
            self.messages.append(message)
            if not message.op_flags & _CONTINUOUS:
                return True
            if len(self.messages) >= MAX_MESSAGES:
                raise ProtocolError(f"an answer of more than {MAX_MESSAGES} messages")
        return False


class _Asking(asyncio.DatagramProtocol):
    """Waits for the answer among the datagrams of one peer; the system lets no others through to it."""

    def __init__(self, request: Message) -> None:
        self.answered: asyncio.Future[list[Message]] = asyncio.get_running_loop().create_future()
        self._request = request
        self._reassembly = Reassembly(time.monotonic)
        self._messages: list[Message] = []

    def datagram_received(self, data: bytes, addr: object) -> None:
        try:
            whole = self._reassembly.add(None, data)
            message = None if whole is None else message_from_wire(whole)
        except ProtocolError:
            return
        if isinstance(message, Message) and answers(message, self._request) and not self.answered.done():
            self._messages.append(message)
            if not message.op_flags & _CONTINUOUS:
                self.answered.set_result(self._messages)

    def error_received(self, exc: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self.answered.cancel()


def answers(message: Message, request: Message) -> bool:
    """Whether a message is an answer to this request; one to octets that could not be read has no op code."""
    return (
        message.response_code != 0
        and message.request_id == request.request_id
        and message.op_code in (request.op_code, 0)
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
