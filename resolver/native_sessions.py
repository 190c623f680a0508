"""Sessions of the native protocol: a key that both sides have, and numbered messages with a MAC (RFC 3652, 3.8).

The reference client sets one up before every administrative request and fails altogether when it is refused, unless
its version is so old that it can be told to go without. What a session is, is kept in Postgres: its messages may come
over any connection, to any worker.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from registry.aside import Aside
from registry.authentication import Administrator, Authenticator, identity_from_text
from registry.certificate import public_key
from registry.errors import (
    AuthenticationFailed,
    InvalidCredential,
    InvalidSessionKey,
    InvalidSessionSetup,
    SessionFailed,
    SessionMessageRejected,
    SessionUnknown,
    UnableToAuthenticate,
)
from registry.exchanges import Exchanges, NativeSession
from registry.handle import MAX_HANDLE
from registry.octets import Truncated
from registry.value import Reference
from resolver.challenges import same_identity
from resolver.replies import Reply
from resolver.wire.codes import OpCode
from resolver.wire.credential import Credential, mac_is_right
from resolver.wire.envelope import ProtocolError, Version, rules_of
from resolver.wire.key_exchange import UnusableKey, exchange
from resolver.wire.key_transport import made_for, unwrapped
from resolver.wire.message import Message, SealedMessage
from resolver.wire.session_cipher import opened
from resolver.wire.session_setup import (
    Cipher,
    EncryptedSessionKey,
    ExchangedKey,
    SessionMode,
    SessionOpened,
    SessionSetup,
)

# Below, sessions encrypt with DES and name no cipher. Such clients work without sessions when they are refused one.
SESSIONS_FROM: Final[Version] = (2, 4)
MAX_EXCHANGES: Final = 32  # Keys computed or waited for at one time: half a second of a core at the most.


class NativeSessions:
    """Everything raises DATABASE_AWAY."""

    def __init__(self, exchanges: Exchanges, authenticator: Authenticator, node_key: RSAPrivateKey) -> None:
        self._exchanges = exchanges
        self._authenticator = authenticator
        self._node_key = node_key
        self._public_key = public_key(node_key).to_wire()
        # One at a time: each holds the interpreter for all of its milliseconds, and the event loop waits among them.
        self._keys = Aside(MAX_EXCHANGES, at_once=1)
        # What the client is told, and the key; None for the key that it is to make.
        self._modes: Mapping[int, Callable[[SessionSetup, Version], Awaitable[tuple[bytes, bytes | None]]]] = {
            SessionMode.CLIENT_KEY: self._for_client_key,
            SessionMode.SERVER_KEY: self._for_server_key,
            SessionMode.KEY_IN_HANDLE: self._for_key_in_handle,
            SessionMode.DIFFIE_HELLMAN: self._by_diffie_hellman,
        }

    async def set_up(self, request: Message) -> tuple[Reply, int]:
        """A session: our half of its key, and its id. Raises Truncated, ServerBusy and the refusals of set-ups."""
        version = rules_of(*request.answer_version)
        if version < SESSIONS_FROM:
            raise SessionFailed("session.old_version")
        setup = SessionSetup.from_wire(request.body)
        if setup.mode not in self._modes:
            raise InvalidSessionSetup("session.mode", mode=setup.mode)
        claimed = None if setup.identity is None else _claim(setup.identity)
        octets, key = await self._modes[setup.mode](setup, version)
        session_id = await self._exchanges.open_session(key, claimed, timedelta(seconds=setup.timeout))
        return Reply(SessionOpened(setup.mode, octets).to_wire()), session_id

    async def take_key(self, request: Message) -> Reply:
        """Completes a session with the key that the client made. Raises Truncated and the refusals of sessions."""
        sent = EncryptedSessionKey.from_wire(request.body)
        try:
            key = await self._keys.do(unwrapped, sent.octets, self._node_key)
        except UnusableKey:
            raise InvalidSessionKey("session.key") from None
        if not await self._exchanges.give_key(request.session_id, key):
            await self.find(request.session_id)
            raise SessionMessageRejected("session.exchanged")
        return Reply()

    async def unsealed(self, received: SealedMessage) -> Message:
        """An encrypted message in clear. Raises SessionFailed, SessionUnknown, InvalidSessionKey."""
        if not received.envelope.session_id:
            raise SessionFailed("session.unknown")
        session = await self.find(received.envelope.session_id)
        try:
            return opened(received, session.key)
        except ProtocolError:
            # As a wrong MAC is refused: what tells the two apart decrypts messages octet by octet.
            raise InvalidSessionKey("session.key") from None

    async def verified(self, request: Message) -> NativeSession:
        """The session that wrote this message. Raises the refusals of sessions."""
        session = await self.find(request.session_id)
        try:
            credential = Credential.from_wire(request.credential)
        except Truncated:
            raise InvalidSessionKey("session.key") from None
        if not mac_is_right(request, credential, session.key):
            raise InvalidSessionKey("session.key")
        # After the MAC: a stranger must not use up the numbers of others.
        if not await self._exchanges.spend(session.session_id, credential.counter):
            await self.find(session.session_id)
            raise SessionMessageRejected("session.repeated", counter=credential.counter)
        return session

    async def find(self, session_id: int) -> NativeSession:
        """Raises SessionUnknown."""
        session = await self._exchanges.find_session(session_id)
        if session is None:
            raise SessionUnknown("session.unknown")
        return session

    async def prove(self, session: NativeSession, by: Administrator) -> None:
        """Makes it the session of who proved himself in it. Raises AuthenticationFailed, SessionUnknown.

        Of nobody but whom it was set up for: the answer to a challenge carries no MAC, and might be a stranger's.
        """
        if session.claimed is not None and not same_identity(session.claimed, by):
            raise AuthenticationFailed("authentication.failed")
        if not await self._exchanges.authenticate(session.session_id, str(by)):
            raise SessionUnknown("session.unknown")

    async def end(self, session: NativeSession) -> None:
        await self._exchanges.end_session(session.session_id)

    async def _for_client_key(self, setup: SessionSetup, _: Version) -> tuple[bytes, bytes]:
        return await self._agreed(made_for, setup.public_key)

    async def _for_server_key(self, _: SessionSetup, __: Version) -> tuple[bytes, None]:
        return self._public_key, None

    async def _for_key_in_handle(self, setup: SessionSetup, _: Version) -> tuple[bytes, bytes]:
        assert setup.key is not None
        try:
            value = await self._authenticator.public_key(setup.key)
        except UnableToAuthenticate as error:
            raise InvalidSessionSetup("session.public_key", reason=str(error)) from None
        return await self._agreed(made_for, value.data)

    async def _by_diffie_hellman(self, setup: SessionSetup, version: Version) -> tuple[bytes, bytes]:
        ours, key = await self._agreed(exchange, setup.public_key)
        return ExchangedKey(Cipher.AES, ours).to_wire(version), key

    async def _agreed(self, agree: Callable[[bytes], tuple[bytes, bytes]], theirs: bytes) -> tuple[bytes, bytes]:
        try:
            return await self._keys.do(agree, theirs)
        except UnusableKey as error:
            raise InvalidSessionSetup("session.public_key", reason=str(error)) from None


def administrator_of(session: NativeSession) -> Administrator | None:
    """Who a session has proved to be."""
    return None if session.identity is None else Administrator.from_text(session.identity)


def _claim(identity: Reference) -> str | None:
    """Whom a session is set up for; None for nobody in particular. Raises InvalidCredential."""
    if not identity.handle:
        return None
    text = str(identity)
    if "\0" in text or len(identity.handle.encode()) > MAX_HANDLE:
        raise InvalidCredential("authentication.identity", identity=text[:200])
    return str(identity_from_text(text))


# Operations whose session id is passed over when there is neither MAC nor encryption: one national SDK numbers its
# connections itself, and a session that waits for its key has none for a MAC.
WITHOUT_SESSION: Final = frozenset(
    {
        OpCode.RESOLUTION,
        OpCode.GET_SITE_INFO,
        OpCode.SESSION_KEY_EXCHANGE,
        OpCode.LOG_IN_BY_PASSWORD,
        OpCode.LOG_IN_BY_KEY,
    }
)
