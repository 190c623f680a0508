"""An enterprise that runs a node of its own, found through the secondary node: two nodes, two books, and a client.

The secondary node holds the prefix handles of its enterprises. Where one of them serves itself, its prefix handle says
where: by HS_SITE, by a service handle, or by HS_SITE.PREFIX of the prefix above it.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from registry.errors import ResponseCode
from registry.migrate import migrate
from registry.site import Interface, InterfaceKind, Protocol, ServerInfo, SiteInfo
from registry.value import HandleValue
from resolver.client.client import Client
from resolver.client.errors import NoAnswer, NotConfigured, ReferralLoop
from resolver.client.servers import Server
from tests.resolver.http.lab import write
from tests.resolver.running_node import RunningNode, arguments, ask
from tests.resolver.test_cli import filament

BY_SITE = "88.168.200"  # An enterprise whose prefix handle has the site of its node,
BY_SERVICE = "88.168.201"  # one whose prefix handle names a service,
BELOW = "88.169.5"  # and one below a prefix that is delegated as a whole.
ADDED = "88.169.7"  # An enterprise that is added at the other node, below the delegated prefix too.
HOSTED = "88.168.1"
SERVICE = f"{HOSTED}/SERVICE"
CIRCLE, ABROAD, DEAF = "88.168.202", "88.168.203", "88.168.204"
DEADLINE = 60.0


@dataclass(frozen=True)
class Nodes:
    """The native ports of both."""

    secondary: int
    enterprise: int

    @property
    def client(self) -> Client:
        return Client([Server.from_text(f"127.0.0.1:{self.secondary}")])


def text(words: str) -> tuple[HandleValue, ...]:
    return (HandleValue(1, "DESC", words.encode()),)


def site(port: int, value_type: str = "HS_SITE", address: str = "127.0.0.1") -> tuple[HandleValue, ...]:
    interfaces = (Interface(InterfaceKind.BOTH, Protocol.TCP, port), Interface(InterfaceKind.QUERY, Protocol.UDP, port))
    info = SiteInfo(1, (ServerInfo(1, ip_address(address), b"", interfaces),))
    return (HandleValue(1, value_type, info.to_wire()),)


def enterprise_book(port: int) -> dict[str, tuple[HandleValue, ...]]:
    return {
        f"0.NA/{BELOW}": site(port),
        f"{BY_SITE}/A": text("at the enterprise"),
        f"{BY_SERVICE}/A": text("by its service"),
        f"{BELOW}/A": text("below a delegated prefix"),
    }


def secondary_book(nodes: Nodes) -> dict[str, tuple[HandleValue, ...]]:
    return {
        f"{HOSTED}/A": text("hosted"),
        SERVICE: site(nodes.enterprise),
        f"0.NA/{BY_SERVICE}": (HandleValue(1, "HS_SERV", SERVICE.encode()),),
        "0.NA/88.169": site(nodes.enterprise, "HS_SITE.PREFIX"),
        f"0.NA/{CIRCLE}": site(nodes.secondary),
        f"0.NA/{ABROAD}": site(nodes.enterprise, address="192.0.2.1"),
        f"0.NA/{DEAF}": site(1),
    }


def native_port(node: RunningNode) -> int:
    """As the node's own service information says."""
    url, _ = node.ready()
    _, body = ask(f"{url}/api/site")
    first = body["site"]["servers"][0]["interfaces"][0]
    assert first["protocol"] == "TCP"
    return int(first["port"])


async def until_heard(port: int, handle: str) -> None:
    client = Client([Server.from_text(f"tcp://127.0.0.1:{port}")])
    async with asyncio.timeout(DEADLINE):
        while (await client.resolve(handle, follow=False)).code != ResponseCode.SUCCESS:  # noqa: ASYNC110  # another process has no event
            await asyncio.sleep(0.02)  # another process hears of the change and tells nobody


