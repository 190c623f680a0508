"""Where to ask instead, for names that live elsewhere and whose prefix handle is in this book (RFC 3652, 3.3 and 3.4).

Two kinds. A prefix handle that is not here, below one that has HS_SITE.PREFIX or HS_SERV.PREFIX values: those values
(code 303), the nearest ancestor's. A handle of a prefix that is not homed here, whose prefix handle has HS_SERV or
HS_SITE values: the service handle, or those values (code 302). The reference server says 303 alike and 301 in the
second case, where only its own clients would know to ask the prefix handle first; they follow a 302 as well.
A foreign name so costs one read, of its prefix handle, which is kept as any answer is, found or missing.
"""

from collections.abc import Iterator
from typing import Final

from registry.handle import NAMING_AUTHORITY
from registry.record import public
from registry.value import HandleValue, type_matches
from resolver.answer import Answer
from resolver.resolution import Resolver
from resolver.wire.refusal import Referral

# Labels of a prefix that are looked at from its end. National prefixes have three; each look may be a read.
MAX_LABELS: Final = 10

_ROOT: Final = NAMING_AUTHORITY.encode() + b"/"
_DELEGATED: Final = ("HS_SITE.PREFIX", "HS_SERV.PREFIX")


class Referrals:
    """Looks for referrals in the book."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._key_of = resolver.store.key_of

    async def for_prefix_handle(self, name: bytes) -> Referral | None:
        """For the handle of a prefix that is not registered here. Raises ServerBusy."""
        for ancestor in _ancestors(name):
            answer = await self._resolver.resolve(self._key_of(ancestor))
            values = _of_types(answer, _DELEGATED)
            if values:
                return Referral(b"", values)
        return None

    async def for_foreign(self, name: bytes) -> Referral | None:
        """For a handle whose prefix is not homed here. Raises ServerBusy."""
        prefix_handle = _prefix_handle(name)
        if prefix_handle is None:
            return None
        answer = await self._resolver.resolve(self._key_of(prefix_handle))
        services = _of_types(answer, ("HS_SERV",))
        if services:
            return Referral(services[0].data)
        sites = _of_types(answer, ("HS_SITE", "HS_SITE.6"))
        return Referral(prefix_handle, sites) if sites else None

    def none_for(self, name: bytes) -> bool:
        """Whether it is known without waiting that a name lives elsewhere and nobody here knows where."""
        prefix_handle = _prefix_handle(name)
        if prefix_handle is None:
            return True
        answer = self._resolver.peek(self._key_of(prefix_handle))
        return answer is not None and not answer.registered


def is_prefix_handle(name: bytes) -> bool:
    """Whether a name, with its prefix, is that of a prefix."""
    return name[: len(_ROOT)].upper() == _ROOT


def with_prefix(name: bytes) -> bytes:
    """A name as it is looked up: one without '/' is that of a prefix."""
    return name if b"/" in name else _ROOT + name


def _prefix_handle(name: bytes) -> bytes | None:
    prefix = name.partition(b"/")[0]
    return _ROOT + prefix if prefix else None


def _ancestors(name: bytes) -> Iterator[bytes]:
    """0.NA/a.b and 0.NA/a for 0.NA/a.b.c."""
    prefix = name[len(_ROOT) :]
    for _ in range(MAX_LABELS):
        prefix = prefix.rpartition(b".")[0]
        if not prefix:
            return
        yield _ROOT + prefix


def _of_types(answer: Answer, types: tuple[str, ...]) -> tuple[HandleValue, ...]:
    record = answer.record
    values = () if record is None else public(record.values)
    return tuple(value for value in values if any(type_matches(value.type, asked) for asked in types))
