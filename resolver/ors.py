"""OIDs in DNS: what their records say, as the OID resolution system asks for it (ITU-T X.672 | ISO/IEC 29168-1).

The arcs of an OID are the labels of a name, the last arc first: 1.2.156.5 is 5.156.2.1 below the zone. Each piece of
information is a NAPTR record whose service is ORS+ and four letters. ORS+COID says the OID itself; values of type
ORS.CINF, ORS.RINF and so on say where the others are; an URL, which most records have and no standard speaks of here,
is given as ORS+RINF, who registered what. Only values that anybody may read are given.
"""

import asyncio
import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from time import time
from typing import Final

from cachetools import TTLCache

from registry.database import DATABASE_AWAY
from registry.errors import HandleError, TooManyRequests
from registry.handle import Handle, HandleKey
from registry.limits import Allowance
from registry.record import public
from registry.schemes import oid
from registry.value import HandleValue
from resolver.aliases import follow
from resolver.answer import MISSING_TTL, NOT_RESPONSIBLE, Answer
from resolver.metrics import Metrics
from resolver.resolution import Resolver
from resolver.wire.dns import (
    NoQuestion,
    Question,
    Rcode,
    Record,
    Type,
    answer_to_wire,
    name_to_wire,
    naptr,
    question_from_wire,
    soa,
)

SERVER: Final = "ns"  # The name of this node below the zone,
MAILBOX: Final = "hostmaster"  # and of who looks after it (RFC 2142).
ZONE_TTL: Final = 3600  # Seconds for which what the zone says of itself may be kept.
ORDER: Final = 100  # Of all NAPTR records: none is to be looked at before another,
PREFERENCE: Final = 10  # and each is preferred to the next by this much.
# Names that are not registered, and whether anything is below them: a look at the index, which strangers could ask for
# as fast as they can send.
BELOW: Final = 4096
BELOW_SECONDS: Final = 10.0
LOOKS: Final = 2  # At a time.
SLIP: Final = 2  # Of so many datagrams that are too many one is answered.
DEADLINE: Final = 3.0  # Seconds for an answer; whoever asks has asked again by then.

_SERVICES: Final = frozenset({"CINF", "RINF", "MINF", "UINF", "LINF"})  # X.672 (2022), annex A.
_TYPE: Final = "ORS."
_URI: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
# The delimiter of the expression, and the octet that escapes it (RFC 3402, section 3.2).
_ESCAPES: Final = str.maketrans({"!": "%21", "\\": "%5C"})

Found = tuple[Rcode, tuple[Record, ...], tuple[Record, ...]]


