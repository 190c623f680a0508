"""What the node says of one handle, rendered once when it is made.

This node is the authority for what it answers, so times to live are sent as they are stored and not aged: the body of
a full public answer is constant until the handle changes. Only the spelling that was asked for differs, and it stands
in front. A record is kept packed, at a third of the memory, because only filtered answers need it unpacked.
The same values stand there in the octets of the native protocol, which are asked for as often.
"""

import zlib
from dataclasses import dataclass
from typing import Final

import orjson

from registry.errors import ResponseCode
from registry.octets import put_uint32
from registry.packing import PackedRecord
from registry.record import HandleRecord, public, ttl_of
from registry.rest import values_to_json
from registry.value import HandleValue

# What an answer costs in memory beside its texts: the objects of the answer, its key, its places in table and ring.
SURROUNDINGS: Final = 700
MISSING_TTL: Final = 10  # Seconds a client may keep "not found": the registration that ends it cannot be announced.
# What stands before the spelling asked for; a number in a format would cost as much as the rest of the body.
_HEADS: Final = {code: b'{"responseCode":%d,"handle":' % code for code in ResponseCode}
FOUND_HEAD: Final = _HEADS[ResponseCode.SUCCESS]


@dataclass(frozen=True, slots=True)
class Answer:
    """`tail` ends the JSON body, behind the spelling asked for, `octets` is the memory it stands for.

    `wire` ends the body of a native answer in the same way: the values that anybody may read, with their number in
    front; empty when there is none. `restricted` says that the record has others.
    """

    code: ResponseCode
    packed: PackedRecord | None
    ttl: int
    tail: bytes
    etag: str
    octets: int
    wire: bytes = b""
    restricted: bool = False

    @property
    def record(self) -> HandleRecord | None:
        """The whole record, values that the public may not read included; unpacked at every call."""
        return None if self.packed is None else self.packed.unpack()

    def body(self, asked: str) -> bytes:
        """The JSON body for the spelling that was asked for."""
        head = FOUND_HEAD if self.packed is not None else _HEADS[self.code]  # An enumeration's member is slow to hash.
        return b"".join((head, orjson.dumps(asked), self.tail))


MISSING: Final = Answer(ResponseCode.HANDLE_NOT_FOUND, None, MISSING_TTL, b"}", "", 0)
NOT_RESPONSIBLE: Final = Answer(ResponseCode.SERVER_NOT_RESPONSIBLE, None, MISSING_TTL, b"}", "", 0)


def found(packed: PackedRecord, kept_until: int) -> Answer:
    """The answer for a registered handle, with the values that anybody may read.

    An absolute time to live counts from `kept_until`, seconds since 1970: the answer may still be given then, and must
    not promise more than is left.
    """
    every = packed.unpack().values
    values = public(every)
    tail = b',"values":%b}' % orjson.dumps(values_to_json(values))
    # The version alone would not do: a book that was restored from a backup counts the same versions again.
    etag = f'"{packed.version:x}-{zlib.crc32(tail):08x}"'
    wire = values_to_wire(values) if values else b""
    octets = SURROUNDINGS + len(tail) + len(wire) + len(packed.packed) + 2 * len(packed.handle.suffix)
    restricted = len(values) < len(every)
    return Answer(ResponseCode.SUCCESS, packed, ttl_of(values, kept_until), tail, etag, octets, wire, restricted)


def values_to_wire(values: tuple[HandleValue, ...]) -> bytes:
    """Values as every body of the native protocol holds them: their number, and one after another."""
    out = bytearray()
    put_uint32(out, len(values))
    for value in values:
        value.to_wire(out)
    return bytes(out)
