"""Personal data of legal persons and contacts: encrypted where it is stored, masked where it is shown.

The key is a file of its own beside the node's other keys, and in no backup of the database. Whoever has both reads the
data; whoever lost the key has lost it, and nothing else.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry.errors import HandleError

KEY_FILE: Final = "personal.key"
KEY_OCTETS: Final = 32  # AES-256.
_FORM: Final = b"\x01"
_INITIAL: Final = 12  # Octets of AES-GCM's initial value.


class Personal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The legal person and the contact of an enterprise. Nothing of it is ever logged: its repr shows nothing."""

    legal_person: str
    id_number: str
    contact: str
    phone: str
    email: str = ""

    def __repr__(self) -> str:
        return "Personal(…)"


class Vault:
    """Seals and opens what is stored. The key is made when it is first needed."""

    def __init__(self, data_directory: Path) -> None:
        self._path = data_directory / KEY_FILE
        self._key: AESGCM | None = None

    def seal(self, octets: bytes, place: str) -> bytes:
        """`place` says where it will stand: moved elsewhere, it cannot be opened. Raises OSError."""
        initial = os.urandom(_INITIAL)
        return _FORM + initial + self._cipher().encrypt(initial, octets, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """Raises HandleError for what was sealed with another key or for another place, OSError."""
        initial, rest = sealed[1 : 1 + _INITIAL], sealed[1 + _INITIAL :]
        try:
            if sealed[:1] != _FORM:
                raise InvalidTag
            return self._cipher().decrypt(initial, rest, place.encode())
        except (InvalidTag, ValueError):
            raise HandleError("personal.key", place=place) from None

    def seal_personal(self, personal: Personal, place: str) -> bytes:
        return self.seal(orjson.dumps(msgspec.to_builtins(personal)), place)

    def open_personal(self, sealed: bytes, place: str) -> Personal:
        return msgspec.json.decode(self.open(sealed, place), type=Personal)

    def _cipher(self) -> AESGCM:
        if self._key is None:
            self._key = AESGCM(_key_of(self._path))
        return self._key


def masked(personal: Personal) -> dict[str, Any]:
    """What everybody may be shown of it who may see the enterprise at all."""
    shown: Mapping[str, str] = {
        "legal_person": _kept(personal.legal_person, 1, 0),
        "id_number": _kept(personal.id_number, 3, 2),
        "contact": _kept(personal.contact, 1, 0),
        "phone": _kept(personal.phone, 3, 2),
        "email": _kept_address(personal.email),
    }
    return dict(shown)


def _kept(text: str, first: int, last: int) -> str:
    """A text of which so many characters are kept, if that leaves most of it out."""
    if len(text) <= 2 * (first + last):
        return text[:1] + "*" * max(0, len(text) - 1) if last == 0 else "*" * len(text)
    return text[:first] + "*" * (len(text) - first - last) + text[len(text) - last :]


def _kept_address(address: str) -> str:
    name, at, domain = address.partition("@")
    return name[:1] + "***" + at + domain if at else "*" * len(address)


def _key_of(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path)
    key = path.read_bytes()
    if len(key) != KEY_OCTETS:
        raise OSError(f"{path} holds no key of {KEY_OCTETS} octets")
    return key


def _make(path: Path) -> None:
    """Written whole under another name first: a process that looks meanwhile finds no half a key."""
    written = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(KEY_OCTETS))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(written, path)
        except FileExistsError:
            return  # Another process was first: its key is the node's.
    finally:
        written.unlink()
