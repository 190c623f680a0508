"""What spans several native messages, kept in Postgres: what one worker starts another may finish.

Numbers are drawn at random: whoever guesses that of a challenge could spoil it. Requests and session keys may be
secrets, so they are stored encrypted with a key that only the workers of this node have. Everything raises
DATABASE_AWAY.
"""

import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registry.errors import ServerBusy
from registry.store import Store

CHALLENGE_LIFE: Final = timedelta(seconds=60)  # What the reference server gives a client to answer.
LATE_LIFE: Final = timedelta(minutes=5)  # So long a late answer is told that it is late.
# A session that nobody proved himself in is worth little, and costs a stranger nothing to ask for.
UNPROVED_LIFE: Final = timedelta(minutes=5)
KEY_LIFE: Final = timedelta(seconds=60)  # For a client to send the key of a session that is to be of its making.
MAX_IDLE: Final = timedelta(hours=24)  # What the reference client proposes.
MIN_IDLE: Final = timedelta(seconds=60)
WINDOW: Final = 200  # Numbers of messages remembered, as by the reference server; older ones are refused.
# Openings of each kind in a minute and process: a flood is told to come back, and the tables stay small.
MAX_OPENED: Final = 20_000
OPENED_WITHIN: Final = timedelta(minutes=1)
PURGED_AT_ONCE: Final = 16  # More than one opening adds, so that the tables shrink whatever the rate.
# Ids that the national SDKs count up from 10,001 on their own never meet ours.
LOWEST_ID: Final = 1 << 24
_INITIAL: Final = 12  # Octets of AES-GCM's initial value.

CHALLENGE: Final = """
INSERT INTO native_challenge (challenge_id, nonce, request, expires_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (challenge_id) DO NOTHING RETURNING challenge_id
"""
CHALLENGE_SESSION: Final = """
INSERT INTO native_challenge (challenge_id, nonce, request, expires_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (challenge_id) DO UPDATE
SET nonce = excluded.nonce, request = excluded.request, expires_at = excluded.expires_at
"""
TAKE_CHALLENGE: Final = "DELETE FROM native_challenge WHERE challenge_id = $1 RETURNING nonce, request, expires_at"
PURGE_CHALLENGES: Final = """
DELETE FROM native_challenge WHERE challenge_id IN
  (SELECT challenge_id FROM native_challenge WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
   FOR UPDATE SKIP LOCKED)
"""
OPEN: Final = """
INSERT INTO native_session (session_id, session_key, claimed, idle_seconds, expires_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (session_id) DO NOTHING RETURNING session_id
"""
# A key that is still to come is empty.
EXCHANGE: Final = """
UPDATE native_session SET session_key = $2,
  expires_at = $3::timestamptz + make_interval(secs => least(idle_seconds, $4))
WHERE session_id = $1 AND expires_at > $3 AND session_key = ''
RETURNING session_id
"""
FIND: Final = """
SELECT session_key, claimed, identity FROM native_session
WHERE session_id = $1 AND expires_at > $2 AND session_key <> ''
"""
# One statement: the row is locked, and a second worker with the same number sees what the first one wrote.
SPEND: Final = """
UPDATE native_session SET
  highest = greatest(highest, $2),
  seen = CASE WHEN $2 > highest THEN set_bit(seen >> least($2 - highest, 200)::int, 0, 1)
              ELSE set_bit(seen, (highest - $2)::int, 1) END,
  expires_at = $3::timestamptz + make_interval(
    secs => CASE WHEN identity IS NULL THEN least(idle_seconds, $4) ELSE idle_seconds END)
WHERE session_id = $1 AND expires_at > $3
  AND CASE WHEN $2 > highest THEN true
           WHEN highest - $2 >= 200 THEN false
           ELSE get_bit(seen, (highest - $2)::int) = 0 END
RETURNING session_id
"""
COUNT_ANSWERS: Final = "UPDATE native_session SET answers = answers + $2 WHERE session_id = $1 RETURNING answers"
AUTHENTICATE: Final = """
UPDATE native_session SET identity = $2, expires_at = $3::timestamptz + make_interval(secs => idle_seconds)
WHERE session_id = $1 AND expires_at > $3
"""
END: Final = "DELETE FROM native_session WHERE session_id = $1"
PURGE_SESSIONS: Final = """
DELETE FROM native_session WHERE session_id IN
  (SELECT session_id FROM native_session WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A request that waited for proof; `late` when its time is over."""

    nonce: bytes
    request: bytes
    late: bool


@dataclass(frozen=True, slots=True)
class NativeSession:
    """`claimed` is whom it was set up for, `identity` who has proved to be there; both index:handle or None."""

    session_id: int
    key: bytes
    claimed: str | None
    identity: str | None


