"""Operations that answer when they are told to, and requests for them."""

import asyncio
import time
from collections.abc import Callable
from itertools import count
from typing import Any

from resolver.wire.codes import OpFlag
from resolver.wire.message import Message, SealedMessage, refused

SLOW = b"slow"  # A body that begins so must be waited for,
LIST = b"list"  # one that begins so is answered with several messages,
LONG = b"long"  # and one that begins so with very many octets.
PARTS = 3
LONG_ANSWER = 10_000

_ids = count(1)


class Operations:
    """Echoes bodies."""

    def __init__(self) -> None:
        self.answered = 0
        self.waiting = 0
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self.conversations: list[Any] = []
        self.sealed: list[SealedMessage] = []
        self.familiar = self
        self.told: list[Callable[[bytes | None], None]] = []

    def ready(self, octets: bytes, cell: object) -> bytes | None:
        """Nothing is familiar here."""

    def read(self, octets: bytes, told: Callable[[bytes | None], None]) -> None:
        """In place of familiar queries, when a test makes some: their answers come when it tells them."""
        self.told.append(told)

    def answer_with(self, octets: bytes, outcome: bytes | None, cell: object) -> bytes | None:
        return outcome

    def respond_now(self, request: Message, transport: str, address: str) -> Message | None:
        if request.body.startswith((SLOW, LIST)):
            return None
        self.answered += 1
        return answer_to(request, LONG * (LONG_ANSWER // 4) if request.body.startswith(LONG) else request.body)

    async def respond(self, request: Message | SealedMessage, conversation: Any) -> list[Message]:
        self.conversations.append(conversation)
        self.waiting += 1
        self.asked.set()
        try:
            if isinstance(request, SealedMessage):
                self.sealed.append(request)
                return []
            if request.body.startswith(LIST):
                return [
                    answer_to(request, b"%d" % part, OpFlag.CONTINUOUS if part < PARTS - 1 else 0)
                    for part in range(PARTS)
                ]
            await self.go.wait()
            return [answer_to(request, request.body)]
        finally:
            self.waiting -= 1

    def refuse(self, error: Any) -> Message | None:
        if error.envelope is None:
            return None
        return refused(error.envelope, 4, expiration=int(time.time()) + 60, serial=1)


def answer_to(request: Message, body: bytes, flags: int = 0) -> Message:
    return request.answered(1, body, expiration=int(time.time()) + 60, serial=1, flags=int(flags))


def request(body: bytes, *, response_code: int = 0) -> Message:
    return Message(2, 11, 2, 11, 0, next(_ids), 0, 1, response_code, 0, 0xFFFF, 0, 0, int(time.time()) + 60, body, b"")


def octets(*messages: Message) -> bytes:
    return b"".join([message.to_wire() for message in messages])
