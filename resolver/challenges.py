"""Proof of who asks: a request is challenged, kept, and done when its challenge is answered (RFC 3652, section 3.5).

The answer comes in a message of its own, perhaps over another connection to another worker, and does not repeat the
request. The proof is over the nonce and the digest of the request, so that it serves for no other.
"""

import secrets

from registry.authentication import Administrator, Authenticator, identity_from_text
from registry.errors import AuthenticationFailed, AuthenticationTimeout, SessionUnknown
from registry.exchanges import Exchanges
from registry.proofs import Proof
from resolver.replies import Replies, Reply
from resolver.wire.challenge import (
    NONCE,
    PUBLIC_KEY,
    SECRET_KEY,
    ChallengeAnswer,
    PublicKeyProof,
    SecretKeyProof,
    Verification,
    challenged,
    verdict_to_wire,
)
from resolver.wire.digest import RequestDigest
from resolver.wire.envelope import rules_of
from resolver.wire.message import Message


class Challenges:
    def __init__(self, exchanges: Exchanges, authenticator: Authenticator, replies: Replies) -> None:
        self._exchanges = exchanges
        self._authenticator = authenticator
        self._replies = replies

    async def challenge(self, request: Message, session_id: int) -> Message:
        """Keeps a request until it is answered for. Raises ServerBusy, DATABASE_AWAY."""
        nonce = secrets.token_bytes(NONCE)
        return self.ask(request, nonce, await self._exchanges.challenge(nonce, request.to_wire(), session_id))

    def ask(self, request: Message, nonce: bytes, session_id: int) -> Message:
        """The question who asks; the session id is what the answer to it will name."""
        now = self._replies.clock()
        expiration, serial = self._replies.validity(now)
        return challenged(request, nonce, session_id=session_id, expiration=expiration, serial=serial)

    async def take(self, answer: Message) -> tuple[Message, bytes]:
        """The request that an answer releases, and the nonce it had. Raises SessionUnknown, DATABASE_AWAY."""
        challenge = await self._exchanges.take_challenge(answer.session_id)
        if challenge is None:
            raise SessionUnknown("session.unknown")
        # Who is late is told so about his request; a nonce of nothing is proved by nobody.
        return Message.from_wire(challenge.request), b"" if challenge.late else challenge.nonce

    async def prove(self, answer: Message, request: Message, nonce: bytes) -> Administrator:
        """Who answered. Raises Truncated, AuthenticationTimeout and what `by_proof` raises."""
        if not nonce:
            raise AuthenticationTimeout("authentication.late")
        digest = RequestDigest.of(request.covered, rules_of(*request.answer_version)).octets
        proof = _proof(ChallengeAnswer.from_wire(answer.body), digest)
        return await self._authenticator.by_proof(proof, nonce)

    async def verify(self, request: Message, _: Administrator | None) -> tuple[Reply]:
        """Whether a proof that another server was given is right, by a secret key that lives here (op code 201)."""
        asked = Verification.from_wire(request.body)
        secret = SecretKeyProof.from_wire(asked.answer)
        try:
            await self._authenticator.by_proof(_secret_proof(str(asked.key), secret, asked.digest), asked.nonce)
        except AuthenticationFailed:
            return (Reply(verdict_to_wire(False)),)
        return (Reply(verdict_to_wire(True)),)


def same_identity(claimed: str, proved: Administrator) -> bool:
    """Whether the key that was proved is the one that was named, which may have left its index open."""
    named = identity_from_text(claimed)
    if named.index not in (0, proved.identity.index):
        return False
    return named.handle.encode().upper() == proved.identity.handle.encode().upper()


def _proof(answer: ChallengeAnswer, digest: bytes) -> Proof:
    """Raises Truncated."""
    key_type = answer.type.upper()
    if key_type == PUBLIC_KEY:
        signed = PublicKeyProof.from_wire(answer.answer)
        return Proof(str(answer.key), PUBLIC_KEY, digest, signed.algorithm, signed.signature)
    if key_type == SECRET_KEY:
        return _secret_proof(str(answer.key), SecretKeyProof.from_wire(answer.answer), digest)
    return Proof(str(answer.key), key_type, digest, "", b"")  # which `check_proof` refuses by its type


def _secret_proof(identity: str, secret: SecretKeyProof, digest: bytes) -> Proof:
    return Proof(
        identity, SECRET_KEY, digest, secret.algorithm, secret.octets, secret.salt, secret.iterations, secret.bits
    )
