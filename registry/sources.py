"""Where a request came from: the peer, or whom a front that is believed says it stands for (X-Forwarded-For)."""

import ipaddress
from collections.abc import Collection, Sequence

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


def address_from_text(text: str | None) -> IpAddress | None:
    """An IPv4 peer of an IPv6 socket is that IPv4 address; what is no address is None."""
    try:
        address = ipaddress.ip_address((text or "").strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def address_from_octets(octets: bytes) -> IpAddress | None:
    """As `address_from_text`, of four or sixteen octets."""
    try:
        address = ipaddress.ip_address(octets)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def networks_from(texts: Collection[str]) -> tuple[IpNetwork, ...]:
    """Raises ValueError for what is no address and no network."""
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts)


def is_in(address: IpAddress | None, networks: Sequence[IpNetwork]) -> bool:
    return address is not None and any(address in network for network in networks)


def source_of(remote: str | None, forwarded: str, fronts: Sequence[IpNetwork]) -> IpAddress | None:
    """The last address that none of our own fronts has; None when what they say is no address."""
    address = address_from_text(remote)
    for hop in reversed(forwarded.split(",")):
        if not is_in(address, fronts) or not hop.strip():
            return address
        address = address_from_text(hop)
    return address
