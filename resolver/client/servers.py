"""Servers to ask: configured ones, and those that service information names (RFC 3651, section 3.2.2)."""

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from registry.octets import Truncated
from registry.site import Interface, InterfaceKind, Protocol, SiteInfo
from registry.value import HandleValue, type_matches

PORT: Final = 2641
PORTS: Final = {"tcp": PORT, "udp": PORT, "http": 8000, "https": 8000}
SITE_TYPES: Final = ("HS_SITE", "HS_SITE.6", "HS_SITE.PREFIX")
# In which order a server's interfaces are tried: what costs least first, what passes most networks last.
PREFERENCE: Final = (Protocol.UDP, Protocol.TCP, Protocol.HTTP, Protocol.HTTPS)
BY_PREFIX, BY_SUFFIX = 0, 1  # The hash option of a site: which part of a handle decides for a server.


@dataclass(frozen=True, slots=True)
class Server:
    """A host, its ways in, in the order in which they are tried, and the key by which its answers are certified."""

    host: str
    interfaces: tuple[tuple[Protocol, int], ...]
    public_key: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def from_text(cls, text: str) -> "Server":
        """`HOST[:PORT]`, asked over UDP and TCP, or with tcp://, udp://, http:// or https://. Raises ValueError."""
        scheme, divider, place = text.rpartition("://")
        if divider and scheme not in PORTS:
            raise ValueError(f"{scheme}:// is none of {', '.join(PORTS)}")
        parts = urlsplit(f"//{place}")
        if not parts.hostname or parts.path or parts.query or parts.username is not None:
            raise ValueError(f"{text!r} is not written HOST:PORT")
        parts.hostname.encode("idna")  # UnicodeError is a ValueError
        port = PORTS[scheme or "tcp"] if parts.port is None else parts.port
        protocols = (Protocol[scheme.upper()],) if scheme else (Protocol.UDP, Protocol.TCP)
        return cls(parts.hostname, tuple((protocol, port) for protocol in protocols))

    @property
    def name(self) -> str:
        """The server among others of its host."""
        return f"{self}:{self.interfaces[0][1]}"

    def __str__(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def servers_of(sites: Iterable[SiteInfo], handle: bytes, *, primary: bool) -> list[Server]:
    """The server of each site that is responsible for a handle. With `primary` of primary sites alone."""
    servers = []
    for site in sites:
        if not site.servers or (primary and not site.primary):
            continue
        info = site.servers[_place(site.hash_option, handle, len(site.servers))]
        interfaces = tuple(_usable(info.interfaces))
        if interfaces:
            servers.append(Server(str(info.address), interfaces, info.public_key))
    return servers


def sites_of(values: Iterable[HandleValue]) -> Iterator[SiteInfo]:
    """The service information among values; what cannot be read is passed over."""
    for value in values:
        if any(type_matches(value.type, site_type) for site_type in SITE_TYPES):
            try:
                yield SiteInfo.from_wire(value.data)
            except Truncated:
                continue


def _usable(interfaces: Iterable[Interface]) -> Iterator[tuple[Protocol, int]]:
    for protocol in PREFERENCE:
        for interface in interfaces:
            if interface.protocol == protocol and interface.kind & InterfaceKind.QUERY and 0 < interface.port < 1 << 16:
                yield protocol, interface.port


def _place(hash_option: int, handle: bytes, count: int) -> int:
    """Which of a site's servers has a handle, as the reference client finds it."""
    prefix, _, suffix = handle.partition(b"/")
    part = prefix if hash_option == BY_PREFIX else suffix if hash_option == BY_SUFFIX else handle
    digest = hashlib.md5(part.upper(), usedforsecurity=False).digest()
    return abs(int.from_bytes(digest[-4:], "big", signed=True)) % count


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
