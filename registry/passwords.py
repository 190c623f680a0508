"""Passwords of people: Argon2id (RFC 9106), computed on another thread and one at a time.

Each takes 19 MiB and some twenty milliseconds, which is what makes guessing dear. So a bounded number waits, and the
others are told to come back: who floods the log-in holds up the log-in and nothing else.
"""

import os
import secrets
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from registry.aside import Aside
from registry.errors import InvalidValue

MEMORY: Final = 19 * 1024  # KiB, with two passes: the least that OWASP's cheat sheet advises.
PASSES: Final = 2
LENGTH: Final = 32
SALT: Final = 16
MAX_WAITING: Final = 32  # A second of work.
SHORTEST, LONGEST = 10, 200  # Characters.
MADE_OCTETS: Final = 12  # 96 random bits, where nobody chose a password: 16 characters.


class Passwords:
    """Makes and checks what is stored of passwords."""

    def __init__(self) -> None:
        self._computing = Aside(MAX_WAITING, at_once=1)

    async def stored(self, password: str) -> str:
        """What is stored of a password. Raises InvalidValue for one that is too short or too long, ServerBusy."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise InvalidValue("person.password", shortest=SHORTEST, longest=LONGEST)
        return await self._computing.do(_stored, password)

    async def proves(self, password: str, stored: str | None) -> bool:
        """Whether it is that password. Without one to compare it takes as long, and is not. Raises ServerBusy."""
        if len(password) > LONGEST:
            return False
        return await self._computing.do(_proves, password, stored or _NOBODYS) and stored is not None


def made() -> str:
    """A password for somebody who is told it once."""
    return secrets.token_urlsafe(MADE_OCTETS)


def _stored(password: str) -> str:
    salt = os.urandom(SALT)
    function = Argon2id(salt=salt, length=LENGTH, iterations=PASSES, lanes=1, memory_cost=MEMORY)
    return function.derive_phc_encoded(password.encode("utf-8", "surrogatepass"))


def _proves(password: str, stored: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password.encode("utf-8", "surrogatepass"), stored)
    except InvalidKey:
        return False
    return True


# Of no password at all: what is computed for a name that nobody has.
_NOBODYS: Final = f"$argon2id$v=19$m={MEMORY},t={PASSES},p=1${'A' * 22}${'A' * 43}"
