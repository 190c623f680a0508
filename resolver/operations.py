"""The operations of the Handle protocol: a request in, its answers out, whatever way it came (RFC 3652).

`respond_now` is the path of a cached answer, from message to message without waiting; what it leaves to `respond` needs
the book, a signature, a session or proof of who asks. Neither ever raises: every refusal is an answer, and the only
request that gets none is one that claims to be an answer and came over UDP, where two servers would talk for ever.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import time
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from registry.authentication import Administrator, Authenticator
from registry.database import DATABASE_AWAY, refusal_of
from registry.errors import (
    AuthenticationNeeded,
    HandleError,
    InsufficientPermission,
    InvalidAdministrator,
    OperationNotSupported,
    ProtocolFault,
    ResponseCode,
    SessionFailed,
    SessionUnknown,
)
from registry.exchanges import Exchanges, NativeSession
from registry.handle import HandleKey
from registry.limits import Address, Excess
from registry.octets import Truncated
from registry.registration import Registration
from registry.site import SiteInfo
from registry.trust import Trust
from resolver.administration import Administration
from resolver.certification import Answer, Protection
from resolver.challenges import Challenges
from resolver.conversation import Conversation, Transport
from resolver.familiar import FamiliarQueries
from resolver.log_in import LogIns, is_of_sdk
from resolver.native_sessions import WITHOUT_SESSION, NativeSessions, administrator_of
from resolver.queries import Queries
from resolver.records import EdgeRecords, Reach
from resolver.recursion import Recursion
from resolver.referral import Referrals, with_prefix
from resolver.replies import Replies, Reply, refusal
from resolver.resolution import Resolver
from resolver.tally import Protocol, Tally
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import ProtocolError
from resolver.wire.message import AUTHORITATIVE, Message

log = logging.getLogger(__name__)

_CERTIFY: Final = int(OpFlag.CERTIFY)
_ENCRYPT: Final = int(OpFlag.ENCRYPT)
_WAITS: Final = AUTHORITATIVE | _CERTIFY | _ENCRYPT | int(OpFlag.TRUSTED_QUERY)
_RESOLUTION: Final = int(OpCode.RESOLUTION)

_PROTOCOLS: Final[Mapping[Transport, Protocol]] = {"udp": "udp", "tcp": "tcp", "http": "tunnel"}
_ADMINISTRATION: Final = frozenset({*range(OpCode.CREATE_HANDLE, OpCode.LIST_DERIVED_PREFIXES + 1), 300, 301, 302})
_SUPPORTED: Final = _ADMINISTRATION | {
    OpCode.RESOLUTION,
    OpCode.GET_SITE_INFO,
    OpCode.CHALLENGE_ANSWER,
    OpCode.VERIFY_CHALLENGE_ANSWER,
    OpCode.SESSION_SETUP,
    OpCode.SESSION_TERMINATE,
    OpCode.SESSION_KEY_EXCHANGE,
    OpCode.LOG_IN_BY_KEY,
    OpCode.EDGE_RECORDS,
}


class Operations:
    """Answers native requests. `site` is asked for now and then, `node_key` is the one that stands in it.

    `ready` takes the octets of a whole message, and the cell of who asks, and gives those of its answer, or None: then
    they are to be read.
    """

    def __init__(
        self,
        resolver: Resolver,
        registration: Registration,
        authenticator: Authenticator,
        exchanges: Exchanges,
        site: Callable[[], SiteInfo],
        node_key: RSAPrivateKey,
        clock: Callable[[], float] = time,
        tally: Tally | None = None,
        recursion: Recursion | None = None,
        reach: Reach | None = None,
        *,
        authoritative: bool = True,
    ) -> None:
        """With `reach`, which waits for a position of the change log, edges are answered."""
        self._tally = tally or Tally()
        self._key_of = resolver.store.key_of
        self._replies = Replies(site, lambda: resolver.fresh_for, clock, authoritative=authoritative)
        trust = Trust(resolver.store, registration.rights, clock)
        self._queries = Queries(resolver, registration, self._replies, Referrals(resolver), trust, recursion)
        self.familiar = FamiliarQueries(self._queries, self._replies, resolver)
        self.ready = self.familiar.answer
        self._challenges = Challenges(exchanges, authenticator, self._replies)
        self._log_ins = LogIns(self._challenges, self._replies)
        self._sessions = NativeSessions(exchanges, authenticator, node_key)
        self._protection = Protection(exchanges, node_key)
        administration = Administration(registration, resolver, self._queries)
        self._operations: dict[int, Callable[[Message, Administrator | None], Awaitable[Sequence[Reply]]]] = {
            **administration.operations,
            OpCode.GET_SITE_INFO: self._site_info,
            OpCode.VERIFY_CHALLENGE_ANSWER: self._challenges.verify,
        }
        if reach is not None:
            self._operations |= {OpCode.EDGE_RECORDS: EdgeRecords(resolver, reach).answer}

    def respond_now(self, request: Message, transport: Transport, address: Address = "") -> Message | None:
        """★ The answer, when none has to be waited for; None leaves the request to `respond`."""
        try:
            if request.op_code != _RESOLUTION:
                return self._other_now(request, transport)
            if request.op_flags & _WAITS or request.credential or request.response_code:
                return None
            answer = self._queries.respond_now(request)
        except (Truncated, HandleError) as error:
            answer = self._replies.answer(request, _refusal(request, error))
        if answer is not None and request.op_code == _RESOLUTION:
            if (excess := self._excess(request, transport, address)) is not None:
                return self._replies.answer(request, refusal(excess.error()))
            found = answer.response_code == ResponseCode.SUCCESS
            self._tally.count(_PROTOCOLS[transport], address, self._key_asked(request), found=found)
        return answer

    async def respond(self, request: Answer, conversation: Conversation) -> Sequence[Answer]:
        """The answers: one message, or the parts of a list, or none."""
        try:
            return await self._respond(request, conversation)
        except (Truncated, HandleError, *DATABASE_AWAY) as error:
            return (self._refuse(request, error),)
        except Exception as error:  # here ends what one request does; the connection and the others go on
            log.error("a native request met a fault of ours", exc_info=error)
            return (self._refuse(request, HandleError("server.error")),)

    def refuse(self, error: ProtocolError) -> Message | None:
        """The answer to octets that are no message; None when not even whose they are could be read."""
        if error.envelope is None:
            return None
        reply = refusal(ProtocolFault("message.unreadable", reason=str(error)))
        return self._replies.refuse_envelope(error.envelope, reply)

    def _other_now(self, request: Message, transport: Transport) -> Message | None:
        if request.response_code:
            return None
        _check(request, transport)
        if request.op_code == OpCode.GET_SITE_INFO and not (request.op_flags & _WAITS or request.credential):
            return self._replies.answer(request, self._replies.site_info)
        return None

    async def _respond(self, received: Answer, conversation: Conversation) -> Sequence[Answer]:
        request = received if isinstance(received, Message) else await self._sessions.unsealed(received)
        if request.response_code:
            if conversation.transport == "udp":
                return ()
            raise ProtocolFault("message.response_code", code=request.response_code)
        if request is not received:
            _check(request, conversation.transport)
        elif (at_once := self.respond_now(request, conversation.transport, conversation.peer)) is not None:
            return (at_once,)
        if (excess := self._excess(request, conversation.transport, conversation.peer)) is not None:
            raise excess.error()
        if request.op_code == _RESOLUTION:  # It may still be refused, or asked again who it is from.
            protocol = _PROTOCOLS[conversation.transport]
            self._tally.count(protocol, conversation.peer, self._key_asked(request), found=False)
        if request.op_code == OpCode.CHALLENGE_ANSWER and not request.credential:
            return await self._release(request, conversation)
        session = await self._session_of(request, received, conversation)
        if request.op_code == OpCode.CHALLENGE_ANSWER:
            return await self._release(request, conversation)
        by = administrator_of(session) if session else self._logged_in(conversation)
        return await self._perform(request, by, session, conversation)

    async def _session_of(self, request: Message, received: Answer, conversation: Conversation) -> NativeSession | None:
        """The session that a request belongs to. Raises the refusals of sessions."""
        if request is not received or (request.session_id and request.credential):
            return await self._sessions.verified(request)
        if not request.session_id or request.op_code in WITHOUT_SESSION or self._log_ins.is_logged_in(conversation):
            return None
        raise SessionUnknown("session.unknown")

    async def _release(self, answer: Message, conversation: Conversation) -> Sequence[Answer]:
        """Does what was challenged, for whoever the answer proves to be there."""
        pending = conversation.pending
        if pending is not None and pending.session_id == answer.session_id:
            return await self._released_log_in(answer, conversation)
        request, nonce = await self._challenges.take(answer)
        session = await self._sessions.find(request.session_id) if _is_in_session(request, answer) else None
        try:
            by = await self._challenges.prove(answer, request, nonce)
            if session is not None:
                await self._sessions.prove(session, by)
        except (Truncated, HandleError) as error:
            return await self._written(request, (_refusal(answer, error),), session, answer)
        return await self._perform(request, by, session, conversation, answer)

    async def _released_log_in(self, answer: Message, conversation: Conversation) -> Sequence[Answer]:
        pending = conversation.pending
        assert pending is not None
        try:
            message = await self._log_ins.answer(answer, pending, conversation)
        except (Truncated, HandleError) as error:
            message = self._replies.answer(answer, _refusal(answer, error))
            message = message._replace(op_code=OpCode.LOG_IN_BY_KEY)
        return await self._protection.apply([message], answer, None, private=False)

    async def _perform(
        self,
        request: Message,
        by: Administrator | None,
        session: NativeSession | None,
        conversation: Conversation,
        answer: Message | None = None,
    ) -> Sequence[Answer]:
        """Does what is asked; `answer` is the message that released it, when it was challenged."""
        if request.op_code == OpCode.LOG_IN_BY_KEY:
            return await self._protection.apply(
                [self._log_ins.ask(request, conversation)], request, None, private=False
            )
        if request.op_code == OpCode.SESSION_SETUP:
            return await self._set_up(request)
        try:
            replies = await self._replies_to(request, by, session, conversation.peer)
            if request.op_code == _RESOLUTION and replies[0].code == ResponseCode.SUCCESS:
                protocol = _PROTOCOLS[conversation.transport]
                self._tally.count_later_success(protocol, conversation.peer, self._key_asked(request))
        except AuthenticationNeeded:
            return await self._challenge(request, session, conversation)
        except (Truncated, HandleError) as error:
            replies = (_refusal(request, error),)
        except DATABASE_AWAY as error:
            replies = (refusal(refusal_of(error)),)
        return await self._written(request, replies, session, answer)

    async def _replies_to(
        self, request: Message, by: Administrator | None, session: NativeSession | None, asker: str
    ) -> Sequence[Reply]:
        """Raises Truncated, HandleError, DATABASE_AWAY."""
        if request.op_code == OpCode.RESOLUTION:
            # In a session as the book has it now: what it wrote at one worker, another has perhaps not heard of.
            asked = request if session is None else request._replace(op_flags=request.op_flags | AUTHORITATIVE)
            return (await self._resolve(asked, by, asker),)
        if request.op_code == OpCode.SESSION_TERMINATE:
            if session is None:
                raise SessionUnknown("session.unknown")
            return (Reply(),)  # and ended in `_written`, whose answer may need the session's key
        if request.op_code == OpCode.SESSION_KEY_EXCHANGE:
            return (await self._sessions.take_key(request),)
        operation = self._operations.get(request.op_code)
        if operation is None:
            raise OperationNotSupported("operation.unsupported", operation=request.op_code)
        return await operation(request, by)

    async def _resolve(self, request: Message, by: Administrator | None, asker: str) -> Reply:
        """Raises AuthenticationNeeded among others, but for a client that would not understand it."""
        try:
            reply = await self._queries.respond(request, by, asker=asker)
        except (AuthenticationNeeded, InvalidAdministrator, InsufficientPermission):
            if not is_of_sdk(request):
                raise
            reply = await self._queries.respond(request, None, only_public=True)
        return reply

    async def _site_info(self, _: Message, __: Administrator | None) -> tuple[Reply]:
        return (self._replies.site_info,)

    async def _set_up(self, request: Message) -> Sequence[Answer]:
        try:
            reply, session_id = await self._sessions.set_up(request)
        except (Truncated, HandleError) as error:
            reply, session_id = _refusal(request, error), request.session_id
        message = self._replies.answer(request, reply, session_id=session_id)
        return await self._protection.apply([message], request, None, private=False)

    async def _challenge(
        self, request: Message, session: NativeSession | None, conversation: Conversation
    ) -> Sequence[Answer]:
        error = self._log_ins.refusal_for(request, conversation) if session is None else None
        if error is not None and not isinstance(error, AuthenticationNeeded):
            return await self._written(request, (refusal(error),), None, None)
        message = await self._challenges.challenge(request, session.session_id if session else 0)
        return await self._protection.apply([message], request, session, private=False)

    async def _written(
        self, request: Message, replies: Sequence[Reply], session: NativeSession | None, answer: Message | None
    ) -> Sequence[Answer]:
        """Replies as messages: to the request itself, or to the answer that released it."""
        private = any(reply.private for reply in replies)
        if private and session is None and request.op_flags & _ENCRYPT:
            replies, private = (refusal(SessionFailed("session.unknown")),), False
        ids = {} if answer is None else {"request_id": answer.request_id, "session_id": _id_of(session)}
        messages = [self._replies.answer(request, reply, **ids) for reply in replies]
        protected = await self._protection.apply(messages, request, session, private=private)
        if session is not None and request.op_code == OpCode.SESSION_TERMINATE:
            await self._sessions.end(session)
        return protected

    def _excess(self, request: Message, transport: Transport, address: Address) -> Excess | None:
        """What a request is too much of; it is counted where it is not."""
        allowance = self._tally.cells[_PROTOCOLS[transport]][address].allowance
        if allowance is None:
            return None
        if request.op_code != _RESOLUTION:
            return allowance.client_excess()
        return allowance.excess(self._key_asked(request).partition(b"/")[0])

    def _key_asked(self, request: Message) -> HandleKey:
        """The key of the name in a query, or in what is meant to be one."""
        end = 4 + int.from_bytes(request.body[:4], "big")
        return self._key_of(with_prefix(request.body[4:end]))

    def _logged_in(self, conversation: Conversation) -> Administrator | None:
        return conversation.log_in if self._log_ins.is_logged_in(conversation) else None

    def _refuse(self, request: Answer, error: Exception) -> Message:
        reply = _refusal(request, error)
        if isinstance(request, Message):
            return self._replies.answer(request, reply)
        return self._replies.refuse_envelope(request.envelope, reply)


def _check(request: Message, transport: Transport) -> None:
    """Raises OperationNotSupported, ProtocolFault."""
    if request.op_code not in _SUPPORTED:
        raise OperationNotSupported("operation.unsupported", operation=request.op_code)
    if transport == "udp" and request.op_code in (*_ADMINISTRATION, OpCode.EDGE_RECORDS):
        # Datagrams are sent again when an answer is late, and in sessions with another number each time.
        raise ProtocolFault("message.over_udp", operation=request.op_code)


def _refusal(request: Answer, error: Exception) -> Reply:
    """What went wrong, as a reply."""
    if isinstance(error, HandleError):
        return refusal(error)
    if isinstance(error, Truncated):
        operation = request.op_code if isinstance(request, Message) else 0
        return refusal(ProtocolFault("message.malformed", operation=operation, reason=str(error)))
    return refusal(refusal_of(error))


def _is_in_session(request: Message, answer: Message) -> bool:
    """Whether a request that was challenged belongs to a session: then the session's id names the challenge too."""
    return bool(request.credential) and request.session_id == answer.session_id


def _id_of(session: NativeSession | None) -> int:
    return 0 if session is None else session.session_id
