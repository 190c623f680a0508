"""What the node says of one handle, rendered once when it is made; and the entry of the table that keeps it.

This node is the authority for what it answers, so times to live are sent as they are stored and not aged: the body of
a full public answer is constant until the handle changes. Only the spelling that was asked for differs, and it stands
in front. A million answers are kept, so an answer is one object, its name and its text, and nothing is kept twice: the
record is read back from the text, and the octets of the native protocol are made when they are first asked for.
"""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, Final

import orjson

from registry.alias import target_of
from registry.data_forms import data_from_json
from registry.errors import InvalidValue, ResponseCode
from registry.handle import Handle, HandleKey
from registry.packing import PackedRecord
from registry.record import HandleRecord, public, ttl_of, values_to_wire
from registry.rest import STATUS, values_from_shown, values_to_json
from registry.standing import Standing, State, shown
from registry.value import HandleValue

# What an answer costs in memory beside its texts: the object, the heads of two strings, what an allocation is rounded
# up by, its places in table and ring (measured by bench/memory.py).
SURROUNDINGS: Final = 256
STRING: Final = 41  # A string beside its octets: its head, and what its allocation is rounded up by.
RECORD: Final = 400  # A packed record beside its octets: four objects.
MISSING_TTL: Final = 10  # Seconds a client may keep "not found": the registration that ends it cannot be announced.
GONE: Final = 410  # HTTP statuses of handles that have only their standing to show: no longer resolved,
NOT_YET: Final = 404  # and not yet.
# Of tags: the next letter when records are rendered in another way, so that no client takes an old body for the new.
FORM: Final = "a"
NOT_KEPT: Final = float("-inf")
# What stands before the spelling asked for; a number in a format would cost as much as the rest of the body.
_HEADS: Final = {code: b'{"responseCode":%d,"handle":' % code for code in ResponseCode}
FOUND_HEAD: Final = _HEADS[ResponseCode.SUCCESS]
_TAG: Final = re.compile(rf'"{FORM}([0-9a-f]{{1,8}})-[0-9a-f]{{1,16}}"')
_TAIL_HEAD: Final = b',"values":'
# Forms of data that say every octet; of others it is tried.
_EXACT_FORMS: Final = frozenset({"string", "base64"})


class Answer:
    """`tail` ends the JSON body, behind the spelling asked for; `name` is the spelling registered.

    `packed` is there when the tail does not say the whole record. The rest is the cache's own: until when it is kept,
    up to which change it was checked, and how often it was used since the cache last passed.
    """

    code: ClassVar[ResponseCode] = ResponseCode.SUCCESS
    head: ClassVar[bytes] = FOUND_HEAD
    registered: ClassVar[bool] = True

    # Ten places at most: with an eleventh, every answer takes sixteen octets more.
    __slots__ = ("checked", "expires", "name", "packed", "tag", "tail", "ttl", "used", "version", "wire")

    def __init__(
        self,
        name: bytes,
        tail: bytes,
        ttl: int,
        version: int = 1,
        written_at: int = 0,
        packed: PackedRecord | None = None,
    ) -> None:
        self.name = name
        self.tail = tail
        self.ttl = ttl
        self.version = version
        self.tag = _tag(version, written_at) if self.registered else b""
        self.packed = packed
        self.wire: bytes | None = None
        self.expires = NOT_KEPT
        self.checked = 0
        self.used = 0

    @property
    def etag(self) -> str:
        """A tag for the body, the same in every process of the node."""
        return self.tag.decode()

    @property
    def written_at(self) -> int:
        """When the record was written, in seconds since 1970."""
        if self.packed is not None:
            return self.packed.written_at
        return int(self.tag[:-1].rpartition(b"-")[2], 16) if self.tag else 0

    @property
    def status(self) -> int:
        """The HTTP status of a full answer."""
        return STATUS[self.code]

    @property
    def tombstone(self) -> Standing | None:
        """What there is to say in place of values that are not shown in the state of their handle."""
        return None

    @property
    def restricted(self) -> bool:
        """Whether there may be values that the public may not read."""
        return self.packed is not None

    @property
    def record(self) -> HandleRecord | None:
        """The whole record, values that the public may not read included; made at every call."""
        if self.packed is not None:
            return self.packed.unpack()
        if not self.registered:
            return None
        return HandleRecord(Handle.from_text(self.name.decode()), self._values(), self.version)

    @property
    def octets(self) -> int:
        """The memory it stands for."""
        octets = SURROUNDINGS + len(self.name) + len(self.tail)
        if self.wire is not None:
            octets += STRING + len(self.wire)
        if self.packed is not None:
            octets += RECORD + len(self.packed.packed) + len(self.name)
        return octets

    def body(self, asked: str) -> bytes:
        """The JSON body for the spelling that was asked for."""
        return b"".join((self.head, orjson.dumps(asked), self.tail))

    def to_wire(self) -> bytes:
        """What ends the body of a native answer: the values that anybody may read, with their number in front; empty
        when there is none."""
        values = self._values() if self.registered else ()
        return values_to_wire(values) if values else b""

    def _values(self) -> tuple[HandleValue, ...]:
        """The values that anybody may read."""
        if self.packed is not None:
            return public(self.packed.unpack().values)
        return values_from_shown(orjson.loads(self.tail[len(_TAIL_HEAD) : -1]))


