"""The path of an answer that needs no waiting, for the fuzzer: whatever is asked, there is an answer or none yet."""

from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from registry.authentication import Authenticator
from registry.exchanges import Exchanges
from registry.handle import Handle, HandleKey
from registry.packing import PackedRecord, pack
from registry.registration import Registration
from registry.settings import RegistrySettings
from registry.site import SiteInfo
from registry.store import Store
from registry.value import HandleValue
from resolver.answer import MISSING, NOT_RESPONSIBLE, Answer, found
from resolver.familiar import NOT_KEPT
from resolver.operations import Operations
from resolver.tally import Cell
from resolver.wire.envelope import ProtocolError
from resolver.wire.message import Message, message_from_wire

NOW = 1_790_000_000
VALUES = (HandleValue(1, "URL", b"http://example.org/1"), HandleValue(9, "HS_SECKEY", b"secret", permissions=0b1100))
RECORD = PackedRecord(Handle("88.118.1", "Cake"), pack(VALUES, NOW), NOW, 1)
KEPT = (found(RECORD, NOW), MISSING, NOT_RESPONSIBLE, None)


class KeptBook:
    """A resolver that knows every name at once; what it says of it depends on its octets alone."""

    fresh_for = 3600.0
    staleness = staleness_anew = 0.0

    def __init__(self) -> None:
        self.store = Store(RegistrySettings(), "fuzz")  # never opened: it folds names

    def peek(self, key: HandleKey) -> Any:
        return KEPT[sum(repr(key).encode()) % len(KEPT)]

    def wire_of(self, answer: Answer) -> bytes:
        return answer.to_wire()


class Clock:
    """Steps from one input to the next, and stands while one is answered in both ways."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()
NAME = 48  # Octets in front of the name in a query; twelve follow one that asks for nothing else.


def answers(octets: bytes) -> None:
    """What is answered from octets to octets is answered as the message that they are, and no other octets are."""
    operations = kept_operations()
    CLOCK.now += 1 / 64
    operations.ready(octets[:NAME] + octets[NAME:-12][::-1] + octets[-12:], Cell())  # whose form this one may have
    ready = operations.ready(octets, Cell())
    try:
        read = message_from_wire(octets)
    except ProtocolError as error:
        assert ready is None
        _is_whole(operations.refuse(error))
        return
    if isinstance(read, Message):
        for transport in ("udp", "tcp"):
            answer = operations.respond_now(read, transport)
            _is_whole(answer)
            assert answer is None or (answer.response_code and answer.request_id == read.request_id)
            assert ready is None or ready == (NOT_KEPT if answer is None else answer.to_wire())


def _is_whole(answer: Message | None) -> None:
    assert answer is None or Message.from_wire(answer.to_wire()) == answer


@cache
def kept_operations() -> Operations:
    return operations_over(KeptBook(), CLOCK)


def operations_over(book: KeptBook, clock: Clock) -> Operations:
    key = rsa.generate_private_key(65537, 2048)
    registration, authenticator = Registration(book.store, []), Authenticator(book.store)
    exchanges = Exchanges(book.store, b"what the workers share")
    site = SiteInfo(7, ())
    return Operations(book, registration, authenticator, exchanges, lambda: site, key, clock)
