"""Requests made beforehand for native measurements, and whether an answer to one of them is right."""

import random
from collections.abc import Mapping
from typing import Final

from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.message import UNKNOWN_SERIAL, Message
from resolver.wire.query import HandleValues, Query

FLAGS: Final = int(OpFlag.RECURSIVE | OpFlag.CACHE_CERTIFY | OpFlag.PUBLIC_ONLY)  # The reference client's own.

Values = frozenset[tuple[int, str, bytes]]
Registered = Mapping[str, Values]
"""Index, type and data of each value of each handle."""


class WrongAnswer(Exception):
    """The node said something else than what is registered."""


class Questions:
    """Requests made beforehand: only the request id is written into them."""

    def __init__(self, registered: Registered, seed: int) -> None:
        self._registered = registered
        self._requests = [(name, *_around_id(name)) for name in registered]
        self._chance = random.Random(seed)

    def next(self, request_id: int) -> tuple[str, bytes]:
        name, head, tail = self._chance.choice(self._requests)
        return name, head + request_id.to_bytes(4, "big") + tail

    def check(self, name: str, octets: bytes) -> None:
        """Raises WrongAnswer."""
        answer = Message.from_wire(octets)
        found = HandleValues.from_wire(answer.content)
        values = frozenset((value.index, value.type, value.data) for value in found.values)
        if found.handle != name.encode() or values != self._registered[name]:
            raise WrongAnswer(f"{name}: {found}")


def question(name: str, request_id: int, flags: int = FLAGS) -> bytes:
    """A query as the reference client writes it, unless it is to say something else."""
    head, tail = _around_id(name, flags)
    return head + request_id.to_bytes(4, "big") + tail


def _around_id(name: str, flags: int = FLAGS) -> tuple[bytes, bytes]:
    body = Query(name.encode()).to_wire()
    octets = Message(2, 11, 2, 11, 0, 0, 0, OpCode.RESOLUTION, 0, flags, UNKNOWN_SERIAL, 0, 0, 0, body, b"").to_wire()
    return octets[:8], octets[12:]
