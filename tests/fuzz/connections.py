"""A TCP connection of the native protocol without a socket, for the fuzzer: cut in whatever way, it says the same."""

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from registry.limits import Limits
from resolver.listeners.connection import Connection
from resolver.listeners.turns import Turns
from resolver.tally import Cell, Cells
from resolver.wire.envelope import ENVELOPE
from resolver.wire.message import Message, SealedMessage
from tests.fuzz.answers import kept_operations


class Transport:
    """What a connection does to its socket."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = False
        self.reading = True

    def write(self, octets: bytes) -> None:
        assert not self.closed, "an answer behind the end"
        self.written += octets

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return "127.0.0.1", 1


class Listener:
    """A listener and its loop in one: what is to be done later waits until `run`."""

    now, idle, one_question, message_timeout = 1000.0, 60.0, 5.0, 30.0

    def __init__(self) -> None:
        self.loop = self.operations = self
        self.turns = Turns(lambda: self.now)
        self.cells = Cells("tcp", Limits())
        self._later: deque[Callable[[], object]] = deque()

    def ready(self, octets: bytes, cell: Cell) -> bytes | None:
        return kept_operations().ready(octets, cell)

    def respond_now(self, message: Message | SealedMessage, address: str) -> Message | None:
        return None if isinstance(message, SealedMessage) else kept_operations().respond_now(message, "tcp", address)

    async def respond(self, message: Message | SealedMessage, conversation: object) -> list[Message]:
        """In place of what needs a database: an answer that tells which request it belongs to."""
        envelope = message.envelope
        return [Message(2, 11, 2, 11, 0, envelope.request_id, 0, 1, 3, 0, 1, 0, 0, 1, b"", b"")]

    def refuse(self, error: Any) -> Message | None:
        return kept_operations().refuse(error)

    def call_soon(self, work: Callable[[], object]) -> None:
        self._later.append(work)

    def create_task(self, work: Coroutine[Any, Any, None]) -> "Listener":
        self._later.append(lambda: _finish(work))
        return self

    def run(self) -> None:
        while self._later:
            self._later.popleft()()

    def add(self, connection: Connection) -> None:
        pass

    discard = count = count_messages = add


def connection(octets: bytes) -> None:
    cuts, octets = octets[:6], octets[6:]
    at_once, in_parts = _said([octets], wait=False), _said(_parts(octets, cuts), wait=bool(cuts and cuts[0] & 1))
    assert at_once == in_parts
    written, _ = at_once
    while written:
        end = ENVELOPE + int.from_bytes(written[16:20], "big")
        assert Message.from_wire(written[:end]).response_code
        written = written[end:]


def _said(parts: list[bytes], *, wait: bool) -> tuple[bytes, bool]:
    """What the connection wrote, and whether it ended; with `wait`, all parts come before anything that waits."""
    listener, transport = Listener(), Transport()
    made = Connection(listener)
    made.connection_made(transport)
    for part in parts:
        if transport.closed:
            break
        made.data_received(part)
        if not wait:
            listener.run()
    listener.run()
    assert made.overdue(listener.now + 1.0) is None or transport.closed
    return bytes(transport.written), transport.closed


def _parts(octets: bytes, cuts: bytes) -> list[bytes]:
    parts, start = [], 0
    for cut in cuts:
        parts.append(octets[start : start + cut])
        start += cut
    return [part for part in (*parts, octets[start:]) if part]


def _finish(work: Coroutine[Any, Any, None]) -> None:
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something that never comes")
