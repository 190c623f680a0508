"""What a node says of itself."""

import logging

import pytest

from registry.signing import Signer
from registry.site import SiteInfo
from resolver.own_site import OwnSite
from resolver.settings import ResolverSettings
from tests.registry.books import reading
from tests.resolver.native import NODE_KEY

ASTRAY = "clients are told to ask themselves"


def test_the_site_record_names_tcp_first_and_the_settings_as_they_are_now(tmp_path):
    """The national SDK takes the first interface, whichever it is."""
    settings = [ResolverSettings(public_address="192.0.2.1", native_port=2641, port=8000, description="ours")]
    site = OwnSite(lambda: settings[0], NODE_KEY, Signer(tmp_path))
    (server,) = site.current().servers
    assert [(each.protocol, each.port) for each in server.interfaces] == [(1, 2641), (0, 2641), (2, 8000), (3, 8000)]
    settings[0] = ResolverSettings(public_address="2001:db8::1", native_port=2642, port=0, description="ours")
    (server,) = SiteInfo.from_wire(site.current().to_wire()).servers
    assert (str(server.address), server.interfaces[0].port) == ("2001:db8::1", 2642)


@pytest.mark.parametrize(
    ("listen", "public", "warned"),
    [
        (("127.0.0.1",), "127.0.0.1", False),
        (("0.0.0.0", "::"), "127.0.0.1", True),
        (("127.0.0.1", "192.0.2.1"), "::1", True),
        (("0.0.0.0", "::"), "192.0.2.1", False),
    ],
)
async def test_an_operator_is_told_that_nobody_else_is_told_where_the_node_is(
    database_dsn, caplog, tmp_path, listen, public, warned
):
    site = OwnSite(lambda: ResolverSettings(listen=listen, public_address=public), NODE_KEY, Signer(tmp_path))
    async with reading(database_dsn) as store:
        with caplog.at_level(logging.WARNING):
            await site.publish(store)
    assert (ASTRAY in caplog.text) == warned
