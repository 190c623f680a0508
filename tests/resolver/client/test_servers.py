"""Servers as they are written, and as service information names them."""

from ipaddress import ip_address

import pytest

from registry.site import Interface, InterfaceKind, Protocol, ServerInfo, SiteInfo
from registry.value import HandleValue
from resolver.client.servers import Server, servers_of, sites_of

TCP, UDP, HTTP, HTTPS = Protocol.TCP, Protocol.UDP, Protocol.HTTP, Protocol.HTTPS
USUAL = (Interface(InterfaceKind.BOTH, TCP, 2641),)


@pytest.mark.parametrize(
    ("text", "host", "interfaces"),
    [
        ("192.0.2.7", "192.0.2.7", ((UDP, 2641), (TCP, 2641))),
        ("node.example:9000", "node.example", ((UDP, 9000), (TCP, 9000))),
        ("[2001:db8::1]:9000", "2001:db8::1", ((UDP, 9000), (TCP, 9000))),
        ("tcp://192.0.2.7", "192.0.2.7", ((TCP, 2641),)),
        ("udp://192.0.2.7:1", "192.0.2.7", ((UDP, 1),)),
        ("http://192.0.2.7", "192.0.2.7", ((HTTP, 8000),)),
        ("https://192.0.2.7:443", "192.0.2.7", ((HTTPS, 443),)),
    ],
)
def test_a_server_is_written_with_or_without_its_transport_and_port(text, host, interfaces):
    assert Server.from_text(text) == Server(host, interfaces)


@pytest.mark.parametrize(
    "text", ["", ":2641", "ftp://x", "host:port", "host:99999", "host/path", "user@host", "tcp://", "a..b"]
)
def test_what_is_no_server_is_refused(text):
    with pytest.raises(ValueError):
        Server.from_text(text)


def site(*addresses: str, interfaces=USUAL, **fields) -> SiteInfo:
    servers = tuple(
        ServerInfo(number, ip_address(address), b"", tuple(interfaces)) for number, address in enumerate(addresses, 1)
    )
    return SiteInfo(1, servers, **fields)


def hosts(info: SiteInfo, handle: bytes) -> list[str]:
    return [server.host for server in servers_of([info], handle, primary=False)]


# The last four octets of the MD5 that md5sum gives for each part in upper case, read with their sign.
@pytest.mark.parametrize(
    ("hash_option", "part", "number"),
    [(0, "88.118.A", 0x8EA1DF86 - (1 << 32)), (1, "X/Y", 0x5AB183DA), (2, "88.118.A/X/Y", 0x75B5AB07)],
)
def test_the_hash_of_a_part_of_a_handle_chooses_a_server_without_regard_to_case(hash_option, part, number):
    addresses = [f"192.0.2.{place}" for place in range(1, 8)]
    chosen = hosts(site(*addresses, hash_option=hash_option), b"88.118.a/x/y")
    assert chosen == [addresses[abs(number) % len(addresses)]], part


def test_ways_in_are_tried_cheapest_first_and_only_those_that_take_queries():
    interfaces = (
        Interface(InterfaceKind.BOTH, HTTP, 8000),
        Interface(InterfaceKind.ADMINISTRATION, TCP, 2642),
        Interface(InterfaceKind.BOTH, TCP, 2641),
        Interface(InterfaceKind.OUT_OF_SERVICE, UDP, 2640),
        Interface(InterfaceKind.QUERY, UDP, 2641),
        Interface(InterfaceKind.BOTH, 9, 2641),
        Interface(InterfaceKind.BOTH, HTTPS, 1 << 20),
    )
    (server,) = servers_of([site("192.0.2.1", interfaces=interfaces)], b"1/2", primary=False)
    assert server.interfaces == ((UDP, 2641), (TCP, 2641), (HTTP, 8000))


def test_a_site_without_servers_or_ways_in_is_passed_over():
    empty, closed = site(), site("192.0.2.1", interfaces=())
    assert servers_of([empty, closed], b"1/2", primary=False) == []


def test_only_service_information_that_can_be_read_counts():
    good = site("192.0.2.1")
    values = (
        HandleValue(1, "URL", good.to_wire()),
        HandleValue(2, "HS_SITE", good.to_wire()[:-1]),
        HandleValue(3, "hs_site.prefix", good.to_wire()),
    )
    assert list(sites_of(values)) == [good]
