"""What a row keeps of the values that it is found by: a short sum of prefix, type and data for each.

A sum tells nearly every value from every other at four octets in place of thirty; whoever searches looks into the
values of what was found before he believes it. So a sum too many in a row does no harm, and only a missing one would.
A value of several lines is found by each of them, too: the box by the name of any cake that it lists.
"""

import zlib
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Final

from registry.octets import Reader, Truncated, put_varint
from registry.packing import known_type, unpack

MAX_LINES: Final = 2_000  # Of one list: the cakes of a truck. What has more is found as a whole only.


def search_key(prefix_key: bytes, value_type: str, data: bytes) -> str:
    """The sum under which a value is found below a prefix."""
    return urlsafe_b64encode(zlib.crc32(data, _start(prefix_key, value_type)).to_bytes(4, "big"))[:6].decode()


def search_keys(prefix_key: bytes, packed: bytes, types: Collection[str]) -> str | None:
    """The sums of a row's values of these types as a JSON array; None where it has none. `packed` is of form 1."""
    keys = {
        search_key(prefix_key, name, part) for name in types for data in _data_of(packed, name) for part in _parts(data)
    }
    return '["' + '","'.join(sorted(keys)) + '"]' if keys else None


def is_found_by(data: bytes, searched: bytes) -> bool:
    """Whether a value with this data is one that is found by these octets."""
    return data == searched or (searched in data and searched in _parts(data))


def _parts(data: bytes) -> tuple[bytes, ...]:
    if b"\n" not in data:
        return (data,)
    lines = data.split(b"\n", MAX_LINES)
    return (data, *filter(None, lines)) if len(lines) <= MAX_LINES else (data,)


def _data_of(packed: bytes, value_type: str) -> Iterator[bytes]:
    """The data of values of a type, and of whatever looks like one inside other values: that costs a sum, no more."""
    if known_type(value_type):
        yield from (value.data for value in unpack(packed, 0) if value.type == value_type)
        return
    head = _head(value_type)
    place = packed.find(head)
    while place >= 0:
        reader = Reader(packed, place + len(head))
        with suppress(Truncated):
            yield reader.octets(reader.varint())
        place = packed.find(head, place + 1)


@lru_cache
def _start(prefix_key: bytes, value_type: str) -> int:
    return zlib.crc32(b"%s\0%s\0" % (prefix_key, value_type.encode()))


@lru_cache
def _head(value_type: str) -> bytes:
    """What stands in front of the data's length in a value of this type."""
    name = value_type.encode()
    head = bytearray()
    put_varint(head, len(name))
    return bytes(head + name)
