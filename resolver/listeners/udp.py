"""The native protocol over UDP: a cached answer leaves before the next datagram is looked at (RFC 3652, section 2.3).

Whoever sends nonsense, too much, or answers, hears nothing. Requesters that hear nothing ask again and then over TCP.
"""

import asyncio
import logging
import socket
from typing import Final

from cachetools import TTLCache

from resolver.conversation import Conversation
from resolver.listeners.budget import Account, Budget
from resolver.metrics import Metrics
from resolver.operations import Operations
from resolver.wire.codes import OpCode
from resolver.wire.datagram import MAX_DATAGRAM, Reassembly, split
from resolver.wire.envelope import ENVELOPE, TRUNCATED, ProtocolError
from resolver.wire.message import Message, SealedMessage, message_from_wire

log = logging.getLogger(__name__)

MAX_WAITING: Final = 1024  # Requests that wait for the database; more are dropped, and asked again.
RECEIVE_BUFFER: Final = 4 << 20  # Octets that the kernel keeps while we do something else; systems may grant less.
# Answers to what can be said once, which are kept in case they are lost: asked again, a nonce that was used proves
# nothing, and a session has the key that it was sent.
SAID_ONCE: Final = frozenset({OpCode.CHALLENGE_ANSWER, OpCode.SESSION_KEY_EXCHANGE})
RELEASED: Final = 1024
RELEASED_LIFE: Final = 5.0  # Seconds; requesters ask for the last time after three.
RELEASED_OCTETS: Final = 4096  # Larger answers are not kept: four megabytes in all.
UNSENT: Final = 1 << 20  # Octets of answers that the network does not take; beyond them answers are dropped.
FORGET_INTERVAL: Final = 1.0  # Seconds between two looks for datagrams whose message never became whole.

Address = tuple[str, int] | tuple[str, int, int, int]


class UdpListener(asyncio.DatagramProtocol):
    """Answers on one socket. Several share a `Budget`."""

    def __init__(self, operations: Operations, metrics: Metrics, budget: Budget) -> None:
        self._operations = operations
        self._counts = metrics.counts
        self._budget = budget
        self._loop = asyncio.get_running_loop()
        self._reassembly = Reassembly(self._loop.time)
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[tuple[Address, int], asyncio.Task[None]] = {}
        self._released: TTLCache[tuple[Address, Message], list[bytes]] = TTLCache(
            RELEASED, RELEASED_LIFE, timer=self._loop.time
        )
        self._forgetting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's has the methods, not the class
        self._forget_old()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._forgetting is not None:
            self._forgetting.cancel()

    def error_received(self, exc: Exception) -> None:
        log.debug("a datagram could not be delivered: %s", exc)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """★"""
        account = self._budget.credit(addr[0], len(data))
        try:
            whole = data
            if len(data) > ENVELOPE and data[2] & TRUNCATED:
                joined = self._reassembly.add(addr, data)
                if joined is None:
                    return
                whole = joined
            message = message_from_wire(whole)
        except ProtocolError as error:
            self._counts.dropped_nonsense += 1
            log.debug("no message of the native protocol: %s", error)
            return
        self._counts.native_udp += 1
        if isinstance(message, SealedMessage):
            self._wait_for(message, addr, account)
            return
        if message.response_code:
            self._counts.dropped_nonsense += 1  # An answer: two nodes must not answer each other for ever.
            return
        answer = self._operations.respond_now(message, "udp")
        if answer is None:
            self._wait_for(message, addr, account)
        else:
            self._send(answer.to_wire(), addr, account)

    async def open(self, bound: socket.socket) -> None:
        await self._loop.create_datagram_endpoint(lambda: self, sock=bound)

    async def close(self, drain: float) -> None:
        """Hears no more, and gives `drain` seconds to the requests that are being answered."""
        waiting = set(self._waiting.values())
        if waiting:
            await asyncio.wait(waiting, timeout=drain)
        for task in waiting:
            task.cancel()
        if self._transport is not None:
            self._transport.close()

    def _send(self, octets: bytes, addr: Address, account: Account) -> None:
        """★"""
        transport = self._transport
        if transport is None:
            return
        if not self._budget.pays(account, len(octets)):
            self._counts.dropped_budget += 1
        elif transport.get_write_buffer_size() > UNSENT:  # type: ignore[attr-defined]  # both loops' have it
            self._counts.dropped_queue += 1
        elif len(octets) <= MAX_DATAGRAM:
            transport.sendto(octets, addr)
        else:
            for datagram in split(octets):
                transport.sendto(datagram, addr)

    def _wait_for(self, message: Message | SealedMessage, addr: Address, account: Account) -> None:
        request_id = message.envelope.request_id if isinstance(message, SealedMessage) else message.request_id
        place = (addr, request_id)
        if place in self._waiting:  # asked again before it was answered
            return
        if isinstance(message, Message) and (released := self._released.get((addr, message))) is not None:
            for octets in released:
                self._send(octets, addr, account)
            return
        if len(self._waiting) >= MAX_WAITING:
            self._counts.dropped_queue += 1
            return
        task = self._waiting[place] = self._loop.create_task(self._answer(message, addr, account))
        task.add_done_callback(lambda _: self._waiting.pop(place, None))

    async def _answer(self, message: Message | SealedMessage, addr: Address, account: Account) -> None:
        try:
            answers = await self._operations.respond(message, Conversation("udp", addr[0]))
        except Exception:
            log.exception("a native request met a fault of ours")
            return
        written = [answer.to_wire() for answer in answers]
        if isinstance(message, Message):
            self._keep(message, addr, written)
        for octets in written:
            self._send(octets, addr, account)

    def _keep(self, message: Message, addr: Address, answers: list[bytes]) -> None:
        if message.op_code in SAID_ONCE and sum(map(len, answers)) <= RELEASED_OCTETS:
            self._released[addr, message] = answers

    def _forget_old(self) -> None:
        self._reassembly.forget_old()
        self._forgetting = self._loop.call_later(FORGET_INTERVAL, self._forget_old)
