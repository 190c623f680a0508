"""Clients of a node that ask for one name at a time and say what they saw, over HTTP, TCP and UDP.

Answers may come from what is kept, or are to be read anew: HTTP says so with `auth=true`, the native protocol with a
flag. Each connects when it is first asked, and again after it was cut off.
"""

import asyncio
import itertools
from enum import StrEnum
from typing import Final, Protocol

from bench.enterprise_node import told_of
from bench.native_questions import FLAGS, question
from bench.nodes import Client
from resolver.wire.codes import OpFlag
from resolver.wire.envelope import ENVELOPE

ASKED_AGAIN: Final = 0.5  # Seconds until a datagram is sent again, as the reference client does.
STAYING: Final = FLAGS | int(OpFlag.KEEP_CONNECTION)
ANEW: Final = int(OpFlag.AUTHORITATIVE)
BUSY: Final = frozenset({429, 503})
SUCCESS, SERVER_BUSY = 1, 3  # Response codes of the native protocol.
_RESPONSE_CODE: Final = slice(ENVELOPE + 4, ENVELOPE + 8)
_OP_FLAGS: Final = slice(ENVELOPE + 8, ENVELOPE + 12)
_REQUEST_ID: Final = slice(8, 12)
_SEQUENCE: Final = slice(12, 16)


class Outcome(StrEnum):
    """What a client sees of one question."""

    ANSWERED = "answered"
    OLD = "answered, said to be old"
    REFUSED = "refused"  # in so many words: ask later
    CUT_OFF = "cut off"
    SILENT = "silent"
    WRONG = "wrong"


class Asker(Protocol):
    """One client of one node."""

    async def ask(self, name: str) -> tuple[Outcome, bytes]:
        """What came of it, with the octets of the answer. Raises OSError, EOFError or ValueError."""

    def end(self) -> None: ...


async def seen(asker: Asker, name: str, patience: float) -> tuple[Outcome, bytes]:
    """What came of one question, whatever happened; the client is good for another one."""
    try:
        async with asyncio.timeout(patience):
            outcome, octets = await asker.ask(name)
    except TimeoutError:
        outcome, octets = Outcome.SILENT, b""
    except (OSError, EOFError):
        outcome, octets = Outcome.CUT_OFF, b""
    except ValueError:
        outcome, octets = Outcome.WRONG, b""
    if outcome not in (Outcome.ANSWERED, Outcome.OLD, Outcome.REFUSED):
        asker.end()
    return outcome, octets


class HttpAsker:
    """A connection that is kept, unless each question is to have one of its own."""

    def __init__(self, host: str, port: int, *, anew: bool = False, kept: bool = True) -> None:
        self._place = port, host
        self._query = "?auth=true" if anew else ""
        self._kept = kept
        self._client: Client | None = None

    async def ask(self, name: str) -> tuple[Outcome, bytes]:
        if self._client is None:
            self._client = await Client.connect(*self._place)
        head, body = await self._client.exchange(name, self._query)
        status = int(head[9:12])
        if not self._kept or b"connection: close" in head:
            self.end()
        if status in BUSY:
            return Outcome.REFUSED, body
        if status != 200 or name.encode() not in body:
            return Outcome.WRONG, head + body
        return (Outcome.OLD if b"\r\nwarning: 110" in head else Outcome.ANSWERED), body

    def end(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class PassedOnAsker(HttpAsker):
    """Asks for what an enterprise answers at a node of its own, and knows its answers from others'."""

    async def ask(self, name: str) -> tuple[Outcome, bytes]:
        outcome, octets = await super().ask(name)
        is_right = outcome is not Outcome.ANSWERED or told_of(name).encode() in octets
        return (outcome if is_right else Outcome.WRONG), octets


class TcpAsker:
    """The same with the native protocol."""

    def __init__(self, host: str, port: int, *, anew: bool = False) -> None:
        self._place = host, port
        self._flags = STAYING | (ANEW if anew else 0)
        self._numbers = itertools.count(1)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, name: str) -> tuple[Outcome, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._place)
        reader, writer = self._streams
        octets = question(name, next(self._numbers), self._flags)
        writer.write(octets)
        head = await reader.readexactly(ENVELOPE)
        answer = head + await reader.readexactly(int.from_bytes(head[16:], "big"))
        return (_outcome(answer, name) if answer[_REQUEST_ID] == octets[_REQUEST_ID] else Outcome.WRONG), answer

    def end(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class UdpAsker(asyncio.DatagramProtocol):
    """A socket that asks again when it hears nothing."""

    def __init__(self, host: str, port: int, *, anew: bool = False) -> None:
        self._place = host, port
        self._flags = FLAGS | (ANEW if anew else 0)
        self._numbers = itertools.count(1)
        self._transport: asyncio.DatagramTransport | None = None
        self._expected = b""
        self._heard = asyncio.Event()
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's has the methods, not the class

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[_REQUEST_ID] == self._expected and not int.from_bytes(data[_SEQUENCE], "big"):  # the first piece
            self._answer = data
            self._heard.set()

    async def ask(self, name: str) -> tuple[Outcome, bytes]:
        if self._transport is None:
            loop = asyncio.get_running_loop()
            await loop.create_datagram_endpoint(lambda: self, remote_addr=self._place)
        assert self._transport is not None
        octets = question(name, next(self._numbers), self._flags)
        self._expected = octets[_REQUEST_ID]
        self._heard.clear()
        while not self._heard.is_set():
            self._transport.sendto(octets)
            try:
                await asyncio.wait_for(self._heard.wait(), ASKED_AGAIN)
            except TimeoutError:
                continue
        return _outcome(self._answer, name), self._answer

    def end(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


def _outcome(answer: bytes, name: str) -> Outcome:
    code = int.from_bytes(answer[_RESPONSE_CODE], "big")
    if code == SERVER_BUSY:
        return Outcome.REFUSED
    if code != SUCCESS or name.encode() not in answer:
        return Outcome.WRONG
    return Outcome.ANSWERED if int.from_bytes(answer[_OP_FLAGS], "big") & ANEW else Outcome.OLD
