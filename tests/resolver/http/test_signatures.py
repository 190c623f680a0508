"""Answers signed on request, and the documents that say with which keys."""

import asyncio
import time
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from registry.data_forms import key_from_json
from registry.did import keys_from_document
from registry.feed import Cursor, Feed
from registry.jose import ANSWER, MEDIA_TYPE, Signed, verify
from registry.signing import rotate
from registry.value import HandleValue
from resolver.listeners.http.signatures import SIGNATURE
from tests.resolver.http.lab import PREFIX, URL, Client, administrator_key, basic, lab

HX = f"{PREFIX}/HX"


@pytest.fixture
async def node(database_dsn, tmp_path):
    secret = HandleValue(2, "DESC", b"hidden", permissions=0b1100)
    async with lab(database_dsn, tmp_path, {HX: (URL, secret)}, plain_authentication=True) as node:
        yield node


@pytest.fixture
def client(node):
    client = Client(node.port)
    yield client
    client.close()


async def ask(client, path, **headers):
    return await asyncio.to_thread(client.ask, "GET", path, None, headers)


async def keys(client):
    return keys_from_document((await ask(client, "/.well-known/did.json")).json)


async def verified(client, signed):
    return verify(signed, await keys(client), ANSWER, time.time())


@pytest.mark.parametrize(
    ("name", "code"),
    [(HX, 1), (f"{PREFIX}/涤纶 NONE", 100), (f"{HX}?index=7", 200), (f"{HX}?type=URL", 1), (f"{HX}?auth", 1)],
)
async def test_an_answer_is_the_same_with_its_signature_beside_it(node, client, name, code):
    path = "/api/handles/" + quote(name, safe="/?=&")
    plain = await ask(client, path)
    divider = "&" if "?" in path else "?"
    signed = await ask(client, f"{path}{divider}sign=true")
    assert (signed.status, signed.body) == (plain.status, plain.body)
    assert signed.json["responseCode"] == code
    header = verify(
        Signed.from_detached(signed.headers[SIGNATURE], signed.body), await keys(client), ANSWER, time.time()
    )
    assert header["request"] == f"{path}{divider}sign=true"
    assert abs(header["iat"] - time.time()) < 60
    assert "no-store" in signed.headers["Cache-Control"]
    assert SIGNATURE not in plain.headers


async def test_an_answer_and_its_signature_are_one_document_on_request(node, client):
    answer = await ask(client, f"/api/handles/{HX}?sign=jws")
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    signed = Signed.from_json(answer.body)
    assert await verified(client, signed)
    assert signed.payload == (await ask(client, f"/api/handles/{HX}")).body


async def test_what_only_some_may_read_is_signed_for_them_alone(node, client):
    public = Signed.from_json((await ask(client, f"/api/handles/{HX}?sign=jws")).body)
    whole = Signed.from_json((await ask(client, f"/api/handles/{HX}?sign=jws", **basic())).body)
    assert b"hidden" not in public.payload
    assert b"hidden" in whole.payload
    assert await verified(client, whole)


async def test_nothing_that_came_before_the_place_of_an_answer_is_missing_in_it(node, client):
    """The place is a cursor of the feed: what came behind it is heard there, what came before it is in the answer."""
    feed = Feed(node.resolver.store)
    for number in range(10):
        values = [{"index": 1, "type": "URL", "data": f"http://example.org/{number}"}]
        written = await asyncio.to_thread(
            client.ask, "PUT", f"/api/handles/{HX}?overwrite=true", {"values": values}, basic()
        )
        assert written.status == 200
        signed = await ask(client, f"/api/handles/{HX}?sign=true")
        place = Cursor.from_text(Signed.from_detached(signed.headers[SIGNATURE], b"").header()["position"])
        behind = [event.form["data"]["version"] for event in (await feed.read(place, None)).events]
        version = int(signed.json["values"][0]["data"]["value"].rpartition("/")[2]) + 2
        record = await node.resolver.store.fetch(node.resolver.store.key_of(HX.encode()))
        assert set(range(version + 1, record.version + 1)) <= set(behind)


async def test_a_wrong_wish_is_refused_and_false_is_no_wish(node, client):
    assert (await ask(client, f"/api/handles/{HX}?sign=perhaps")).status == 400
    assert SIGNATURE not in (await ask(client, f"/api/handles/{HX}?sign=false")).headers


async def test_a_client_that_has_an_answer_is_told_so_without_a_signature(node, client):
    etag = (await ask(client, f"/api/handles/{HX}")).headers["ETag"]
    assert (await ask(client, f"/api/handles/{HX}?sign=true", **{"If-None-Match": etag})).status == 304


async def test_the_node_names_itself_as_it_was_asked_and_keeps_its_former_keys(node, client, tmp_path):
    document = (await ask(client, "/.well-known/did.json", Host="id.fibre.test:8443")).json
    assert document["id"] == "did:web:id.fibre.test%3A8443"
    named = [f"{document['id']}#{key.key_id}" for key in node.signer.every_published]
    assert document["assertionMethod"] == named
    before = await ask(client, f"/api/handles/{HX}?sign=true")
    former, new = await rotate(node.resolver.store, tmp_path)
    after = await ask(client, f"/api/handles/{HX}?sign=true")
    known = {former.key_id, new.key_id} | {key.key_id for key in node.signer.every_published}
    async with asyncio.timeout(60):
        while set(await keys(client)) != known:  # noqa: ASYNC110  # the list is read again after seconds, and tells nobody
            await asyncio.sleep(0.2)
    for answer in (before, after):
        assert verify(
            Signed.from_detached(answer.headers[SIGNATURE], answer.body), await keys(client), ANSWER, time.time()
        )


@pytest.mark.parametrize("host", ["a b", "x/../y", "", "例.cn"])
async def test_a_host_that_is_none_has_no_document(node, client, host):
    def raw():
        client._connection.putrequest("GET", "/.well-known/did.json", skip_host=True)
        client._connection.putheader("Host", host.encode())
        client._connection.endheaders()
        response = client._connection.getresponse()
        return response.status, response.read()

    assert (await asyncio.to_thread(raw))[0] == 400


async def test_an_enterprise_has_a_document_with_the_keys_of_its_prefix(node, client):
    document = (await ask(client, f"/enterprises/{PREFIX}/did.json")).json
    assert document["id"] == f"did:web:127.0.0.1%3A{node.port}:enterprises:{PREFIX}"
    (method,) = document["verificationMethod"]  # The secret key is none of them.
    assert method["id"] == f"{document['id']}#300"
    numbers = key_from_json(method["publicKeyJwk"]).integers
    public = rsa.RSAPublicNumbers(numbers["e"], numbers["n"]).public_key()
    public.verify(administrator_key().sign(b"x", padding.PKCS1v15(), SHA256()), b"x", padding.PKCS1v15(), SHA256())


async def test_whoever_has_no_prefix_here_has_no_document(node, client):
    assert (await ask(client, "/enterprises/10.9999/did.json")).status == 404
    assert (await ask(client, f"/enterprises/{PREFIX}/x/did.json")).status == 404
