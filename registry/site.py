"""Service information: where a naming authority's handles are served (HS_SITE; RFC 3651, section 3.2.2)."""

import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from registry.octets import Reader, put_counted, put_string, put_uint8, put_uint16, put_uint32

FORMAT_VERSION: Final = 1
PRIMARY, MULTI_PRIMARY = 0x80, 0x40

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Protocol(IntEnum):
    UDP = 0
    TCP = 1
    HTTP = 2
    HTTPS = 3


class InterfaceKind(IntEnum):
    OUT_OF_SERVICE = 0
    ADMINISTRATION = 1
    QUERY = 2
    BOTH = 3


@dataclass(frozen=True, slots=True)
class Interface:
    """One way in to a server."""

    kind: int
    protocol: int
    port: int


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """One server of a site. `public_key` is in the form of HS_PUBKEY data; empty when it has none."""

    server_id: int
    address: IpAddress
    public_key: bytes
    interfaces: tuple[Interface, ...]


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """The data of an HS_SITE value; `serial` grows with every change of it."""

    serial: int
    servers: tuple[ServerInfo, ...]
    attributes: tuple[tuple[str, str], ...] = ()
    primary: bool = True
    multi_primary: bool = False
    hash_option: int = 2
    hash_filter: str = ""
    protocol_version: tuple[int, int] = (2, 11)
    format_version: int = FORMAT_VERSION

    def to_wire(self) -> bytes:
        out = bytearray()
        put_uint16(out, self.format_version)
        put_uint8(out, self.protocol_version[0])
        put_uint8(out, self.protocol_version[1])
        put_uint16(out, self.serial)
        put_uint8(out, (PRIMARY if self.primary else 0) | (MULTI_PRIMARY if self.multi_primary else 0))
        put_uint8(out, self.hash_option)
        put_string(out, self.hash_filter)
        put_uint32(out, len(self.attributes))
        for name, value in self.attributes:
            put_string(out, name)
            put_string(out, value)
        put_uint32(out, len(self.servers))
        for server in self.servers:
            _put_server(out, server)
        return bytes(out)

    @classmethod
    def from_wire(cls, data: bytes) -> "SiteInfo":
        """Raises Truncated."""
        reader = Reader(data)
        format_version = reader.uint16()
        protocol_version = (reader.uint8(), reader.uint8())
        serial = reader.uint16()
        mask = reader.uint8()
        hash_option = reader.uint8()
        hash_filter = reader.string()
        attributes = tuple([(reader.string(), reader.string()) for _ in range(reader.count(smallest=8))])
        servers = tuple([_server(reader) for _ in range(reader.count(smallest=28))])
        reader.expect_end()
        return cls(
            serial,
            servers,
            attributes,
            bool(mask & PRIMARY),
            bool(mask & MULTI_PRIMARY),
            hash_option,
            hash_filter,
            protocol_version,
            format_version,
        )


def _put_server(out: bytearray, server: ServerInfo) -> None:
    put_uint32(out, server.server_id)
    out += server.address.packed.rjust(16, b"\0")
    put_counted(out, server.public_key)
    put_uint32(out, len(server.interfaces))
    for interface in server.interfaces:
        put_uint8(out, interface.kind)
        put_uint8(out, interface.protocol)
        put_uint32(out, interface.port)


def _server(reader: Reader) -> ServerInfo:
    server_id = reader.uint32()
    address = _address(reader.octets(16))
    public_key = reader.counted()
    interfaces = tuple(
        [Interface(reader.uint8(), reader.uint8(), reader.uint32()) for _ in range(reader.count(smallest=6))]
    )
    return ServerInfo(server_id, address, public_key, interfaces)


def _address(octets: bytes) -> IpAddress:
    """IPv4 stands in the last four of sixteen octets, behind zeros (not in the mapped form of RFC 4291)."""
    if octets[:12] == bytes(12) and octets != bytes(15) + b"\1":
        return ipaddress.IPv4Address(octets[12:])
    return ipaddress.IPv6Address(octets)
