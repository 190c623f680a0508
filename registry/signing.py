"""The node's signing key: made at the first start, replaced by command, its public half published for ever.

The key is a file of the data directory, as the node's other key is, and never leaves it. Its public half stands in the
book, from where it goes into the node's did:web document, and stays there after the key was replaced: signatures are
verified years after they were made.
"""

import contextlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from registry.jose import PublishedKey, Signed, public_octets, sign, thumbprint
from registry.store import Store
from registry.whole_file import write_whole

SIGNING_KEY: Final = "signing-key.pem"

PUBLISH: Final = """
INSERT INTO signing_key (key_id, public_key, made_at) VALUES ($1, $2, $3) ON CONFLICT (key_id) DO NOTHING
"""
PUBLISHED: Final = "SELECT key_id, public_key, retired_at FROM signing_key ORDER BY made_at DESC, key_id"
RETIRE: Final = "UPDATE signing_key SET retired_at = $2 WHERE key_id = $1 AND retired_at IS NULL"


class Signer:
    """Signs with the key that is in the data directory at that moment; many processes of a node share it."""

    def __init__(self, data_directory: str | Path, clock: Callable[[], float] = time) -> None:
        """Makes the key when there is none. Raises OSError or ValueError."""
        self._path = Path(data_directory, SIGNING_KEY)
        self._clock = clock
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):  # Another process was first: its key is the node's.
                _write(self._path, Ed25519PrivateKey.generate(), replace=False)
        self._load()

    def sign(self, kind: str, payload: bytes, **header: Any) -> Signed:
        """A statement of now. Some 50 microseconds, of which looking whether the key was replaced is one."""
        if self._state != _state(self._path):
            self._load()
        return sign(self._key, self.published.key_id, kind, payload, {"iat": self.now(), **header})

    def now(self) -> int:
        return int(self._clock())

    def _load(self) -> None:
        self._state = _state(self._path)
        self._key = _read(self._path)
        self.published = _published(self._key)


async def publish(store: Store, key: PublishedKey) -> None:
    """Writes a public key down, if it is not there. Raises DATABASE_AWAY."""
    async with store.connection() as connection:
        await connection.execute(PUBLISH, key.key_id, key.public, datetime.now(UTC))


async def published_keys(store: Store) -> list[PublishedKey]:
    """Every key that was ever signed with, the newest first. Raises DATABASE_AWAY."""
    async with store.connection() as connection:
        return [PublishedKey(*row) for row in await connection.fetch(PUBLISHED)]


async def rotate(store: Store, data_directory: str | Path) -> tuple[PublishedKey, PublishedKey]:
    """Signs with a new key from here on; the former one and the new one. Raises DATABASE_AWAY, OSError, ValueError.

    The new key is published before anything is signed with it, and the former one is retired once nothing is.
    """
    path = Path(data_directory, SIGNING_KEY)
    former, new = _published(_read(path)), Ed25519PrivateKey.generate()
    await publish(store, former)
    await publish(store, _published(new))
    _write(path, new)
    async with store.connection() as connection:
        await connection.execute(RETIRE, former.key_id, datetime.now(UTC))
    return former, _published(new)


def _published(key: Ed25519PrivateKey) -> PublishedKey:
    public = public_octets(key)
    return PublishedKey(thumbprint(public), public)


def _read(path: Path) -> Ed25519PrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no Ed25519 key")
    return key


def _write(path: Path, key: Ed25519PrivateKey, *, replace: bool = True) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_whole(path, pem, mode=0o600, replace=replace)


def _state(path: Path) -> tuple[int, int]:
    state = os.stat(path)
    return state.st_mtime_ns, state.st_ino
