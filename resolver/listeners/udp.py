"""The native protocol over UDP: cached answers leave before the next datagrams are looked at (RFC 3652, section 2.3).

Whoever sends nonsense, too much, or answers, hears nothing. Requesters that hear nothing ask again and then over TCP.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Protocol

from cachetools import TTLCache

from registry.errors import HandleError, ResponseCode, ServerBusy
from registry.limits import Address
from resolver.answer import Answer
from resolver.conversation import Conversation
from resolver.familiar import NOT_KEPT, SILENCE
from resolver.listeners import burst
from resolver.listeners.budget import Account, Budget
from resolver.listeners.datagrams import SingleDatagrams
from resolver.listeners.turns import Turns, is_costly
from resolver.metrics import Metrics
from resolver.operations import Operations
from resolver.tally import Cell
from resolver.wire.codes import OpCode
from resolver.wire.datagram import MAX_DATAGRAM, Reassembly, split
from resolver.wire.envelope import ENVELOPE, TRUNCATED, ProtocolError
from resolver.wire.message import Message, SealedMessage, message_from_wire

log = logging.getLogger(__name__)

# Requests that wait for the database, as many as one read of it takes; more are dropped, and asked again. The more of
# them there are, the longer those who ask for kept answers wait while theirs are written.
MAX_WAITING: Final = 256
RECEIVE_BUFFER: Final = 4 << 20  # Octets that the kernel keeps while we do something else; systems may grant less.
# Answers to what can be said once, which are kept in case they are lost: asked again, a nonce that was used proves
# nothing, and a session has the key that it was sent.
SAID_ONCE: Final = frozenset({OpCode.CHALLENGE_ANSWER, OpCode.SESSION_KEY_EXCHANGE})
RELEASED: Final = 1024
RELEASED_LIFE: Final = 5.0  # Seconds; requesters ask for the last time after three.
RELEASED_OCTETS: Final = 4096  # Larger answers are not kept: four megabytes in all.
OVERLOAD: Final = "server.overload"
FORGET_INTERVAL: Final = 1.0  # Seconds between two looks for datagrams whose message never became whole.

Source = Any
"""Where a datagram came from, as the socket that it came to says it; it can be compared and hashed."""


class Datagrams(Protocol):
    """A socket: `burst.BurstDatagrams`, or `SingleDatagrams` where the system has no bursts."""

    def host_of(self, source: Source, /) -> Address: ...
    def network_of(self, source: Source) -> bytes: ...
    def address_of(self, source: Source) -> str: ...
    def send(self, datagrams: Sequence[bytes], sources: Sequence[Source]) -> int: ...
    def close(self) -> None: ...


class UdpListener:
    """Answers on one socket. Several share a `Budget`, and with TCP the `Turns` at what is costly."""

    def __init__(self, operations: Operations, metrics: Metrics, budget: Budget, turns: Turns) -> None:
        self._operations = operations
        self._metrics = metrics
        self._counts = metrics.counts
        self._cells = metrics.tally.cells["udp"]
        self._budget = budget
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._reassembly = Reassembly(self._loop.time)
        self._datagrams: Datagrams | None = None
        self._waiting: dict[tuple[Source, int], asyncio.Task[None]] = {}
        self._released: TTLCache[tuple[Source, Message], list[bytes]] = TTLCache(
            RELEASED, RELEASED_LIFE, timer=self._loop.time
        )
        self._reading: dict[tuple[Source, bytes], Account] = {}  # Familiar queries by ids, which need no task.
        self._read_answers: list[tuple[bytes, Source]] = []
        self._forgetting: asyncio.TimerHandle | None = None
        self._all_read = asyncio.Event()

    async def open(self, bound: socket.socket, *, bursts: bool = True) -> None:
        """Answers from now on, in bursts where they are wanted and the system has them."""
        if bursts and burst.are_there():
            self._datagrams = burst.BurstDatagrams(bound, self.hear)
            self._metrics.burst_way += 1
        else:
            log.info("datagrams are read one by one: this system has no recvmmsg, or lays out its messages otherwise")
            self._datagrams = single = SingleDatagrams(self.hear)
            await single.open(bound)
        self._forget_old()

    def stop_hearing(self) -> None:
        """What comes from now on is another's, where another process has the socket too; answers still leave."""
        if isinstance(self._datagrams, burst.BurstDatagrams):
            self._datagrams.stop_hearing()

    async def close(self, drain: float) -> None:
        """Gives `drain` seconds to the requests that are being answered, and hears no more."""
        if self._reading:
            self._all_read.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_read.wait(), drain)
            self._send_read()
        waiting = set(self._waiting.values())
        if waiting:
            await asyncio.wait(waiting, timeout=drain)
        for task in waiting:
            task.cancel()
        if self._forgetting is not None:
            self._forgetting.cancel()
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None

    def hear(self, datagrams: Sequence[bytes], sources: Sequence[Source]) -> None:
        """★ Answers what can be answered at once, all together."""
        way = self._datagrams
        if way is None:
            return
        now, ready, counts = self._loop.time(), self._operations.ready, self._counts
        host_of, cells = way.host_of, self._cells
        answers: list[bytes] = []
        places: list[Source] = []
        last: Source = None
        account: Account | None = None
        for octets, source in zip(datagrams, sources, strict=True):
            if source != last:
                last, account, cell = source, None, cells[host_of(source)]
            answer = ready(octets, cell)
            if answer:
                counts.native_udp += 1
            elif answer is SILENCE:
                counts.dropped_limit += 1
                continue
            elif answer is NOT_KEPT:
                self._read(octets, source, now, cell)
                continue
            elif (answer := self._answer_read(octets, source, now)) is None:
                continue
            account = account or self._account(source, now)
            if not account.pays(len(answer), len(octets)):
                counts.dropped_budget += 1
            elif len(answer) <= MAX_DATAGRAM:
                answers.append(answer)
                places.append(source)
            else:
                pieces = split(answer)
                answers += pieces
                places += [source] * len(pieces)
        if answers:
            counts.dropped_queue += way.send(answers, places)

    def _read(self, octets: bytes, source: Source, now: float, cell: Cell) -> None:
        """Has read what a familiar query asks for, unless too many wait."""
        place = (source, octets[4:12])
        if place in self._reading:  # asked again before it was answered
            return
        if len(self._waiting) + len(self._reading) >= MAX_WAITING:
            self._counts.dropped_queue += 1
            return
        if cell.allowance is not None and self._operations.familiar.is_excess(octets, cell):
            self._counts.dropped_limit += 1
            return
        self._counts.native_udp += 1
        account = self._reading[place] = self._account(source, now)
        account.earn(len(octets))
        self._operations.familiar.read(octets, partial(self._told, octets, place))

    def _told(self, octets: bytes, place: tuple[Source, bytes], outcome: Answer | HandleError) -> None:
        source, account = place[0], self._reading.pop(place)
        if self._datagrams is None:
            return
        if isinstance(outcome, ServerBusy) and outcome.rule == OVERLOAD:
            self._counts.dropped_queue += 1  # It asks again by itself, and later is when it should.
            self._note_read()
            return
        cell = self._cells[self._datagrams.host_of(source)]
        answer = self._operations.familiar.answer_with(octets, outcome, cell)
        if answer is None:
            self._wait_for(Message.from_wire(octets), source, account)
        elif not account.pays(len(answer)):
            self._counts.dropped_budget += 1
        else:
            if not self._read_answers:
                self._loop.call_soon(self._send_read)
            self._read_answers += [(piece, source) for piece in split(answer)]
        self._note_read()

    def _note_read(self) -> None:
        if not self._reading:
            self._all_read.set()

    def _send_read(self) -> None:
        """Sends together what one read of the database answered."""
        answers, self._read_answers = self._read_answers, []
        if answers and self._datagrams is not None:
            pieces, sources = zip(*answers, strict=True)
            self._counts.dropped_queue += self._datagrams.send(pieces, sources)

    def _answer_read(self, octets: bytes, source: Source, now: float) -> bytes | None:
        """The answer to octets of no familiar form, when there is one and none that must be waited for."""
        try:
            message = self._message(octets, source, now)
        except ProtocolError as error:
            self._counts.dropped_nonsense += 1
            log.debug("no message of the native protocol: %s", error)
            return None
        if message is None:
            return None
        self._counts.native_udp += 1
        if isinstance(message, Message):
            if message.response_code:
                self._counts.dropped_nonsense += 1  # An answer: two nodes must not answer each other for ever.
                return None
            assert self._datagrams is not None
            answer = self._operations.respond_now(message, "udp", self._datagrams.host_of(source))
            if answer is not None:
                return self._unless_limited(answer)
        account = self._account(source, now)
        account.earn(len(octets))
        self._wait_for(message, source, account)
        return None

    def _unless_limited(self, answer: Message | SealedMessage) -> bytes | None:
        """The octets of an answer, unless it says that too much was asked: that is not worth a datagram, whose address
        may be made up."""
        if isinstance(answer, SealedMessage) or answer.response_code != ResponseCode.TOO_MANY_REQUESTS:
            return answer.to_wire()
        self._counts.dropped_limit += 1
        return None

    def _message(self, octets: bytes, source: Source, now: float) -> Message | SealedMessage | None:
        """The message that a datagram is, or completes. Raises ProtocolError."""
        if len(octets) <= ENVELOPE or not octets[2] & TRUNCATED:
            return message_from_wire(octets)
        whole = self._reassembly.add(source, octets)
        if whole is None:
            self._account(source, now).earn(len(octets))
            return None
        return message_from_wire(whole)

    def _account(self, source: Source, now: float) -> Account:
        assert self._datagrams is not None
        return self._budget.account(self._datagrams.network_of(source), now)

    def _wait_for(self, message: Message | SealedMessage, source: Source, account: Account) -> None:
        request_id = message.envelope.request_id if isinstance(message, SealedMessage) else message.request_id
        place = (source, request_id)
        if place in self._waiting or self._datagrams is None:  # asked again before it was answered
            return
        if isinstance(message, Message) and (released := self._released.get((source, message))) is not None:
            self._send(released, source, account)
            return
        if len(self._waiting) + len(self._reading) >= MAX_WAITING:
            self._counts.dropped_queue += 1
            return
        if is_costly(message) and self._turns.wait(self._datagrams.network_of(source), 0.0) is None:
            self._counts.dropped_budget += 1
            return
        conversation = Conversation("udp", self._datagrams.address_of(source))
        task = self._waiting[place] = self._loop.create_task(self._answer(message, conversation, source, account))
        task.add_done_callback(lambda _: self._waiting.pop(place, None))

    async def _answer(
        self, message: Message | SealedMessage, conversation: Conversation, source: Source, account: Account
    ) -> None:
        try:
            answers = await self._operations.respond(message, conversation)
        except Exception:
            log.exception("a native request met a fault of ours")
            return
        written = [octets for answer in answers if (octets := self._unless_limited(answer)) is not None]
        if isinstance(message, Message):
            self._keep(message, source, written)
        self._send(written, source, account)

    def _send(self, answers: Sequence[bytes], source: Source, account: Account) -> None:
        """Messages that were waited for, each as far as its source may have it."""
        for octets in answers:
            if not account.pays(len(octets)):
                self._counts.dropped_budget += 1
            elif self._datagrams is not None:
                pieces = split(octets)
                self._counts.dropped_queue += self._datagrams.send(pieces, [source] * len(pieces))

    def _keep(self, message: Message, source: Source, answers: list[bytes]) -> None:
        if message.op_code in SAID_ONCE and sum(map(len, answers)) <= RELEASED_OCTETS:
            self._released[source, message] = answers

    def _forget_old(self) -> None:
        self._reassembly.forget_old()
        self._forgetting = self._loop.call_later(FORGET_INTERVAL, self._forget_old)
