"""One connection to an upstream's native port, over which records are asked for, many at a time.

Everything that an upstream does wrong ends the connection and is a ConnectionError, which is what the database being
away is elsewhere: reads are given up together, one probe asks again, and nobody waits for a time-out of his own.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from registry.errors import ResponseCode
from registry.octets import Truncated
from registry.site import Protocol
from resolver.client.exchange import answers
from resolver.client.messages import request_of
from resolver.client.servers import Server
from resolver.wire.administration import NOTHING_NAMED, NamedHandle
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import ProtocolError
from resolver.wire.message import Message
from resolver.wire.records import Found, Records, RecordsQuery, ShownRecord
from resolver.wire.stream import MessageStream

CONNECT: Final = 2.0  # Seconds.
READ_SIZE: Final = 1 << 18
MAX_OCTETS: Final = 96 << 20  # Of one answer: 256 of the longest records, and what surrounds them.
MAX_PART: Final = 1 << 20  # Of one of its messages: a part is ended with the record that makes it longer than 256 KiB.

_KEEP: Final = int(OpFlag.KEEP_CONNECTION | OpFlag.PUBLIC_ONLY)
_CONTINUOUS: Final = int(OpFlag.CONTINUOUS)


class NotSupported(ConnectionAbortedError):
    """The upstream has no such operation."""


class Link:
    """Connects when it is first needed, and again after a failure, to the next of its servers."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._places = [(one.host, port) for one in servers for way, port in one.interfaces if way is Protocol.TCP]
        self._next = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def records(self, names: Sequence[bytes], position: str, deadline: float) -> tuple[ShownRecord, ...]:
        """Records in the order of names, no older than a position. Raises OSError, TimeoutError."""
        body = RecordsQuery(position, tuple(names)).to_wire()
        parts = await self._ask(OpCode.EDGE_RECORDS, body, deadline)
        try:
            records = tuple(record for part in parts for record in Records.from_wire(part.content).records)
        except Truncated as error:
            raise self._broken(f"records that cannot be read: {error}") from None
        if len(records) != len(names):
            raise self._broken(f"{len(records)} records for {len(names)} names")
        if any(record.found is Found.BUSY for record in records):
            raise self._broken("it could not read all of them")
        return records

    async def site(self, deadline: float) -> bytes:
        """What the upstream says of itself. Raises OSError, TimeoutError."""
        return (await self._ask(OpCode.GET_SITE_INFO, NamedHandle(NOTHING_NAMED).to_wire(), deadline))[0].content

    async def close(self) -> None:
        if self._streams is not None:
            (_, writer), self._streams = self._streams, None
            writer.transport.abort()

    async def _ask(self, op_code: int, body: bytes, deadline: float) -> list[Message]:
        request = request_of(op_code, body, _KEEP)
        # Less than we have ourselves: what comes later is of no use.
        request = request._replace(recursion=1, expiration=int(time.time() + deadline))
        was_open = self._streams is not None
        try:
            return await self._exchange(request)
        except ConnectionError:
            await self.close()
            if not was_open:
                raise
            return await self._exchange(request)  # An upstream ends connections that were idle, and restarts.
        except BaseException:
            await self.close()
            raise

    async def _exchange(self, request: Message) -> list[Message]:
        if self._streams is None:
            self._streams = await self._connect()
        reader, writer = self._streams
        writer.write(request.to_wire())
        stream, parts, octets = MessageStream(MAX_PART), [], 0
        try:
            while True:
                while (message := stream.take()) is None:
                    received = await reader.read(READ_SIZE)
                    if not received:
                        raise ConnectionResetError("the upstream ended the connection")
                    stream.feed(received)
                if not isinstance(message, Message) or not answers(message, request):
                    raise self._broken("an answer to something else")
                if message.response_code == ResponseCode.OPERATION_NOT_SUPPORTED:
                    raise NotSupported(f"operation {request.op_code}")
                if message.response_code != ResponseCode.SUCCESS:
                    raise self._broken(f"code {message.response_code}")
                parts.append(message)
                octets += len(message.body)
                if octets > MAX_OCTETS:
                    raise self._broken(f"more than {MAX_OCTETS} octets")
                if not message.op_flags & _CONTINUOUS:
                    return parts
        except (ProtocolError, Truncated) as error:
            raise self._broken(f"no message: {error}") from None
        except ConnectionError:
            await self.close()
            raise

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        failure: OSError = ConnectionRefusedError("no upstream")
        for _ in self._places:
            host, port = self._places[self._next]
            try:
                async with asyncio.timeout(CONNECT):
                    return await asyncio.open_connection(host, port)
            except OSError as error:  # TimeoutError is one.
                failure = error
                self._next = (self._next + 1) % len(self._places)
        raise failure

    def _broken(self, reason: str) -> ConnectionError:
        """Whoever answers wrongly is not asked again first."""
        self._next = (self._next + 1) % max(1, len(self._places))
        if self._streams is not None:
            (_, writer), self._streams = self._streams, None
            writer.transport.abort()
        return ConnectionAbortedError(f"the upstream answers wrongly: {reason}")
