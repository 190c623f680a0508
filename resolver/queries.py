"""Resolution in the native protocol: from a query to the values that may be shown (RFC 3652, section 3.2).

Filters form a union. Whoever asks for public values only gets those; whoever does not is asked who he is as soon as one
selected value is not for everybody. Public values are never refused for what stands beside them.
"""

from dataclasses import replace
from typing import Final

from registry.authentication import Administrator
from registry.errors import HandleNotFound, InvalidHandle, PrefixNotHomed, ResponseCode, ServerBusy, ValuesNotFound
from registry.handle import MAX_HANDLE
from registry.record import HandleRecord, public, select, values_to_wire
from registry.registration import Registration
from registry.standing import closed
from registry.trust import Trust
from registry.value import HandleValue
from resolver.answer import Answer
from resolver.recursion import Question, Recursion
from resolver.referral import Referrals, is_prefix_handle, with_prefix
from resolver.replies import Replies, Reply, refusal
from resolver.resolution import Resolver
from resolver.wire.codes import OpFlag
from resolver.wire.envelope import Version, rules_of
from resolver.wire.message import Message
from resolver.wire.query import HandleValues, Query
from resolver.wire.refusal import Referral, Refusal

PUBLIC_ONLY: Final = int(OpFlag.PUBLIC_ONLY)
AUTHORITATIVE: Final = int(OpFlag.AUTHORITATIVE)
TRUSTED_QUERY: Final = int(OpFlag.TRUSTED_QUERY)  # The national SDKs': answer, and say whether it is signed.
TRUSTED_RESULT: Final = int(OpFlag.TRUSTED_RESULT)
DO_NOT_REFER: Final = int(OpFlag.DO_NOT_REFER)

# Below, clients take 303 for something else, and the reference server asks on their behalf. We do not: it is "not
# found" for them, as the referral is in front of a handle that they would have found nothing about here.
REFERRAL_FROM: Final[Version] = (2, 10)

NO_FILTERS: Final = bytes(8)  # An empty list of indexes and one of types: all values.

_PASSABLE: Final = int(OpFlag.RECURSIVE) | PUBLIC_ONLY
# Of these, a question that is passed on has those two and no others.
_PASSED_ON: Final = _PASSABLE | DO_NOT_REFER | TRUSTED_QUERY | int(OpFlag.CERTIFY | OpFlag.ENCRYPT)
_REFERRALS: Final = (ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL)

_SILENT: Final = Refusal().to_wire()
_NOT_FOUND: Final = Reply(_SILENT, HandleNotFound.code)  # Without a sentence, as the reference: the commonest refusals.
_NO_VALUES: Final = Reply(_SILENT, ValuesNotFound.code)
_NOT_HOMED: Final = refusal(PrefixNotHomed("prefix.not_homed"))