class Ors:
    """Answers for one zone. `address` is where the public reaches the node."""

    def __init__(
        self, resolver: Resolver, metrics: Metrics, zone: str, address: str, clock: Callable[[], float] = time
    ) -> None:
        self._resolver = resolver
        self._tally = metrics.tally
        self._zone = tuple(zone.lower().rstrip(".").split("."))
        self._address = Record(*_address(address))
        self._clock = clock
        self._below: TTLCache[HandleKey, bool] = TTLCache(BELOW, BELOW_SECONDS, timer=clock)
        self._looks = asyncio.Semaphore(LOOKS)
        self._over = 0  # Datagrams that were too many.

    async def respond(self, octets: bytes, asker: str, *, datagram: bool) -> bytes | None:
        """The answer to a message; None for what deserves none."""
        try:
            question = question_from_wire(octets)
        except NoQuestion:
            return None
        allowance = self._tally.limits.allowance("udp" if datagram else "tcp", asker)
        try:
            async with asyncio.timeout(DEADLINE):
                rcode, answers, authorities = await self._find(question, asker, allowance)
        except TooManyRequests:
            return self._limited(question, datagram=datagram)
        except (HandleError, *DATABASE_AWAY):  # A time-out is one of them.
            rcode, answers, authorities = Rcode.SERVFAIL, (), ()
        limits = {"limit": question.limit} if datagram else {}
        return answer_to_wire(question, rcode, answers, authorities, zone_labels=len(self._zone), **limits)

    def _limited(self, question: Question, *, datagram: bool) -> bytes | None:
        """Every other datagram that is too much is told to ask over TCP, where addresses cannot be made up; the others
        hear nothing (as by the response rate limiting of BIND, Knot and NSD)."""
        if not datagram:
            return answer_to_wire(question, Rcode.REFUSED, zone_labels=len(self._zone))
        self._over += 1
        return None if self._over % SLIP else answer_to_wire(question, Rcode.NOERROR, limit=0)

    async def _find(self, question: Question, asker: str, allowance: Allowance | None) -> Found:
        if question.fault:
            return question.fault, (), ()
        labels, zone = question.labels, len(self._zone)
        if labels[-zone:] != self._zone:
            return Rcode.REFUSED, (), ()
        own = labels[:-zone]
        if not own:
            return self._chosen(question, (self._soa(), self._server()))
        if own == (SERVER,):
            return self._chosen(question, (self._address,))
        handle = _oid_of(own)
        if handle is None:
            # A root arc alone is no OID, and all OIDs are below it.
            return self._nothing(Rcode.NOERROR if own in (("0",), ("1",), ("2",)) else Rcode.NXDOMAIN)
        return await self._find_oid(question, handle, asker, allowance)

    async def _find_oid(self, question: Question, handle: Handle, asker: str, allowance: Allowance | None) -> Found:
        """Raises TooManyRequests among others."""
        resolver = self._resolver
        key = resolver.names.plain(handle.octets)
        if allowance is not None and (excess := allowance.excess(key.partition(b"/")[0])) is not None:
            raise excess.error()
        answer = await follow(resolver, resolver.peek(key) or await resolver.resolve(key))
        if answer is NOT_RESPONSIBLE:
            return Rcode.REFUSED, (), ()
        records = tuple(_naptr_records(handle, answer))
        self._tally.count("dns", asker, key, found=bool(records))
        if answer.record is None:
            return self._nothing(Rcode.NOERROR if await self._is_above(key) else Rcode.NXDOMAIN)
        return self._chosen(question, records)

    async def _is_above(self, key: HandleKey) -> bool:
        """Whether an OID that is not registered is above one that is: it exists then, and holds nothing (RFC 8020)."""
        known = self._below.get(key)
        if known is not None:
            return known
        prefix = self._resolver.store.prefixes.of(key)
        assert prefix is not None
        below = key.partition(b"/")[2].decode() + "."
        async with self._looks:
            names, last = await self._resolver.store.list_handles(prefix, 1, after=below)
        self._below[key] = found = bool(names) and last.startswith(below)
        return found

    def _chosen(self, question: Question, records: tuple[Record, ...]) -> Found:
        """Those of the type that is asked for; or that there are none."""
        chosen = tuple(record for record in records if question.kind in (record.kind, Type.ANY))
        return (Rcode.NOERROR, chosen, ()) if chosen else self._nothing(Rcode.NOERROR)

    def _nothing(self, rcode: Rcode) -> Found:
        return rcode, (), (self._soa(MISSING_TTL),)

    def _soa(self, ttl: int = ZONE_TTL) -> Record:
        server, mailbox = (SERVER, *self._zone), (MAILBOX, *self._zone)
        serial = int(self._clock())  # Nobody copies the zone; what changed is told to nobody by it.
        data = soa(server, mailbox, serial, negative_ttl=MISSING_TTL, refresh=ZONE_TTL)
        return Record(Type.SOA, ttl, data, of_zone=True)

    def _server(self) -> Record:
        return Record(Type.NS, ZONE_TTL, name_to_wire((SERVER, *self._zone)), of_zone=True)


def _oid_of(labels: tuple[str, ...]) -> Handle | None:
    if any("/" in label or "." in label for label in labels):
        return None  # One label that would be read as several arcs.
    try:
        return oid.from_text(f"/{'/'.join(reversed(labels))}")
    except HandleError:
        return None


def _naptr_records(handle: Handle, answer: Answer) -> Iterator[Record]:
    record = answer.record
    if record is None:
        return
    # An alias has the OID that it stands for as its canonical one.
    canonical = record.handle if record.handle.prefix.lower() == oid.SYSTEM else handle
    said = [("ORS+COID", f"/{canonical.suffix.replace('.', '/')}"), *_said(public(record.values))]
    for number, (service, text) in enumerate(said, 1):
        data = naptr(ORDER, number * PREFERENCE, service, f"!^.*$!{text}!")
        if data is not None:
            yield Record(Type.NAPTR, answer.ttl, data)


def _said(values: tuple[HandleValue, ...]) -> Iterator[tuple[str, str]]:
    for value in values:
        kind = value.type.upper()
        service = "RINF" if kind == "URL" else kind.removeprefix(_TYPE) if kind.startswith(_TYPE) else ""
        uri = value.data.decode(errors="replace").strip()
        if service in _SERVICES and _URI.fullmatch(uri):
            yield f"ORS+{service}", uri.translate(_ESCAPES)


def _address(text: str) -> tuple[Type, int, bytes]:
    address = ip_address(text)
    return (Type.A if address.version == 4 else Type.AAAA), ZONE_TTL, address.packed
