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
SM2: Final = "SM2_PUB_KEY"  # The national SDKs' own: a point of one curve, encoded as certificates do (RFC 5480).
COORDINATE: Final = 32  # Octets of each of its two integers, x and y.
# Everything in front of the coordinates: id-ecPublicKey, the curve 1.2.156.10197.1.301, and 04, "not compressed".
_SM2_HEAD: Final = bytes.fromhex("3059 3013 06072a8648ce3d0201 06082a811ccf5501822d 0342 00 04")
MAX_INTEGER: Final = 2048  # Octets of one integer: a key of 16,384 bits, which already costs a second to use.


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key as its kind and its integers, named as FIELDS names them; x and y for SM2."""

    kind: str
    integers: Mapping[str, int]

    def to_wire(self) -> bytes:
        out = bytearray()
        put_string(out, self.kind)
        put_uint16(out, 0)
        if self.kind == SM2:
            put_counted(out, _SM2_HEAD + self.point)
            return bytes(out)
        for name in FIELDS[self.kind]:
            integer = self.integers[name]
            # Two's complement: one octet more than the bits need when the top bit is set.
            put_counted(out, integer.to_bytes(integer.bit_length() // 8 + 1, "big"))
        return bytes(out)

    @property
    def point(self) -> bytes:
        """Both coordinates of an SM2 key, as libraries take them. Raises OverflowError for what is no coordinate."""
        return b"".join(self.integers[name].to_bytes(COORDINATE, "big") for name in ("x", "y"))

    @classmethod
    def from_wire(cls, data: bytes) -> "PublicKey":
        """Raises Truncated. What stands behind the integers is passed over: the reference leaves four zero octets."""
        reader = Reader(data)
        kind = reader.string()
        reader.uint16()
        if kind == SM2:
            return cls.from_point(_point(reader.counted()))
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

    @classmethod
    def from_point(cls, point: bytes) -> "PublicKey":
        """An SM2 key from both of its coordinates."""
        x, y = point[:COORDINATE], point[COORDINATE:]
        return cls(SM2, {"x": int.from_bytes(x, "big"), "y": int.from_bytes(y, "big")})


def _point(encoded: bytes) -> bytes:
    if not encoded.startswith(_SM2_HEAD) or len(encoded) != len(_SM2_HEAD) + 2 * COORDINATE:
        raise Truncated("an SM2 key is encoded as a SubjectPublicKeyInfo with a point that is not compressed")
    return encoded[len(_SM2_HEAD) :]
