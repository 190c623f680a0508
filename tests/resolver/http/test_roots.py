"""Roots and proofs as the node publishes them, and as the command line verifies them."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from registry.jose import ROOT
from registry.sealing import Sealer
from registry.value import HandleValue
from resolver.client.statements import keys_of, read_document, read_proof
from tests.resolver.http.lab import PREFIX, URL, Client, basic, lab
from tests.resolver.test_cli import filament

HX, CAKE = f"{PREFIX}/HX", f"{PREFIX}/工业 a+b"
TODAY = datetime.now(UTC).date()
SECRET = HandleValue(2, "COST", b"12.50", permissions=0b1100)


@pytest.fixture
async def node(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, {HX: (URL, SECRET), CAKE: (URL,)}, plain_authentication=True) as node:
        yield node


async def ask(node, method, path, body=None, **headers):
    client = Client(node.port)
    try:
        return await asyncio.to_thread(client.ask, method, path, body, headers)
    finally:
        client.close()


async def seal(node, tmp_path, day=TODAY + timedelta(days=1)):
    sealer = Sealer(node.resolver.store, tmp_path)
    while await sealer.step(day):
        pass


async def test_the_root_of_a_day_is_published_with_its_signature(node, tmp_path):
    assert (await ask(node, "GET", "/api/roots")).json["roots"] == []
    await seal(node, tmp_path)
    (root,) = (await ask(node, "GET", "/api/roots")).json["roots"]
    keys = keys_of((await ask(node, "GET", "/.well-known/did.json")).body)
    statement = read_document((await ask(node, "GET", f"/api/roots/{TODAY}")).body, ROOT, keys, time.time())
    assert statement.body == root | {"previous": None}
    assert (await ask(node, "GET", f"/api/roots?before={TODAY}")).json["roots"] == []


@pytest.mark.parametrize(
    "path",
    [
        "roots/2020-01-01",
        "roots/x",
        "roots?before=x",
        "roots?before=20261122",
        "roots/2026-W47-7",
        "roots?limit=0",
        "proofs/x?version=0",
    ],
)
async def test_what_is_no_day_and_no_version_is_refused(node, path):
    assert (await ask(node, "GET", f"/api/{path}")).status in (400, 404)


async def test_anybody_may_prove_what_a_handle_says_and_its_administrators_what_it_said(node, tmp_path):
    changed = {"values": [{"index": 1, "type": "URL", "data": "http://example.org/changed"}]}
    assert (await ask(node, "PUT", f"/api/handles/{HX}?index=1", changed, **basic())).status == 200
    pending = await ask(node, "GET", f"/api/proofs/{HX}")
    assert (pending.status, pending.json["responseCode"]) == (404, 4)
    await seal(node, tmp_path)
    keys = keys_of((await ask(node, "GET", "/.well-known/did.json")).body)
    now = await ask(node, "GET", f"/api/proofs/{HX}")
    proved = read_proof(now.body, keys, time.time())
    assert (proved.version, [one.text for one in proved.values]) == (2, ["http://example.org/changed"])
    assert (await ask(node, "GET", f"/api/proofs/{HX}?version=1")).status == 401
    before = await ask(node, "GET", f"/api/proofs/{HX}?version=1", **basic())
    assert [one.data for one in read_proof(before.body, keys, time.time()).values] == [URL.data]
    assert b"12.50" not in before.body


async def test_the_proof_of_a_deleted_handle_is_for_its_administrators(node, tmp_path):
    assert (await ask(node, "DELETE", f"/api/handles/{HX}", **basic())).status == 200
    await seal(node, tmp_path)
    assert (await ask(node, "GET", f"/api/proofs/{HX}")).status == 401
    assert (await ask(node, "GET", f"/api/proofs/{HX}", **basic())).status == 200
    assert (await ask(node, "GET", f"/api/proofs/{PREFIX}/NONE")).status == 404


async def test_the_command_line_proves_and_verifies_later_without_a_network(node, tmp_path):
    await seal(node, tmp_path)
    url, proof, did = f"http://127.0.0.1:{node.port}", tmp_path / "proof.json", tmp_path / "did.json"
    did.write_bytes((await ask(node, "GET", "/.well-known/did.json")).body)
    line = ("prove", CAKE, "--url", url, "--to", str(proof), "--output", "json")
    done = await asyncio.to_thread(filament, *line)
    assert [row["data"] for row in json.loads(done.stdout)] == [URL.text]
    assert f"under the root of {TODAY}" in done.stderr
    again = await asyncio.to_thread(filament, "verify", str(proof), "--keys", str(did), "--output", "json")
    assert again.stdout == done.stdout
    proof.write_bytes(proof.read_bytes().replace(b'"number": ', b'"number": 1'))
    broken = await asyncio.to_thread(filament, "verify", str(proof), "--keys", str(did), "--lang", "zh", code=1)
    assert "与已签名的根不符" in broken.stderr
