"""A name as a client writes it: registered, resolved, shown, listed and deleted over real connections."""

import asyncio
import unicodedata
from urllib.parse import quote

import pytest

from registry.migrate import migrate
from tests.resolver.http.lab import PREFIX, Client, basic, lab

TEXT = "纱饼 ☃ 𠮷"
BODY = [{"index": 1, "type": "备注", "data": TEXT}]
SUFFIXES = (
    "纱饼 Ⅱ号", "a/b/c", "a%2Fb", "what?ever", "has#hash", "plus+plus", "semi;colon=1", "two  spaces", "\"'<>&", "a//b",
    "/lead", "trail/", "..", "../x", "a/./b", "100%", "%41", "𠮷野", "ÀÉ", "a@b:c!$&'()*,=~", "a\\b", "{x}|^`", "🧵",
    "ＦＵＬＬ",
)  # fmt: skip


@pytest.fixture
def client_of():
    clients = []

    def connect(node, *, tls=False):
        clients.append(Client(node.port, tls=tls))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def paths(name):
    """Both ways to write a name into a path: the slash as it is, and every octet that may be encoded encoded."""
    return [f"/api/handles/{quote(name, safe=safe)}" for safe in ("/", "")]


async def test_odd_names_make_the_whole_round_in_one_spelling(database_dsn, tmp_path, client_of):
    async with lab(database_dsn, tmp_path) as node:
        client, owner = client_of(node), client_of(node, tls=True)
        for suffix in SUFFIXES:
            name = f"{PREFIX}/{suffix}"
            await asyncio.to_thread(check_round, client, owner, name)


def check_round(client, owner, name):
    written, encoded = paths(name)
    assert owner.ask("PUT", written, BODY, basic()).status == 201, name
    for path in (written, encoded):
        reply = client.ask("GET", path)
        assert (reply.status, reply.json["handle"]) == (200, name)
        assert reply.json["values"][0]["data"]["value"] == TEXT
    page = client.ask("GET", f"/{quote(name, safe='/')}?noredirect", Accept="text/html")
    assert (page.status, TEXT in page.body.decode()) == (200, True), name
    assert client.ask("GET", written, If_None_Match=reply.headers["ETag"]).status == 304
    listed = owner.ask("GET", f"/api/handles?prefix={PREFIX}&page=0&pageSize=100", headers=basic()).json["handles"]
    assert name in listed
    assert owner.ask("DELETE", encoded, headers=basic()).status == 200
    assert client.ask("GET", written).status == 404, name


async def test_a_name_is_found_in_any_case_answered_as_asked_and_listed_as_registered(
    database_dsn, tmp_path, client_of
):
    async with lab(database_dsn, tmp_path) as node:
        client, owner = client_of(node), client_of(node, tls=True)
        registered = f"{PREFIX}/Poy-111É"
        assert (await asyncio.to_thread(owner.ask, "PUT", paths(registered)[0], BODY, basic())).status == 201
        asked = f"{PREFIX}/pOY-111É"
        assert (await asyncio.to_thread(client.ask, "GET", paths(asked)[0])).json["handle"] == asked
        # Case folds in ASCII alone: another É is another name.
        assert (await asyncio.to_thread(client.ask, "GET", paths(f"{PREFIX}/Poy-111é")[0])).status == 404
        listed = await asyncio.to_thread(owner.ask, "GET", f"/api/handles?prefix={PREFIX}", headers=basic())
        assert registered in listed.json["handles"]


@pytest.mark.parametrize(
    "suffix", ["tab\there", "nul\0", "line\nend", "del\x7f", "next\x85", unicodedata.normalize("NFD", "é")]
)
async def test_names_that_people_cannot_tell_apart_are_not_registered(database_dsn, tmp_path, client_of, suffix):
    async with lab(database_dsn, tmp_path) as node:
        client, owner = client_of(node), client_of(node, tls=True)
        path = paths(f"{PREFIX}/{suffix}")[0]
        reply = await asyncio.to_thread(owner.ask, "PUT", path, BODY, basic(), Accept_Language="zh")
        assert (reply.status, reply.json["responseCode"]) == (400, 102)
        assert "标识" in reply.json["message"]
        assert (await asyncio.to_thread(client.ask, "GET", path)).status == 404


async def test_where_suffixes_are_exact_two_spellings_are_two_handles(empty_dsn, tmp_path, client_of):
    await migrate(empty_dsn, exact_suffixes=True)
    async with lab(empty_dsn, tmp_path, exact_suffixes=True) as node:
        client, owner = client_of(node), client_of(node, tls=True)

        def ask(method, suffix, body=None, headers=None):
            return (owner if headers else client).ask(method, f"/api/handles/{PREFIX}/{suffix}", body, headers)

        for suffix in ("Box", "BOX"):
            value = [{"index": 1, "type": "URL", "data": suffix}]
            assert (await asyncio.to_thread(ask, "PUT", suffix, value, basic())).status == 201
        for suffix in ("Box", "BOX"):
            assert (await asyncio.to_thread(ask, "GET", suffix)).json["values"][0]["data"]["value"] == suffix
        assert (await asyncio.to_thread(ask, "GET", "box")).status == 404
        assert (await asyncio.to_thread(ask, "DELETE", "Box", None, basic())).status == 200
        assert (await asyncio.to_thread(ask, "GET", "Box")).status == 404
        assert (await asyncio.to_thread(ask, "GET", "BOX")).status == 200
