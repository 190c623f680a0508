"""`filament login`: a provider, a node that serves over TLS, and a browser that a test can steer."""

import asyncio
import json
import sys
import time
from contextlib import asynccontextmanager, closing
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit

import pytest
from aiohttp import web

from registry.api import create_app
from registry.certificate import NODE_CERTIFICATE, Certificate
from registry.enterprise import add_enterprise
from registry.port import Port, listen
from registry.settings import RegistrySettings
from registry.store import Store
from resolver.cli.client import Node
from resolver.cli.invocation import Failed
from resolver.cli.loopback import open_loopback
from tests.registry.openid_lab import CLIENT, SECRET, open_provider
from tests.resolver.test_cli import filament

STATE, ISSUER = "of this log-in", "https://login.example.org"


@pytest.fixture
async def provider():
    async with open_provider() as provider:
        provider.now = time.time()
        provider.claims = {"groups": ["fibre"], "preferred_username": "wang.lei"}
        yield provider


@asynccontextmanager
async def served(dsn, directory, **given):
    """Where the registry's own interface is served, as its program does it."""
    settings = RegistrySettings(dsn=dsn, data_directory=str(directory), **given)
    store = Store(settings, "test")
    await store.open()
    await add_enterprise(store, "化纤厂", "", "", "88.168.2", by="test")
    runner = web.AppRunner(create_app(store))
    await runner.setup()
    sockets = listen(("127.0.0.1",), 0)
    certificate = Certificate(directory)
    port = Port(sockets, runner.server, lambda: certificate.context)
    port.open()
    try:
        yield f"https://127.0.0.1:{sockets[0].getsockname()[1]}"
    finally:
        await port.close()
        await runner.cleanup()
        await store.close()


@pytest.fixture
async def node(database_dsn, tmp_path, provider):
    given = {"openid_issuer": provider.issuer, "openid_client": CLIENT, "openid_secret": SECRET}
    async with served(database_dsn, tmp_path, **given, openid_roles=("fibre=member@88.168.2",)) as url:
        yield url


async def log_in(node, directory, *more, code=0):
    """One log-in with a browser that follows wherever it is sent."""
    browser = directory / "browser.py"
    browser.write_text("import sys, urllib.request\nurllib.request.urlopen(sys.argv[1]).read()\n", encoding="utf-8")
    line = ("login", "--url", node, "--data-directory", str(directory), "--output", "json", *more)
    return await asyncio.to_thread(filament, *line, code=code, BROWSER=f"{sys.executable} {browser} %s")


async def test_somebody_logs_in_with_his_browser_and_gets_a_token_that_is_good(node, tmp_path):
    done = await log_in(node, tmp_path)
    (told,) = json.loads(done.stdout)
    assert (told["name"], told["role"]) == ("wang.lei", "member")
    assert told["token"] not in done.stderr
    asking = Node(node, tmp_path / NODE_CERTIFICATE, {"Authorization": f"Bearer {told['token']}"})
    assert (await asyncio.to_thread(asking.ask, "/api/me")).body["prefixes"] == ["88.168.2"]


async def test_whoever_the_provider_or_the_node_refuses_is_told_why(node, tmp_path, provider):
    provider.refuses = "access_denied"
    refused = await log_in(node, tmp_path, "--lang", "zh", code=1)
    assert "登录被拒绝：access_denied" in refused.stderr
    provider.refuses, provider.claims["groups"] = "", ["elsewhere"]
    refused = await log_in(node, tmp_path, code=1)
    assert "the log-in was refused: " in refused.stderr
    assert "groups" in refused.stderr
    assert refused.stdout == ""


async def test_a_node_without_a_provider_says_so(database_dsn, tmp_path):
    async with served(database_dsn, tmp_path) as url:
        assert "the log-in was refused: " in (await log_in(url, tmp_path, code=1)).stderr


def test_nobody_logs_in_over_plain_http():
    assert "https://" in filament("login", "--url", "http://127.0.0.1:9", code=2).stderr


@pytest.mark.parametrize(
    "query", ["", "?code=x", "?code=x&state=", "?code=x&state=another", f"?code=x&state={STATE}&iss=https://other"]
)
def test_what_this_log_in_did_not_ask_for_is_not_taken(query):
    with open_loopback(0, STATE, ISSUER, "en") as loopback:
        assert status(loopback.redirect_uri + query) == 404
        assert status(f"{loopback.redirect_uri}other?code=x&state={STATE}") == 404
        assert status(f"{loopback.redirect_uri}?code=good&state={STATE}&iss={ISSUER}") == 200
        assert status(f"{loopback.redirect_uri}?code=later&state={STATE}") == 200
        assert loopback.wait() == "good"


def test_a_port_that_another_program_has_is_named():
    with (
        open_loopback(0, STATE, ISSUER, "en") as loopback,
        pytest.raises(Failed, match=r"port \d+ cannot be listened on"),
        open_loopback(int(loopback.redirect_uri.split(":")[2][:-1]), STATE, ISSUER, "en"),
    ):
        pass


def status(url):
    split = urlsplit(url)
    with closing(HTTPConnection(split.netloc)) as connection:
        connection.request("GET", f"{split.path}?{quote(split.query, safe='=&')}")
        return connection.getresponse().status