class Exchanges:
    """Challenges and sessions. `secret` is the same in every worker of the node, and in no other node."""

    def __init__(self, store: Store, secret: bytes, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock
        self._cipher = AESGCM(HKDF(SHA256(), 32, None, b"native exchanges").derive(secret))
        self._challenges = _Admission(clock)
        self._sessions = _Admission(clock)

    async def challenge(self, nonce: bytes, request: bytes, session_id: int = 0) -> int:
        """Keeps a request until it is answered for; the id that the answer will name. Raises ServerBusy in a flood.

        In a session that is the session's own, and a second challenge takes the place of the first.
        """
        self._challenges.admit()
        now = self._clock()
        async with self._store.connection() as connection:
            await connection.execute(PURGE_CHALLENGES, now - LATE_LIFE, PURGED_AT_ONCE)
            if session_id:
                row = (session_id, nonce, self._encrypted(session_id, request), now + CHALLENGE_LIFE)
                await connection.execute(CHALLENGE_SESSION, *row)
                return session_id
            while True:
                challenge_id = _random_id(odd=False)
                row = (challenge_id, nonce, self._encrypted(challenge_id, request), now + CHALLENGE_LIFE)
                if await connection.fetchval(CHALLENGE, *row) is not None:
                    return challenge_id

    async def take_challenge(self, challenge_id: int) -> Challenge | None:
        """The request that waits under this id, which is gone with that: every challenge is answered once."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(TAKE_CHALLENGE, challenge_id)
        request = None if row is None else self._decrypted(challenge_id, row["request"])
        if row is None or request is None:
            return None
        return Challenge(row["nonce"], request, row["expires_at"] <= self._clock())

    async def open_session(self, key: bytes | None, claimed: str | None, idle: timedelta) -> int:
        """A new session that may be idle so long, once somebody proved himself in it. Raises ServerBusy in a flood.

        Without a key it waits for that, and is found by nobody before it has it.
        """
        self._sessions.admit()
        now = self._clock()
        idle = min(max(idle, MIN_IDLE), MAX_IDLE)
        async with self._store.connection() as connection:
            await connection.execute(PURGE_SESSIONS, now, PURGED_AT_ONCE)
            while True:
                session_id = _random_id(odd=True)
                ends = now + min(idle, UNPROVED_LIFE if key else KEY_LIFE)
                kept = self._encrypted(session_id, key) if key else b""
                row = (session_id, kept, claimed, int(idle.total_seconds()), ends)
                if await connection.fetchval(OPEN, *row) is not None:
                    return session_id

    async def give_key(self, session_id: int, key: bytes) -> bool:
        """Completes a session that was opened without a key; False when none waits for one under this id."""
        if not is_session_id(session_id):
            return False
        unproved = int(UNPROVED_LIFE.total_seconds())
        row = (session_id, self._encrypted(session_id, key), self._clock(), unproved)
        async with self._store.connection() as connection:
            return await connection.fetchval(EXCHANGE, *row) is not None

    async def find_session(self, session_id: int) -> NativeSession | None:
        if not is_session_id(session_id):
            return None
        async with self._store.connection() as connection:
            row = await connection.fetchrow(FIND, session_id, self._clock())
        key = None if row is None else self._decrypted(session_id, row["session_key"])
        if row is None or key is None:
            return None
        return NativeSession(session_id, key, row["claimed"], row["identity"])

    async def spend(self, session_id: int, number: int) -> bool:
        """Takes note of a message's number, once its MAC was found right; False when it was there before."""
        unproved = int(UNPROVED_LIFE.total_seconds())
        async with self._store.connection() as connection:
            return await connection.fetchval(SPEND, session_id, number, self._clock(), unproved) is not None

    async def count_answers(self, session_id: int, count: int) -> int:
        """The number of the first of so many answers; they grow as the client's do, apart from them."""
        async with self._store.connection() as connection:
            last = await connection.fetchval(COUNT_ANSWERS, session_id, count)
        return 1 if last is None else int(last) - count + 1

    async def authenticate(self, session_id: int, identity: str) -> bool:
        """Makes it the session of an identity that was proved; False when its time is over meanwhile."""
        async with self._store.connection() as connection:
            status = await connection.execute(AUTHENTICATE, session_id, identity, self._clock())
        return bool(status != "UPDATE 0")

    async def end_session(self, session_id: int) -> None:
        async with self._store.connection() as connection:
            await connection.execute(END, session_id)

    def _encrypted(self, number: int, octets: bytes) -> bytes:
        initial = secrets.token_bytes(_INITIAL)
        return initial + self._cipher.encrypt(initial, octets, _place(number))

    def _decrypted(self, number: int, octets: bytes) -> bytes | None:
        """None for what another key encrypted: the node's key was replaced, and its sessions are over."""
        try:
            return self._cipher.decrypt(octets[:_INITIAL], octets[_INITIAL:], _place(number))
        except InvalidTag:
            return None


def is_session_id(number: int) -> bool:
    return number > 0 and number % 2 == 1


class _Admission:
    """So many openings in so long a time, and no more."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._opened: deque[datetime] = deque()

    def admit(self) -> None:
        now = self._clock()
        while self._opened and self._opened[0] <= now - OPENED_WITHIN:
            self._opened.popleft()
        if len(self._opened) >= MAX_OPENED:
            raise ServerBusy("server.queue")
        self._opened.append(now)


def _random_id(*, odd: bool) -> int:
    """An id that no other kind has: a challenge's is even, a session's odd."""
    number = LOWEST_ID + secrets.randbelow((1 << 31) - LOWEST_ID)
    return number | 1 if odd else number & ~1


def _place(number: int) -> bytes:
    """What the encrypted octets are bound to, so that no row can be exchanged for another."""
    return number.to_bytes(4, "big", signed=True)
