"""Octets given and taken field by field. Only `Reader` believes a length, after checking it (RFC 3652, section 2.1)."""


class Truncated(Exception):
    """A length that announces more octets than there are, or a text that is not UTF-8."""


class Reader:
    """Takes fields from the front of octets; raises Truncated and nothing else."""

    __slots__ = ("_octets", "end", "position")

    def __init__(self, octets: bytes, position: int = 0, end: int | None = None) -> None:
        self._octets = octets
        self.position = position
        self.end = len(octets) if end is None else min(end, len(octets))

    @property
    def remaining(self) -> int:
        return self.end - self.position

    def octets(self, count: int) -> bytes:
        start = self.position
        if count < 0 or count > self.end - start:
            raise Truncated(f"{count} octets announced, {self.end - start} there")
        self.position = start + count
        return self._octets[start : self.position]

    def uint8(self) -> int:
        start = self.position
        if start >= self.end:
            raise Truncated("1 octets announced, 0 there")
        self.position = start + 1
        return self._octets[start]

    def uint16(self) -> int:
        return int.from_bytes(self.octets(2), "big")

    def uint32(self) -> int:
        return int.from_bytes(self.octets(4), "big")

    def counted(self) -> bytes:
        """Octets behind their four-octet length."""
        return self.octets(self.uint32())

    def string(self) -> str:
        """UTF-8 text behind its four-octet length."""
        return self.text(self.uint32())

    def text(self, count: int) -> str:
        """UTF-8 text of `count` octets."""
        try:
            return self.octets(count).decode()
        except UnicodeDecodeError as error:
            raise Truncated(f"not UTF-8: {error.reason}") from None

    def count(self, smallest: int) -> int:
        """A list's length, refused when so many entries of `smallest` octets cannot be there."""
        number = self.uint32()
        if number * smallest > self.remaining:
            raise Truncated(f"{number} entries announced in {self.remaining} octets")
        return number

    def varint(self) -> int:
        """An unsigned integer, seven bits an octet, lowest first (LEB128), at most 32 bits."""
        if (octet := self.uint8()) < 0x80:
            return octet  # nearly all of them: indexes, and lengths of short texts
        number, shift = octet & 0x7F, 7
        while True:
            octet = self.uint8()
            number |= (octet & 0x7F) << shift
            if octet < 0x80:
                break
            shift += 7
            if shift > 28:
                raise Truncated("an integer of more than 32 bits")
        if number >= 1 << 32:
            raise Truncated("an integer of more than 32 bits")
        return number

    def expect_end(self) -> None:
        if self.remaining:
            raise Truncated(f"{self.remaining} octets too many")


def put_uint8(out: bytearray, number: int) -> None:
    out.append(number)


def put_uint16(out: bytearray, number: int) -> None:
    out += number.to_bytes(2, "big")


def put_uint32(out: bytearray, number: int) -> None:
    out += number.to_bytes(4, "big")


def put_counted(out: bytearray, octets: bytes) -> None:
    out += len(octets).to_bytes(4, "big")
    out += octets


def put_string(out: bytearray, text: str) -> None:
    put_counted(out, text.encode())


def put_varint(out: bytearray, number: int) -> None:
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
