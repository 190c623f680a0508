"""The values of a record as one column of its row.

A row's own time of writing stands for every value that was written with it, and flags stand for what is
usual, so that a typical value costs four octets more than its type and data. The first octet is the version of the
form: a later one is added beside this one, never in place of it, because rows outlive programs. This is form 1, which
every program understands; form 2 is the same deflated, for storing (`registry.deflating`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from registry.handle import Handle
from registry.octets import Reader, Truncated, put_varint
from registry.record import HandleRecord
from registry.standing import Standing
from registry.value import DEFAULT_PERMISSIONS, DEFAULT_TTL, HandleValue, Reference

PACKED: Final = 1

_OWN_TTL, _TTL_ABSOLUTE, _OWN_TIMESTAMP, _OWN_PERMISSIONS, _REFERENCES, _KNOWN_TYPE = 1, 2, 4, 8, 16, 32

# Types that every node holds by the million; their numbers are stored, so they never change and are only added to.
_KNOWN_TYPES: Final = ("HS_ADMIN", "URL", "HS_VLIST", "HS_SECKEY", "HS_PUBKEY", "HS_SITE", "HS_SERV", "HS_ALIAS",
                       "EMAIL", "DESC", "10320/loc", "HS_SIGNATURE", "HS_CERT")  # fmt: skip
_NUMBER_OF_TYPE: Final = {name: number for number, name in enumerate(_KNOWN_TYPES)}


@dataclass(frozen=True, slots=True)
class PackedRecord:
    """A record as its row holds it: what a cache keeps of it."""

    handle: Handle
    packed: bytes
    written_at: int
    version: int
    standing: Standing | None = None

    @property
    def is_closed(self) -> bool:
        """Whether it has only its standing to show."""
        return self.standing is not None and self.standing.is_closed

    def unpack(self) -> HandleRecord:
        return HandleRecord(self.handle, unpack(self.packed, self.written_at), self.version, self.standing)


def pack(values: Iterable[HandleValue], written_at: int) -> bytes:
    """The stored form of values in a row written at `written_at`, seconds since 1970."""
    out = bytearray((PACKED,))
    for value in values:
        flags = 0
        if value.ttl != DEFAULT_TTL or value.ttl_absolute:
            flags |= _OWN_TTL | (_TTL_ABSOLUTE if value.ttl_absolute else 0)
        if value.timestamp != written_at:
            flags |= _OWN_TIMESTAMP
        if value.permissions != DEFAULT_PERMISSIONS:
            flags |= _OWN_PERMISSIONS
        if value.references:
            flags |= _REFERENCES
        known = _NUMBER_OF_TYPE.get(value.type)
        if known is not None:
            flags |= _KNOWN_TYPE
        out.append(flags)
        put_varint(out, value.index)
        if known is None:
            _put_octets(out, value.type.encode())
        else:
            out.append(known)
        _put_octets(out, value.data)
        if flags & _OWN_TTL:
            put_varint(out, value.ttl)
        if flags & _OWN_TIMESTAMP:
            put_varint(out, value.timestamp)
        if flags & _OWN_PERMISSIONS:
            out.append(value.permissions)
        if flags & _REFERENCES:
            _put_references(out, value.references)
    return bytes(out)


def known_type(value_type: str) -> bool:
    """Whether values of this type are packed under a number in place of its name."""
    return value_type in _NUMBER_OF_TYPE


def unpack(packed: bytes, written_at: int) -> tuple[HandleValue, ...]:
    """The values of a stored form. Raises Truncated when the row was not written by `pack`."""
    reader = Reader(packed)
    if reader.uint8() != PACKED:
        raise Truncated(f"values packed in form {packed[0]}; this program knows form {PACKED}")
    values = []
    while reader.remaining:
        value = _usual(packed, reader, written_at)
        if value is not None:
            values.append(value)
            continue
        flags = reader.uint8()
        index = reader.varint()
        value_type = _known_type(reader.uint8()) if flags & _KNOWN_TYPE else reader.text(reader.varint())
        data = reader.octets(reader.varint())
        values.append(
            HandleValue(
                index,
                value_type,
                data,
                reader.varint() if flags & _OWN_TTL else DEFAULT_TTL,
                bool(flags & _TTL_ABSOLUTE),
                reader.varint() if flags & _OWN_TIMESTAMP else written_at,
                reader.uint8() if flags & _OWN_PERMISSIONS else DEFAULT_PERMISSIONS,
                _references(reader) if flags & _REFERENCES else (),
            )
        )
    return tuple(values)


def plain_parts(packed: bytes) -> list[tuple[int, str, bytes]] | None:
    """Index, type and data of each value, where every one is public, as old as its row and of the usual ttl, and no
    number has more than two octets; None for others, and for what was not written by `pack`. A load asks this of a
    million rows, and wants none of them as values."""
    parts = []
    position, end = 1, len(packed)
    try:
        while position < end:
            flags, index, position = packed[position], packed[position + 1], position + 2
            if index >= 0x80:
                index, position = index & 0x7F | packed[position] << 7, position + 1
            length, position = packed[position], position + 1
            if flags == _KNOWN_TYPE:
                value_type = _KNOWN_TYPES[length]
            else:
                value_type, position = _type(packed[position : position + length]), position + length
            if flags & ~_KNOWN_TYPE or index >= 1 << 14 or (length >= 0x80 and not flags):
                return None
            length, position = packed[position], position + 1
            if length >= 0x80:
                length, position = length & 0x7F | packed[position] << 7, position + 1
            if length >= 1 << 14:
                return None
            parts.append((index, value_type, packed[position : position + length]))
            position += length
    except (IndexError, UnicodeDecodeError):
        return None
    return parts if position == end and packed[0] == PACKED else None


def _usual(packed: bytes, reader: Reader, written_at: int) -> HandleValue | None:
    """The next value, when it has no flags and its numbers an octet each, as nearly all have: without a call for each
    field. Nothing is believed that does not lie within the octets."""
    begin = reader.position + 3
    if begin > reader.end or packed[begin - 3] or packed[begin - 2] >= 0x80 or packed[begin - 1] >= 0x80:
        return None
    middle = begin + packed[begin - 1]
    if middle >= reader.end or packed[middle] >= 0x80:
        return None
    end = middle + 1 + packed[middle]
    if end > reader.end:
        return None
    try:
        value_type = _type(packed[begin:middle])
    except UnicodeDecodeError:
        return None  # Refused where every value is read.
    reader.position = end
    return HandleValue(packed[begin - 2], value_type, packed[middle + 1 : end], timestamp=written_at)


@lru_cache(maxsize=4096)  # A registry uses some hundreds of types, a million times each.
def _type(octets: bytes) -> str:
    return octets.decode()


def _put_octets(out: bytearray, octets: bytes) -> None:
    put_varint(out, len(octets))
    out += octets


def _put_references(out: bytearray, references: tuple[Reference, ...]) -> None:
    put_varint(out, len(references))
    for reference in references:
        _put_octets(out, reference.handle.encode())
        put_varint(out, reference.index)


def _references(reader: Reader) -> tuple[Reference, ...]:
    return tuple([Reference(reader.text(reader.varint()), reader.varint()) for _ in range(reader.varint())])


def _known_type(number: int) -> str:
    if number >= len(_KNOWN_TYPES):
        raise Truncated(f"type number {number} is not known")
    return _KNOWN_TYPES[number]
