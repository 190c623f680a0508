"""Public keys as handle values: HS_PUBKEY data (the reference's encoding; RFC 3651, section 3.2.6, leaves it open)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from registry.octets import Reader, Truncated, put_counted, put_string, put_uint16

# Names of the integers of each kind of key, in their order on the wire.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA_PUB_KEY": ("e", "n"),
    "DSA_PUB_KEY": ("q", "p", "g", "y"),
    "DH_PUB_KEY": ("y", "p", "g"),
}
MAX_INTEGER: Final = 2048  # Octets of one integer: a key of 16,384 bits, which already costs a second to use.


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key as its kind and its integers, named as FIELDS names them."""

    kind: str
    integers: Mapping[str, int]

    def to_wire(self) -> bytes:
        out = bytearray()
        put_string(out, self.kind)
        put_uint16(out, 0)
        for name in FIELDS[self.kind]:
            integer = self.integers[name]
            # Two's complement: one octet more than the bits need when the top bit is set.
            put_counted(out, integer.to_bytes(integer.bit_length() // 8 + 1, "big"))
        return bytes(out)

    @classmethod
    def from_wire(cls, data: bytes) -> "PublicKey":
        """Raises Truncated. What stands behind the integers is passed over: the reference leaves four zero octets."""
        reader = Reader(data)
        kind = reader.string()
        reader.uint16()
        if kind not in FIELDS:
            raise Truncated(f"{kind!r} is no kind of public key")
        integers = {}
        for name in FIELDS[kind]:
            octets = reader.counted()
            if len(octets) > MAX_INTEGER:
                raise Truncated(f"integer {name} has {len(octets)} octets; at most {MAX_INTEGER}")
            integers[name] = int.from_bytes(octets, "big", signed=True)
            if integers[name] <= 0:
                raise Truncated(f"integer {name} is not positive")
        return cls(kind, integers)
