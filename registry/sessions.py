"""Challenges and the sessions that they become, kept in Postgres: what one worker starts another may finish.

A session begins as a challenge, a nonce that the client proves itself over; once proved, it stands for that identity
until it has been idle too long. The client's name of it is a secret, so only its SHA-256 is stored.
"""

import hashlib
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from registry.errors import ServerBusy
from registry.store import Store

CHALLENGE_LIFE: Final = timedelta(seconds=60)  # What the reference server gives a client to answer.
IDLE_LIFE: Final = timedelta(hours=24)  # The most that the reference's clients ask for.
TOUCH_AFTER: Final = timedelta(minutes=10)  # A session in use is written this often, not at every request.
NONCE: Final = 16  # Octets, as the reference server's.
# Each unanswered request for a challenge costs a row for a minute; a flood of them is told to come back.
MAX_CHALLENGES: Final = 20_000
PURGED_AT_ONCE: Final = 16  # More than one opening adds, so that the table shrinks whatever the rate.

OPEN: Final = "INSERT INTO session (session_id, nonce, identity, expires_at) VALUES ($1, $2, $3, $4)"
FIND: Final = "SELECT nonce, identity, expires_at FROM session WHERE session_id = $1 AND expires_at > $2"
AUTHENTICATE: Final = "UPDATE session SET identity = $2, expires_at = $3 WHERE session_id = $1 AND expires_at > $4"
TOUCH: Final = "UPDATE session SET expires_at = $2 WHERE session_id = $1 AND identity IS NOT NULL"
END: Final = "DELETE FROM session WHERE session_id = $1 AND expires_at > $2"
PURGE: Final = """
DELETE FROM session WHERE session_id IN
  (SELECT session_id FROM session WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


@dataclass(frozen=True, slots=True)
class Session:
    """`identity` is index:handle once proved, None while the challenge stands."""

    session_id: str
    nonce: bytes
    identity: str | None


class Sessions:
    """Opens, finds and ends sessions. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._clock = clock
        self._challenges: deque[datetime] = deque()

    async def open(self, identity: str | None = None, *, life: timedelta = CHALLENGE_LIFE) -> Session:
        """A new challenge, or a session for an identity proved in another way. Raises ServerBusy in a flood."""
        now = self._clock()
        self._admit(now)
        session = Session(secrets.token_urlsafe(24), secrets.token_bytes(NONCE), identity)
        expires_at = now + (life if identity is None else IDLE_LIFE)
        async with self._store.connection() as connection:
            await connection.execute(PURGE, now, PURGED_AT_ONCE)
            await connection.execute(OPEN, _stored(session.session_id), session.nonce, identity, expires_at)
        return session

    async def find(self, session_id: str) -> Session | None:
        """The session of that name, unless its time is over. Using a session keeps it alive."""
        now = self._clock()
        async with self._store.connection() as connection:
            row = await connection.fetchrow(FIND, _stored(session_id), now)
            if row is None:
                return None
            if row["identity"] is not None and row["expires_at"] - now < IDLE_LIFE - TOUCH_AFTER:
                await connection.execute(TOUCH, _stored(session_id), now + IDLE_LIFE)
        return Session(session_id, row["nonce"], row["identity"])

    async def authenticate(self, session_id: str, identity: str) -> bool:
        """Makes it the session of an identity that was proved; False when its time is over meanwhile."""
        now = self._clock()
        async with self._store.connection() as connection:
            status = await connection.execute(AUTHENTICATE, _stored(session_id), identity, now + IDLE_LIFE, now)
        return bool(status != "UPDATE 0")

    async def end(self, session_id: str) -> bool:
        """Whether there was such a session to end."""
        async with self._store.connection() as connection:
            status = await connection.execute(END, _stored(session_id), self._clock())
        return bool(status != "DELETE 0")

    async def purge(self) -> int:
        """Deletes every session whose time is over, and says how many."""
        purged = 0
        while True:
            async with self._store.connection() as connection:
                status = await connection.execute(PURGE, self._clock(), 1000)
            purged += (deleted := int(status.rpartition(" ")[2]))
            if deleted < 1000:
                return purged

    def _admit(self, now: datetime) -> None:
        while self._challenges and self._challenges[0] <= now - CHALLENGE_LIFE:
            self._challenges.popleft()
        if len(self._challenges) >= MAX_CHALLENGES:
            raise ServerBusy("server.queue")
        self._challenges.append(now)


def _stored(session_id: str) -> str:
    return hashlib.sha256(session_id.encode("utf-8", "surrogatepass")).hexdigest()
