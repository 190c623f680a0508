"""One message in several datagrams, and back (RFC 3652, section 2.3).

A datagram is an envelope and at most 492 octets of the message. In each stand the message's whole length and the
datagram's number, so every octet has one place: pieces can come in any order and twice, and they cannot overlap.
"""

from collections.abc import Callable, Hashable, Iterator
from typing import Final

from resolver.wire.envelope import ENVELOPE, MAX_MESSAGE, TRUNCATED, Envelope, ProtocolError

MAX_DATAGRAM: Final = 512  # Octets; what passes every network unbroken, and all that the reference client reads.
PIECE: Final = MAX_DATAGRAM - ENVELOPE

LIFETIME: Final = 5.0  # Seconds that pieces are kept; the reference client has asked again three times by then.
MAX_MESSAGES_PER_PEER: Final = 4  # Messages begun and not whole. The clients ask one thing at a time over UDP.
MAX_MESSAGES: Final = 1024
MAX_OCTETS_PER_PEER: Final = 2 * MAX_MESSAGE  # The largest message, what its pieces cost besides, and small ones.
MAX_OCTETS: Final = 8 << 20  # Of all peers: what strangers may make us hold for five seconds.
PIECE_COST: Final = 128  # Octets that a piece costs besides its own.


def split(message: bytes) -> list[bytes]:
    """The datagrams of a message; itself when it fits into one."""
    if len(message) <= MAX_DATAGRAM:
        return [message]
    return list(_pieces(message))


def _pieces(message: bytes) -> Iterator[bytes]:
    envelope = Envelope.from_wire(message)
    for sequence, start in enumerate(range(ENVELOPE, len(message), PIECE)):
        head = envelope._replace(flags=envelope.flags | TRUNCATED, sequence=sequence)
        yield head.to_wire() + message[start : start + PIECE]


class _Partial:
    """The pieces of a message so far, by number."""

    __slots__ = ("begun", "cost", "envelope", "pieces")

    def __init__(self, envelope: Envelope, begun: float) -> None:
        self.envelope = envelope
        self.begun = begun
        self.pieces: dict[int, bytes] = {}
        self.cost = PIECE_COST

    def joined(self) -> bytes | None:
        if len(self.pieces) < _count(self.envelope):
            return None
        octets = b"".join(self.pieces[sequence] for sequence in range(len(self.pieces)))
        return self.envelope._replace(sequence=0).to_wire() + octets


class Reassembly:
    """Messages joined from datagrams, bounded per peer and in all. A datagram beyond a bound is dropped and counted."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._partials: dict[tuple[Hashable, int], _Partial] = {}  # in order of beginning
        self._cost_of: dict[Hashable, int] = {}
        self._count_of: dict[Hashable, int] = {}
        self._cost = 0
        self.dropped = 0

    def __len__(self) -> int:
        """Messages begun and not whole."""
        return len(self._partials)

    @property
    def octets(self) -> int:
        """What is held, pieces and their upkeep."""
        return self._cost

    def add(self, peer: Hashable, datagram: bytes) -> bytes | None:
        """The octets of a whole message, or None until its other pieces came. Raises ProtocolError for nonsense."""
        envelope = Envelope.from_wire(datagram).checked()
        if not envelope.is_truncated:
            if envelope.length != len(datagram) - ENVELOPE:
                raise ProtocolError(f"{envelope.length} octets announced, {len(datagram) - ENVELOPE} there", envelope)
            return datagram
        _check_place(envelope, len(datagram) - ENVELOPE)
        if _count(envelope) == 1:
            return datagram
        self.forget_old()
        return self._add_piece((peer, envelope.request_id), envelope, datagram[ENVELOPE:])

    def forget_old(self) -> None:
        """Drops what nobody completed in time. Every piece does this as it comes; a quiet socket needs a timer."""
        oldest = self._clock() - LIFETIME
        while self._partials:
            key = next(iter(self._partials))
            if self._partials[key].begun > oldest:
                return
            self._forget(key)

    def _add_piece(self, key: tuple[Hashable, int], envelope: Envelope, octets: bytes) -> bytes | None:
        partial = self._partials.get(key)
        if partial is not None and partial.envelope != envelope._replace(sequence=partial.envelope.sequence):
            raise ProtocolError("differs from an earlier datagram of its message", envelope)
        if partial is not None and envelope.sequence in partial.pieces:
            if partial.pieces[envelope.sequence] == octets:
                return None
            # Asked again in other octets: a session's client signs or encrypts each attempt anew. The old one is over.
            self._forget(key)
            partial = None
        if not self._has_room(key[0], len(octets), begins=partial is None):
            self.dropped += 1
            return None
        if partial is None:
            partial = self._begin(key, envelope)
        partial.pieces[envelope.sequence] = octets
        self._charge(partial, key[0], PIECE_COST + len(octets))
        whole = partial.joined()
        if whole is not None:
            self._forget(key)
        return whole

    def _has_room(self, peer: Hashable, octets: int, *, begins: bool) -> bool:
        if begins and (len(self._partials) >= MAX_MESSAGES or self._count_of.get(peer, 0) >= MAX_MESSAGES_PER_PEER):
            return False
        cost = PIECE_COST + octets + (PIECE_COST if begins else 0)
        return self._cost + cost <= MAX_OCTETS and self._cost_of.get(peer, 0) + cost <= MAX_OCTETS_PER_PEER

    def _begin(self, key: tuple[Hashable, int], envelope: Envelope) -> _Partial:
        partial = self._partials[key] = _Partial(envelope, self._clock())
        peer = key[0]
        self._count_of[peer] = self._count_of.get(peer, 0) + 1
        self._cost_of[peer] = self._cost_of.get(peer, 0) + partial.cost
        self._cost += partial.cost
        return partial

    def _charge(self, partial: _Partial, peer: Hashable, cost: int) -> None:
        partial.cost += cost
        self._cost_of[peer] += cost
        self._cost += cost

    def _forget(self, key: tuple[Hashable, int]) -> None:
        partial = self._partials.pop(key)
        peer = key[0]
        self._cost -= partial.cost
        self._cost_of[peer] -= partial.cost
        self._count_of[peer] -= 1
        if not self._count_of[peer]:
            del self._count_of[peer], self._cost_of[peer]


def _count(envelope: Envelope) -> int:
    return -(-envelope.length // PIECE) or 1


def _check_place(envelope: Envelope, octets: int) -> None:
    """Refuses a piece that is not as long as its place in the message."""
    sequence, count = envelope.sequence, _count(envelope)
    if not 0 <= sequence < count:
        raise ProtocolError(f"datagram {sequence} of {count}", envelope)
    expected = min(PIECE, envelope.length - sequence * PIECE)
    if octets != expected:
        raise ProtocolError(f"{octets} octets where {expected} belong", envelope)