@pytest.fixture
async def nodes(database_dsn: str, empty_dsn: str, tmp_path: Path) -> AsyncIterator[Nodes]:
    await migrate(empty_dsn)
    with ExitStack() as stack:
        started = [
            stack.enter_context(RunningNode(*arguments(dsn, tmp_path / name, workers=workers)))
            for dsn, name, workers in ((database_dsn, "secondary", 2), (empty_dsn, "enterprise", 1))
        ]
        both = Nodes(*[native_port(node) for node in started])
        await write(empty_dsn, enterprise_book(both.enterprise))
        await write(database_dsn, secondary_book(both))
        await until_heard(both.enterprise, f"{BELOW}/A")
        delegated = ("enterprise", "delegate", BY_SITE, f"127.0.0.1:{both.enterprise}", "--dsn", database_dsn)
        said = await asyncio.to_thread(filament, *delegated)
        assert f"{BY_SITE} is referred to 127.0.0.1" in said.stderr
        await until_heard(both.secondary, f"0.NA/{BY_SITE}")
        added = ("enterprise", "add", "化纤厂", "--prefix", ADDED, "--dsn", empty_dsn)
        await asyncio.to_thread(filament, *added)
        await write(empty_dsn, {f"{ADDED}/A": text("added below a delegated prefix")})
        await until_heard(both.enterprise, f"{ADDED}/A")
        yield both


async def test_a_client_of_the_secondary_node_finds_what_enterprises_serve_themselves(nodes: Nodes):
    expected = {
        f"{HOSTED}/A": "hosted",
        f"{BY_SITE}/A": "at the enterprise",
        f"{BY_SERVICE}/A": "by its service",
        f"{BELOW}/A": "below a delegated prefix",
        f"{ADDED}/A": "added below a delegated prefix",
        f"{BY_SITE}/a": "at the enterprise",
    }
    for scheme in ("", "tcp://", "udp://"):
        client = Client([Server.from_text(f"{scheme}127.0.0.1:{nodes.secondary}")])
        for handle, words in expected.items():
            resolved = await client.resolve(handle, types=["DESC"])
            assert [value.text for value in resolved.values] == [words], (scheme, handle)
            assert resolved.handle == handle

    # The codes of each step, as any other client sees them.
    codes = {
        f"{BY_SITE}/A": ResponseCode.SERVICE_REFERRAL,
        f"{BY_SERVICE}/A": ResponseCode.SERVICE_REFERRAL,
        f"0.NA/{BELOW}": ResponseCode.PREFIX_REFERRAL,
        f"{BELOW}/A": ResponseCode.SERVER_NOT_RESPONSIBLE,
        "10.1000/1": ResponseCode.SERVER_NOT_RESPONSIBLE,
        f"{HOSTED}/none": ResponseCode.HANDLE_NOT_FOUND,
    }
    for handle, code in codes.items():
        assert (await nodes.client.resolve(handle, follow=False)).code == code, handle
    assert (await nodes.client.resolve("10.1000/1")).code == ResponseCode.SERVER_NOT_RESPONSIBLE
    assert (await nodes.client.resolve(f"{BY_SITE}/none")).code == ResponseCode.HANDLE_NOT_FOUND

    # A record may not send a client in circles, nor to a machine that nobody configured.
    with pytest.raises(ReferralLoop):
        await nodes.client.resolve(f"{CIRCLE}/A")
    with pytest.raises(NotConfigured, match=r"192\.0\.2\.1"):
        await nodes.client.resolve(f"{ABROAD}/A")
    begun = time.monotonic()
    with pytest.raises(NoAnswer):
        await Client([Server.from_text(f"127.0.0.1:{nodes.secondary}")], deadline=1.0).resolve(f"{DEAF}/A")
    assert time.monotonic() - begun < DEADLINE

    asked = await asyncio.to_thread(
        filament,
        "resolve",
        f"{BY_SERVICE}/A",
        f"{HOSTED}/A",
        "--native",
        f"127.0.0.1:{nodes.secondary}",
        "--output",
        "json",
    )
    assert [answer["values"][0]["data"]["value"] for answer in json.loads(asked.stdout)] == ["by its service", "hosted"]
    refused = await asyncio.to_thread(
        filament, "resolve", f"{ABROAD}/A", "--native", f"tcp://127.0.0.1:{nodes.secondary}", "--lang", "zh", code=1
    )
    assert "没有得到应答" in refused.stderr
