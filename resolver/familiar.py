"""Queries whose form is familiar, answered from octets to octets without a message being made of them.

Clients write the same octets round every name. The first query of a form is read, and its answer written, as every
message is; what stood round ids, name and values in that answer serves the others of the form until the second is over,
because the answer holds the time. A form is all octets that an answer may depend on but the name: ids are repeated,
and the time that requesters write is passed over in every query. What has filters or a proof is of no form.
"""

from struct import Struct
from typing import Final

from registry.errors import HandleError, ResponseCode
from registry.handle import HandleKey
from registry.limits import Excess
from resolver.answer import NOT_RESPONSIBLE, Answer
from resolver.misses import Told
from resolver.queries import NO_FILTERS, PUBLIC_ONLY, Queries
from resolver.replies import Replies, refusal
from resolver.resolution import Resolver
from resolver.tally import Cell
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import ENVELOPE, SUGGESTED_MAJOR, ProtocolError
from resolver.wire.message import HEADER, Message

# Forms of one second: three lengths of names in ten, times the versions and flags of every client known. Whoever makes
# up more is answered by the ordinary way, and so is everybody else whose form comes too late, until the next second.
FORMS: Final = 1024
NO_CREDENTIAL: Final = bytes(4)
ENDING: Final = NO_FILTERS + NO_CREDENTIAL


class _Silence(bytes):
    """No octets, and not the same as no other octets."""


SILENCE: Final = _Silence()  # In place of an answer: too much was asked for, and whoever did hears nothing.
NOT_KEPT: Final = b""  # In place of an answer: the query is familiar, and what it asks for must be read.

_BODY: Final = ENVELOPE + HEADER
_NAME: Final = _BODY + 4
_AROUND: Final = _NAME + len(ENDING)  # Octets of a query besides its name.
_UNLIKE: Final = int(OpFlag.AUTHORITATIVE | OpFlag.CERTIFY | OpFlag.ENCRYPT | OpFlag.TRUSTED_QUERY
                     | OpFlag.REQUEST_DIGEST)  # fmt: skip  # Their answers need more than the values.
_HEAD: Final = Struct(">4s8s4xI20sI").pack  # Versions, ids, length, everything from op code to expiration, length.

Form = tuple[int, bytes, bytes, bool]
"""Octets of a query, versions of its answer, its header's constant part, and whether public values are enough."""


class FamiliarQueries:
    """Answers what it can, and leaves the rest to `Operations`."""

    def __init__(self, queries: Queries, replies: Replies, resolver: Resolver) -> None:
        self._queries = queries
        self._replies = replies
        self._resolver = resolver
        self._peek = resolver.peek
        self._key_of = resolver.store.key_of
        self._clock = replies.clock
        self._from = 0.0
        self._until = 0.0
        self._forms: dict[bytes, Form] = {}

    def answer(self, octets: bytes, cell: Cell) -> bytes | None:
        """★ The answer, or SILENCE. NOT_KEPT and None leave them to the ordinary way; nothing was counted then."""
        if octets[-12:] != ENDING:
            return None
        if not self._from <= self._clock() < self._until:
            self._forget()
        form = self._forms.get(octets[:4] + octets[12:36] + octets[40:48]) or self._learn(octets)
        if form is None:
            return None
        size, versions, header, only_public = form
        key = self._key_of(octets[48:-12])
        slash = key.find(b"/")
        if len(octets) != size or slash < 0:
            return None
        answer = self._peek(key)
        if answer is None:
            return NOT_KEPT
        if cell.allowance is not None and (excess := cell.allowance.excess(key[:slash])) is not None:
            return SILENCE if cell.allowance.silent else self._refused(octets, excess)
        values = answer.wire
        if not values or (answer.restricted and not only_public):
            return self._answer_otherwise(octets, key, answer, cell)
        counts, prefix = cell.found, key[:slash]
        counts[prefix] = counts.get(prefix, 0) + 1
        length = size - 56 + len(values)  # of the body: the name, its length, the values
        head = _HEAD(versions, octets[4:12], length + 28, header, length)
        return b"".join((head, octets[44:-12], values, NO_CREDENTIAL))

    def read(self, octets: bytes, told: Told) -> None:
        """Has read what a familiar query asks for that is not kept; `told` is called once, and not within this call."""
        self._resolver.ask(self._key_of(octets[48:-12]), told)

    def answer_with(self, octets: bytes, outcome: Answer | HandleError, cell: Cell) -> bytes | None:
        """The answer to a familiar query of what was read for it; None leaves it to the ordinary way, uncounted."""
        key = self._key_of(octets[48:-12])
        if isinstance(outcome, Answer):
            return self._answer_otherwise(octets, key, outcome, cell)
        known = (
            self._resolver.store.prefixes.of(key) is not None
        )  # Strangers may make up as many prefixes as they like.
        cell.count(key.partition(b"/")[0] if known else b"", found=False)
        return self._replies.answer(Message.from_wire(octets), refusal(outcome)).to_wire()

    def is_excess(self, octets: bytes, cell: Cell) -> bool:
        """Whether a familiar query is too much; else it is counted."""
        prefix = self._key_of(octets[48:-12]).partition(b"/")[0]
        return cell.allowance is not None and cell.allowance.excess(prefix) is not None

    def _refused(self, octets: bytes, excess: Excess) -> bytes:
        return self._replies.answer(Message.from_wire(octets), refusal(excess.error())).to_wire()

    def _answer_otherwise(self, octets: bytes, key: HandleKey, answer: Answer, cell: Cell) -> bytes | None:
        message = self._queries.respond_with(Message.from_wire(octets), octets[48:-12], answer)
        if message is None:
            return None
        known = b"" if answer is NOT_RESPONSIBLE else key.partition(b"/")[0]
        cell.count(known, found=message.response_code == ResponseCode.SUCCESS)
        return message.to_wire()

    def _forget(self) -> None:
        self._forms.clear()
        now = self._from = self._clock()
        self._replies.serial(now)  # Forms hold what answers have in common, which may have changed.
        self._until = min(int(now) + 1, self._replies.alike_until)

    def _learn(self, octets: bytes) -> Form | None:
        if len(self._forms) >= FORMS or octets[20:28] != _RESOLUTION_REQUEST:
            return None
        try:
            request = Message.from_wire(octets)
        except ProtocolError:
            return None
        if not _is_ordinary(request, octets):
            return None
        answer = self._replies.found(request, b"").to_wire()
        form = (len(octets), answer[:4], answer[20:40], bool(request.op_flags & PUBLIC_ONLY))
        self._forms[octets[:4] + octets[12:36] + octets[40:48]] = form
        return form


_RESOLUTION_REQUEST: Final = bytes((0, 0, 0, OpCode.RESOLUTION, 0, 0, 0, 0))


def _is_ordinary(request: Message, octets: bytes) -> bool:
    """Whether it is one message with a name and nothing else, and its answer is what every such query's is."""
    if request.flags & ~SUGGESTED_MAJOR or request.op_flags & _UNLIKE or request.credential:
        return False
    name = len(octets) - _AROUND
    return len(request.body) == len(octets) - _BODY - 4 and int.from_bytes(octets[_BODY:_NAME], "big") == name > 0