class Queries:
    """Answers queries."""

    def __init__(
        self,
        resolver: Resolver,
        registration: Registration,
        replies: Replies,
        referrals: Referrals,
        trust: Trust,
        recursion: Recursion | None = None,
    ) -> None:
        self._resolver = resolver
        self._key_of = resolver.store.key_of
        self._registration = registration
        self._replies = replies
        self._referrals = referrals
        self._trust = trust
        self._recursion = recursion

    def respond_now(self, request: Message) -> Message | None:
        """★ The answer, when none has to be waited for. Raises Truncated, InvalidHandle."""
        body = request.body
        end = 4 + int.from_bytes(body[:4], "big")
        query = None if body[end:] == NO_FILTERS else Query.from_wire(body)
        name = body[4:end]
        answer = self._resolver.peek(self._key_of(name if b"/" in name else _checked(name)))
        if answer is None:
            return None
        if query is None and answer.registered and (request.op_flags & PUBLIC_ONLY or not answer.restricted):
            wire = answer.wire
            if wire is None:  # Made when it is first asked for.
                wire = self._resolver.wire_of(answer)
            if wire:
                return self._replies.found(request, body[:end] + wire)
        reply = self._at_once(request, query or Query(name), answer)
        return None if reply is None else self._replies.answer(request, self._marked(request, reply))

    def respond_with(self, request: Message, name: bytes, answer: Answer) -> Message | None:
        """As `respond_now` to a query without filters, when the answer is there already."""
        if answer.registered:
            self._resolver.wire_of(answer)  # Kept from here on, for who looks for it first.
        reply = self._at_once(request, Query(name), answer)
        return None if reply is None else self._replies.answer(request, self._marked(request, reply))

    async def respond(
        self, request: Message, by: Administrator | None, *, only_public: bool = False, asker: str = ""
    ) -> Reply:
        """The answer for somebody who asks from the address `asker`.

        Raises Truncated, InvalidHandle, ServerBusy, AuthenticationNeeded and the refusals of rights.
        """
        return self._marked(request, await self._respond(request, by, only_public, asker))

    def _marked(self, request: Message, reply: Reply) -> Reply:
        """The reply; nobody vouches for one that may be older than the bound."""
        resolver = self._resolver
        staleness = resolver.staleness_anew if request.op_flags & AUTHORITATIVE else resolver.staleness
        return replace(reply, flags=reply.flags & ~AUTHORITATIVE) if staleness else reply

    async def _respond(self, request: Message, by: Administrator | None, only_public: bool, asker: str) -> Reply:
        query = Query.from_wire(request.body)
        key = self._key_of(_checked(query.handle))
        if request.op_flags & AUTHORITATIVE:
            answer = await self._resolver.resolve_authoritative(key)
        else:
            answer = await self._resolver.resolve(key)
        if only_public:
            request = request._replace(op_flags=request.op_flags | PUBLIC_ONLY)
        reply = self._at_once(request, query, answer)
        record = answer.record
        if record is None:
            return reply or await self._lead_on(request, query, answer.code, asker)
        if reply is None:
            values = await self._registration.readable(record, by, record.select(query.indexes, query.types))
            reply = Reply(_body(query.handle, values), private=True) if values else _NO_VALUES
        return await self._vouched(reply, record) if request.op_flags & TRUSTED_QUERY else reply

    async def _vouched(self, reply: Reply, record: HandleRecord) -> Reply:
        """The reply, and that it can be trusted when its values are signed by somebody whom this node trusts."""
        if reply.code != ResponseCode.SUCCESS:
            return reply
        trusted = await self._trust.vouches(record, HandleValues.from_wire(reply.body).values)
        return replace(reply, flags=reply.flags | TRUSTED_RESULT) if trusted else reply

    async def _lead_on(self, request: Message, query: Query, code: int, asker: str) -> Reply:
        """What another node says of a name that is not here, or where to ask it. Raises ServerBusy, RecursionLimit."""
        recursion = self._recursion
        if recursion is None or not self._recurses(request):
            return await self.refer(request, query.handle, code)
        try:
            elsewhere = await recursion.resolve(_question(request, query, asker, self._replies.clock()))
        except ServerBusy:
            reply = await self.refer(request, query.handle, code)
            if reply.code not in _REFERRALS:
                raise
            return reply  # He may have more luck.
        if elsewhere is None or elsewhere.code == ResponseCode.SERVER_NOT_RESPONSIBLE:
            return await self.refer(request, query.handle, code)
        if elsewhere.code == ResponseCode.HANDLE_NOT_FOUND:
            return replace(_NOT_FOUND, flags=0)
        values = select(elsewhere.values, query.indexes, query.types)
        return Reply(_body(query.handle, values), flags=0) if values else replace(_NO_VALUES, flags=0)

    def _recurses(self, request: Message) -> bool:
        """Whether a question may be passed on. Others are not made to vouch for what we say, nor we for them."""
        return self._recursion is not None and self._recursion.is_on and request.op_flags & _PASSED_ON == _PASSABLE

    async def refer(self, request: Message, name: bytes, code: int) -> Reply:
        """Where to ask instead for a name that is not here, or that it is not here. Raises ServerBusy."""
        foreign = code == ResponseCode.SERVER_NOT_RESPONSIBLE
        name = with_prefix(name)
        if request.op_flags & DO_NOT_REFER:
            return _NOT_HOMED if foreign else _NOT_FOUND
        if foreign:
            elsewhere = await self._referrals.for_foreign(name)
            return _referral(elsewhere, ResponseCode.SERVICE_REFERRAL) if elsewhere else _NOT_HOMED
        elsewhere = await self._referrals.for_prefix_handle(name) if _may_refer(request, name) else None
        return _referral(elsewhere, ResponseCode.PREFIX_REFERRAL) if elsewhere else _NOT_FOUND

    def _at_once(self, request: Message, query: Query, answer: Answer) -> Reply | None:
        """The reply, unless a referral may be found for it or its asker must be known."""
        if answer.tombstone is not None:
            return refusal(closed(query.handle.decode(errors="replace"), answer.tombstone))
        if answer.code == ResponseCode.HANDLE_NOT_FOUND:
            name = with_prefix(query.handle)
            waits = _may_refer(request, name) or (is_prefix_handle(name) and self._recurses(request))
            return None if waits else _NOT_FOUND
        record = answer.record
        if record is None:
            final = request.op_flags & DO_NOT_REFER or self._is_foreign_to_all(request, query.handle)
            return _NOT_HOMED if final else None
        values = record.select(query.indexes, query.types)
        if request.op_flags & PUBLIC_ONLY:
            values = public(values)
        elif not all(value.is_public for value in values):
            return None
        return Reply(_body(query.handle, values)) if values else _NO_VALUES

    def _is_foreign_to_all(self, request: Message, name: bytes) -> bool:
        """Whether it is known without waiting that nobody is known who could be asked for a name."""
        if self._recursion is not None and self._recursion.knows_more and self._recurses(request):
            return False
        return self._referrals.none_for(with_prefix(name))


def _question(request: Message, query: Query, asker: str, now: float) -> Question:
    # Clocks differ, and the reference client writes half a day: a time that is over says nothing.
    left = request.expiration - now
    authoritative = bool(request.op_flags & AUTHORITATIVE)
    seconds = left if left > 0 else float("inf")
    return Question(with_prefix(query.handle), asker, request.recursion, seconds, authoritative)


def _checked(name: bytes) -> bytes:
    """A name as it is looked up. Raises InvalidHandle."""
    if not name:
        raise InvalidHandle("handle.empty")
    if len(name) > MAX_HANDLE:
        raise InvalidHandle("handle.too_long", octets=len(name), limit=MAX_HANDLE)
    return with_prefix(name)


def _may_refer(request: Message, name: bytes) -> bool:
    if request.op_flags & DO_NOT_REFER or not is_prefix_handle(name):
        return False
    return rules_of(*request.answer_version) >= REFERRAL_FROM


def _body(name: bytes, values: tuple[HandleValue, ...]) -> bytes:
    return len(name).to_bytes(4, "big") + name + values_to_wire(values)


def _referral(elsewhere: Referral, code: ResponseCode) -> Reply:
    return Reply(elsewhere.to_wire(), code)
