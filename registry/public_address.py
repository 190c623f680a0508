"""Which addresses mean the same machine to everybody, and so are nobody's inner network."""

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052, section 2.1


def meant_by(address: Address) -> Address:
    """The IPv4 address that is hidden inside an IPv6 address, which a gateway would go to; else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_public_address(address: Address) -> bool:
    meant = meant_by(address)
    return meant.is_global and not meant.is_multicast
