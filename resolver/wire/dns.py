"""Messages of DNS, as far as a zone of NAPTR records needs them (RFC 1035, section 4; RFC 3403; EDNS: RFC 6891).

A question is one name, one type and one class. Written here rather than taken from a library: four record types and
one question are less than any dependency, and every length is a stranger's, which `octets.Reader` believes only after
checking. The name of a question is answered in the case in which it was written.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from registry.octets import Reader, Truncated

MAX_NAME: Final = 255  # Octets (RFC 1035, section 2.3.4), as are the next two.
MAX_LABEL: Final = 63
MAX_STRING: Final = 255
PLAIN_LIMIT: Final = 512  # Octets of a datagram to who does not say more.
UDP_LIMIT: Final = 1232  # To who does: what is broken up on its way may be forged (DNS flag day 2020).
TCP_LIMIT: Final = 65_535

IN: Final = 1
QUERY: Final = 0
_HEADER: Final = struct.Struct(">HHHHHH")
_QR, _AA, _TC, _RD = 0x8000, 0x0400, 0x0200, 0x0100
_OPCODE: Final = 0x7800
_RECORD: Final = struct.Struct(">HHIH")


class Type(IntEnum):
    A = 1
    NS = 2
    SOA = 6
    AAAA = 28
    NAPTR = 35
    OPT = 41
    ANY = 255


class Rcode(IntEnum):
    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    BADVERS = 16  # In two parts: the higher one stands in OPT.


class NoQuestion(Exception):
    """Octets that are answered by nothing: no header, or an answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """`name` are its labels as they were written; `fault` is what is wrong with the message, or NOERROR.

    `limit` is how many octets the answer may have over UDP.
    """

    number: int
    flags: int
    name: tuple[bytes, ...] = ()
    kind: int = 0
    fault: Rcode = Rcode.NOERROR
    has_question: bool = False
    has_options: bool = False
    limit: int = PLAIN_LIMIT

    @property
    def labels(self) -> tuple[str, ...]:
        """Its labels folded; one that is not ASCII holds U+FFFD, which no name of ours does."""
        return tuple(label.decode("ascii", "replace").lower() for label in self.name)


@dataclass(frozen=True, slots=True)
class Record:
    """A resource record; its owner is the question's name, or the zone when `of_zone`."""

    kind: Type
    ttl: int
    data: bytes
    of_zone: bool = False


def question_from_wire(octets: bytes) -> Question:
    """Raises NoQuestion for what deserves no answer; all other faults stand in the question."""
    if len(octets) < _HEADER.size:
        raise NoQuestion
    number, flags, questions, answers, authorities, additionals = _HEADER.unpack_from(octets)
    if flags & _QR:
        raise NoQuestion
    if flags & _OPCODE != QUERY:
        return Question(number, flags, fault=Rcode.NOTIMP)
    if questions != 1 or answers or authorities or additionals > 1:
        return Question(number, flags, fault=Rcode.FORMERR)
    reader = Reader(octets[_HEADER.size :])
    try:
        name = _name_from_wire(reader)
        kind, kind_class = reader.uint16(), reader.uint16()
        options = _options_from_wire(reader) if additionals else None
    except Truncated:
        return Question(number, flags, fault=Rcode.FORMERR)
    if reader.remaining:
        return Question(number, flags, fault=Rcode.FORMERR)
    fault = Rcode.NOERROR if kind_class == IN else Rcode.REFUSED
    if options is None:
        return Question(number, flags, name, kind, fault, has_question=True)
    size, version = options
    limit = min(max(size, PLAIN_LIMIT), UDP_LIMIT)
    return Question(number, flags, name, kind, Rcode.BADVERS if version else fault, True, True, limit)


def answer_to_wire(
    question: Question,
    rcode: Rcode,
    answers: tuple[Record, ...] = (),
    authorities: tuple[Record, ...] = (),
    *,
    zone_labels: int = 0,
    limit: int = TCP_LIMIT,
) -> bytes:
    """An answer of so many octets at most: what is longer is cut off and said to be (TC). The zone is the last
    `zone_labels` of the question's name."""
    owner = _HEADER.size
    zone = owner + sum(len(label) + 1 for label in question.name[: len(question.name) - zone_labels])
    answered = b"".join(_record_to_wire(record, zone if record.of_zone else owner) for record in answers)
    told = b"".join(_record_to_wire(record, zone if record.of_zone else owner) for record in authorities)
    options = _options_to_wire(rcode) if question.has_options else b""
    asked = b""
    if question.has_question:
        asked = _name_to_wire(question.name) + struct.pack(">HH", question.kind, IN)
    flags = _QR | (question.flags & (_OPCODE | _RD)) | (rcode & 0xF)
    if rcode in (Rcode.NOERROR, Rcode.NXDOMAIN):
        flags |= _AA
    counts = (len(answers), len(authorities))
    if _HEADER.size + len(asked) + len(answered) + len(told) + len(options) > limit:
        flags, counts, answered, told = flags | _TC, (0, 0), b"", b""
    head = _HEADER.pack(question.number, flags, question.has_question, *counts, bool(options))
    return b"".join((head, asked, answered, told, options))


def naptr(order: int, preference: int, service: str, regexp: str) -> bytes | None:
    """The data of a record that ends the search with a URI (RFC 3403, section 4.1); None for what does not fit one."""
    strings = [text.encode() for text in ("u", service, regexp)]
    if any(len(text) > MAX_STRING for text in strings):
        return None
    fields = b"".join(bytes((len(text),)) + text for text in strings)
    return struct.pack(">HH", order, preference) + fields + b"\0"  # Replaced by no name.


def soa(server: tuple[str, ...], mailbox: tuple[str, ...], serial: int, *, negative_ttl: int, refresh: int) -> bytes:
    """The data of a zone's own record (RFC 1035, section 3.3.13); `negative_ttl` is for "there is none" (RFC 2308)."""
    times = struct.pack(">IIIII", serial & 0xFFFFFFFF, refresh, refresh, refresh, negative_ttl)
    return name_to_wire(server) + name_to_wire(mailbox) + times


def name_to_wire(labels: tuple[str, ...]) -> bytes:
    return _name_to_wire(tuple(label.encode("ascii") for label in labels))


def _name_to_wire(labels: tuple[bytes, ...]) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def _name_from_wire(reader: Reader) -> tuple[bytes, ...]:
    """A name that is written out: a question has nothing in front of it that it could point to. Raises Truncated."""
    labels: list[bytes] = []
    octets = 1
    while length := reader.uint8():
        if length > MAX_LABEL:
            raise Truncated("a label of a question is a pointer or too long")
        octets += length + 1
        if octets > MAX_NAME:
            raise Truncated("a name is too long")
        labels.append(reader.octets(length))
    return tuple(labels)


def _options_from_wire(reader: Reader) -> tuple[int, int]:
    """The size and the version that an OPT record names. Raises Truncated."""
    if reader.uint8() or reader.uint16() != Type.OPT:
        raise Truncated("the additional record is no OPT")
    size, extended = reader.uint16(), reader.uint32()
    reader.octets(reader.uint16())
    return size, extended >> 16 & 0xFF


def _options_to_wire(rcode: Rcode) -> bytes:
    return b"\0" + _RECORD.pack(Type.OPT, UDP_LIMIT, rcode >> 4 << 24, 0)


def _record_to_wire(record: Record, owner: int) -> bytes:
    return struct.pack(">H", 0xC000 | owner) + _RECORD.pack(record.kind, IN, record.ttl, len(record.data)) + record.data