class Alias(Answer):
    """The answer for a handle that stands for another one. Its tail is empty, so whoever gives tails finds out.

    `followed` is what was last given for it, of the answer kept for `key`.
    """

    __slots__ = ("followed", "key", "target")

    def __init__(self, packed: PackedRecord, target: str, ttl: int) -> None:
        super().__init__(packed.handle.octets, b"", ttl, packed.version, packed.written_at, packed)
        self.target = target.encode()
        self.key: HandleKey | None = None
        self.followed: Followed | None = None

    @property
    def octets(self) -> int:
        return super().octets + SURROUNDINGS + 5 * STRING + 3 * len(self.target)  # With what is followed, once it is.

    def own(self) -> Answer:
        """The answer that shows the alias itself; made at every call."""
        assert self.packed is not None
        every = self.packed.unpack().values
        return _rendered(self.packed, every, public(every), self.ttl)


class Followed(Answer):
    """The answer of a handle under the name of its alias; the tail is the handle's own and does not say which it is."""

    __slots__ = ("_alias_of", "target")

    def __init__(self, alias: Alias, target: Answer) -> None:
        super().__init__(target.name, target.tail, min(alias.ttl, target.ttl))
        self._alias_of = b',"aliasOf":' + orjson.dumps(target.name.decode())
        # Of both: an alias may come to stand for another handle of the same version and second.
        self.tag = b"%b.%b" % (alias.tag[:-1], target.tag[1:])
        self.target = target

    @property
    def restricted(self) -> bool:
        return self.target.restricted

    @property
    def record(self) -> HandleRecord | None:
        return self.target.record

    def body(self, asked: str) -> bytes:
        return b"".join((self.head, orjson.dumps(asked), self._alias_of, self.tail))


class _Missing(Answer):
    code = ResponseCode.HANDLE_NOT_FOUND
    head = _HEADS[ResponseCode.HANDLE_NOT_FOUND]
    registered = False
    __slots__ = ()


class _NotResponsible(Answer):
    code = ResponseCode.SERVER_NOT_RESPONSIBLE
    head = _HEADS[ResponseCode.SERVER_NOT_RESPONSIBLE]
    registered = False
    __slots__ = ()


class _Closed(Answer):
    """Of a handle that is not resolved in its state. Its tail is short, as of all that have no values: the short way of
    answers looks at nothing else."""

    code = ResponseCode.HANDLE_NOT_FOUND
    head = _HEADS[ResponseCode.HANDLE_NOT_FOUND]
    registered = False
    __slots__ = ()

    def __init__(self, packed: PackedRecord) -> None:
        super().__init__(packed.handle.octets, b"}", MISSING_TTL, packed.version, 0, replace(packed, packed=b""))

    @property
    def status(self) -> int:
        return NOT_YET if self._standing.state is State.RESERVED else GONE

    @property
    def tombstone(self) -> Standing:
        return self._standing

    @property
    def record(self) -> None:
        return None

    def body(self, asked: str) -> bytes:
        return b"".join((self.head, orjson.dumps(asked), b",", orjson.dumps(shown(self._standing))[1:]))

    @property
    def _standing(self) -> Standing:
        assert self.packed is not None
        assert self.packed.standing is not None
        return self.packed.standing


MISSING: Final = _Missing(b"", b"}", MISSING_TTL, 0)
NOT_RESPONSIBLE: Final = _NotResponsible(b"", b"}", MISSING_TTL, 0)


def found(packed: PackedRecord, kept_until: int) -> Answer:
    """The answer for a registered handle, with the values that anybody may read, or with why there are none to be read.

    An absolute time to live counts from `kept_until`, seconds since 1970: the answer may still be given then, and must
    not promise more than is left.
    """
    standing = packed.standing
    if standing is not None and standing.is_closed:
        return _Closed(packed)
    every = packed.unpack().values
    values = public(every)
    ttl = ttl_of(values, kept_until)
    if standing is not None and standing.expires is not None:
        ttl = min(ttl, max(0, standing.expires - kept_until))
    target = target_of(values)
    return _rendered(packed, every, values, ttl) if target is None else Alias(packed, target, ttl)


def _rendered(
    packed: PackedRecord, every: tuple[HandleValue, ...], values: tuple[HandleValue, ...], ttl: int
) -> Answer:
    forms = values_to_json(values)
    # Joined, not formatted: what is kept a million times is to be allocated at its exact size.
    tail = b"".join((_TAIL_HEAD, orjson.dumps(forms), b"}"))
    says_all = len(values) == len(every) and all(map(_says, forms, values))
    standing = packed.standing
    if standing is not None and standing.state is State.FROZEN and forms:
        says_all = False  # The text is not read back.
        tail = b"".join((tail[:-1], b",", orjson.dumps({"state": standing.state.word})[1:]))
    return Answer(packed.handle.octets, tail, ttl, packed.version, packed.written_at, None if says_all else packed)


@lru_cache(maxsize=4096)  # Most handles were registered with many others in the same second: they share one string.
def _tag(version: int, written_at: int) -> bytes:
    # The version alone would not do: a book that was restored from a backup counts the same versions again, later.
    return b'"%b%x-%x"' % (FORM.encode("ascii"), version, written_at)


def version_of(etag: str) -> int | None:
    """The version of the record that a tag was made for; None for one that is not of an answer of ours."""
    found = _TAG.fullmatch(etag)
    return None if found is None else int(found[1], 16)


def _says(form: dict[str, Any], value: HandleValue) -> bool:
    """Whether the JSON of a value says every octet of it."""
    shown = form["data"]
    if shown["format"] in _EXACT_FORMS:
        return True
    try:
        return data_from_json(value.index, value.type, shown["format"], shown["value"]) == value.data
    except InvalidValue:
        return False
