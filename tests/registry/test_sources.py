from ipaddress import ip_address

import pytest

from registry.sources import address_from_text, is_in, networks_from, source_of

FRONTS = networks_from(["127.0.0.1", "10.0.0.0/8"])


@pytest.mark.parametrize(
    ("remote", "forwarded", "source"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),  # a stranger who says whom he stands for is himself
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.9, 198.51.100.1, 10.1.2.3", "198.51.100.1"),  # what came before is the client's word
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "nonsense", None),
        ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        (None, "198.51.100.1", None),
    ],
)
def test_a_source_is_the_last_address_that_is_no_front_of_ours(remote, forwarded, source):
    assert source_of(remote, forwarded, FRONTS) == (None if source is None else ip_address(source))


def test_an_address_is_in_a_network_of_its_own_kind_alone():
    networks = networks_from(["192.0.2.0/24", "2001:db8::/32"])
    assert is_in(address_from_text("192.0.2.7"), networks)
    assert is_in(address_from_text("::ffff:192.0.2.7"), networks)
    assert is_in(address_from_text("2001:db8::7"), networks)
    assert not is_in(address_from_text("192.0.3.7"), networks)
    assert not is_in(None, networks)
