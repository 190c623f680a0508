"""The node's signing key: made at the first start, replaced by command, its public half published for ever; and
another one, of SM2, where the extra `gm` is installed.

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

from registry.jose import (
    ALGORITHM,
    SM2_ALGORITHM,
    PublishedKey,
    Signed,
    SigningKey,
    public_octets,
    sign,
    thumbprint,
)
from registry.national import has_sm2
from registry.sm2_key import Sm2PrivateKey
from registry.store import Store
from registry.whole_file import write_whole

SIGNING_KEY: Final = "signing-key.pem"
SM2_SIGNING_KEY: Final = "signing-key-sm2.pem"
FILES: Final = {ALGORITHM: SIGNING_KEY, SM2_ALGORITHM: SM2_SIGNING_KEY}

PUBLISH: Final = """
INSERT INTO signing_key (key_id, public_key, made_at) VALUES ($1, $2, $3) ON CONFLICT (key_id) DO NOTHING
"""
PUBLISHED: Final = "SELECT key_id, public_key, retired_at FROM signing_key ORDER BY made_at DESC, key_id"
RETIRE: Final = "UPDATE signing_key SET retired_at = $2 WHERE key_id = $1 AND retired_at IS NULL"


class _KeyFile:
    """A key as it is in its file at that moment."""

    def __init__(self, path: Path) -> None:
        """Makes the key when there is none. Raises OSError or ValueError."""
        self._path = path
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):  # Another process was first: its key is the node's.
                _write(path, _new(path), replace=False)
        self._load()

    def current(self) -> tuple[SigningKey, str]:
        """The key, and what it is named by."""
        if self._state != _state(self._path):
            self._load()
        return self._key, self.published.key_id

    def _load(self) -> None:
        self._state = _state(self._path)
        self._key = _read(self._path)
        self.published = _published(self._key)


class Signer:
    """Signs with the keys that are in the data directory at that moment; many processes of a node share them."""

    def __init__(self, data_directory: str | Path, clock: Callable[[], float] = time) -> None:
        """Makes the keys when there are none. Raises OSError or ValueError."""
        self._clock = clock
        self._files = {
            algorithm: _KeyFile(Path(data_directory, file))
            for algorithm, file in FILES.items()
            if algorithm != SM2_ALGORITHM or has_sm2()
        }

    @property
    def algorithms(self) -> frozenset[str]:
        return frozenset(self._files)

    @property
    def published(self) -> PublishedKey:
        """The public half of the key of Ed25519."""
        return self._files[ALGORITHM].published

    @property
    def every_published(self) -> tuple[PublishedKey, ...]:
        return tuple(file.published for file in self._files.values())

    def sign(self, kind: str, payload: bytes, algorithm: str = ALGORITHM, **header: Any) -> Signed:
        """A statement of now. Some 50 microseconds, of which looking whether the key was replaced is one."""
        key, key_id = self._files[algorithm].current()
        return sign(key, key_id, kind, payload, {"iat": self.now(), **header}, algorithm)

    def now(self) -> int:
        return int(self._clock())


async def publish(store: Store, key: PublishedKey) -> None:
    """Writes a public key down, if it is not there. Raises DATABASE_AWAY."""
    async with store.connection() as connection:
        await connection.execute(PUBLISH, key.key_id, key.public, datetime.now(UTC))


async def published_keys(store: Store) -> list[PublishedKey]:
    """Every key that was ever signed with, the newest first. Raises DATABASE_AWAY."""
    async with store.connection() as connection:
        return [PublishedKey(*row) for row in await connection.fetch(PUBLISHED)]


async def rotate(
    store: Store, data_directory: str | Path, algorithm: str = ALGORITHM
) -> tuple[PublishedKey, PublishedKey]:
    """Signs with a new key from here on; the former one and the new one. Raises DATABASE_AWAY, OSError, ValueError.

    The new key is published before anything is signed with it, and the former one is retired once nothing is.
    """
    path = Path(data_directory, FILES[algorithm])
    former, new = _published(_read(path)), _new(path)
    await publish(store, former)
    await publish(store, _published(new))
    _write(path, new)
    async with store.connection() as connection:
        await connection.execute(RETIRE, former.key_id, datetime.now(UTC))
    return former, _published(new)


def _new(path: Path) -> Ed25519PrivateKey | Sm2PrivateKey:
    return Sm2PrivateKey.generate() if path.name == SM2_SIGNING_KEY else Ed25519PrivateKey.generate()


def _published(key: Ed25519PrivateKey | Sm2PrivateKey) -> PublishedKey:
    public = key.point if isinstance(key, Sm2PrivateKey) else public_octets(key)
    return PublishedKey(thumbprint(public), public)


def _read(path: Path) -> Ed25519PrivateKey | Sm2PrivateKey:
    pem = path.read_bytes()
    if path.name == SM2_SIGNING_KEY:
        return Sm2PrivateKey.from_pem(pem)
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no Ed25519 key")
    return key


def _write(path: Path, key: Ed25519PrivateKey | Sm2PrivateKey, *, replace: bool = True) -> None:
    if isinstance(key, Sm2PrivateKey):
        pem = key.to_pem()
    else:
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_whole(path, pem, mode=0o600, replace=replace)


def _state(path: Path) -> tuple[int, int]:
    state = os.stat(path)
    return state.st_mtime_ns, state.st_ino
