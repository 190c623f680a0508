"""Machines at the registry's own interface: the Handle challenge, and client certificates."""

import base64
import ssl
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from registry.api import create_app
from registry.certificate import Certificate, node_key, public_key
from registry.enterprise import add_enterprise
from registry.handle import Handle
from registry.port import Port, listen
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.certificates import client_certificate
from tests.registry.interface import OPERATOR, open_interface
from tests.registry.test_people_api import ask, bearer

PREFIX = "88.168.2"
KEY_INDEX = 310
IDENTITY = f"{KEY_INDEX}:0.NA/{PREFIX}"


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


async def give_key(store, key):
    """The enterprise of 88.168.2 has this public key beside the one that it was made with."""
    handle = Handle.from_text(f"0.NA/{PREFIX}")
    record = await store.fetch(store.key_of(handle.octets))
    value = HandleValue(KEY_INDEX, "HS_PUBKEY", public_key(key).to_wire())
    async with begin(store, "test") as transaction:
        await transaction.replace(record, (*record.values, value))


def answer_of(key, challenge, identity=IDENTITY):
    cnonce = b"0123456789abcdef"
    signature = key.sign(base64.b64decode(challenge["nonce"]) + cnonce, padding.PKCS1v15(), hashes.SHA256())
    return {
        "sessionId": challenge["sessionId"],
        "id": identity,
        "type": "HS_PUBKEY",
        "cnonce": base64.b64encode(cnonce).decode(),
        "alg": "SHA256",
        "signature": base64.b64encode(signature).decode(),
    }


def named(session_id):
    return {"Authorization": f'Handle sessionId="{session_id}"'}


async def test_a_machine_proves_its_key_once_and_names_its_session_from_then_on(node, key):
    await give_key(node.store, key)
    status, challenge = await ask(node, "POST", "/api/sessions", {})
    assert status == 201
    session = named(challenge["sessionId"])
    assert (await ask(node, "GET", "/api/me", session))[0] == 401, "nothing is proved yet"
    status, proved = await ask(node, "PUT", "/api/sessions/this", {}, answer_of(key, challenge))
    assert (status, proved["authenticated"], proved["id"]) == (200, True, IDENTITY)
    assert (await ask(node, "GET", "/api/me", session))[1]["name"] == IDENTITY
    assert (await ask(node, "GET", "/api/sessions/this", session))[1]["id"] == IDENTITY
    assert (await ask(node, "DELETE", "/api/sessions/this", session))[0] == 204
    assert (await ask(node, "GET", "/api/me", session))[0] == 401


async def test_the_answer_may_come_with_the_request_that_needs_it(node, key):
    await give_key(node.store, key)
    _, challenge = await ask(node, "POST", "/api/sessions", {})
    fields = ", ".join(f'{name}="{text}"' for name, text in answer_of(key, challenge).items())
    status, me = await ask(node, "GET", "/api/me", {"Authorization": f"Handle {fields}"})
    assert (status, me["name"]) == (200, IDENTITY)


async def test_a_wrong_answer_proves_nobody_and_leaves_the_challenge_open(node, key):
    await give_key(node.store, key)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _, challenge = await ask(node, "POST", "/api/sessions", {})
    for wrong in (answer_of(stranger, challenge), answer_of(key, challenge, OPERATOR)):
        assert (await ask(node, "PUT", "/api/sessions/this", {}, wrong))[0] in (401, 403)
        assert (await ask(node, "GET", "/api/me", named(challenge["sessionId"])))[0] == 401
    assert (await ask(node, "PUT", "/api/sessions/this", {}, answer_of(key, challenge)))[0] == 200


async def test_an_answer_to_one_challenge_is_none_to_another(node, key):
    await give_key(node.store, key)
    _, first = await ask(node, "POST", "/api/sessions", {})
    _, second = await ask(node, "POST", "/api/sessions", {})
    replayed = answer_of(key, first) | {"sessionId": second["sessionId"]}
    assert (await ask(node, "PUT", "/api/sessions/this", {}, replayed))[0] in (401, 403)


async def test_the_server_proves_the_key_of_its_site_to_whoever_asks(node):
    cnonce = b"client"
    form = {"cnonce": base64.b64encode(cnonce).decode()}
    _, challenge = await ask(node, "POST", "/api/sessions", {}, form)
    signature = base64.b64decode(challenge["serverSignature"])
    signed = base64.b64decode(challenge["nonce"]) + cnonce
    key = node_key(node.directory)
    key.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    ("form", "status"), [({}, 401), ({"sessionId": "nonsense"}, 401), ({"sessionId": 1}, 401), ([], 400)]
)
async def test_an_answer_that_names_no_session_is_refused(node, form, status):
    assert (await ask(node, "PUT", "/api/sessions/this", {}, form))[0] == status


async def test_over_plain_http_there_is_no_challenge(database_dsn):
    async with open_interface(database_dsn, plain_authentication=False) as node:
        for method, path in (("POST", ""), ("PUT", "/this"), ("GET", "/this"), ("DELETE", "/this")):
            form = {"sessionId": "x"} if method == "PUT" else None
            headers = {} if form else named("x")
            assert (await ask(node, method, f"/api/sessions{path}", headers, form))[0] == 403


async def test_a_client_certificate_with_the_key_in_the_book_proves_its_subject(database_dsn, tmp_path, key):
    path = client_certificate(tmp_path, IDENTITY, key)
    async with served_over_tls(database_dsn, tmp_path, path, key) as url:
        assert await me(url, shown(path)) == (200, IDENTITY)
        assert (await me(url, shown(None)))[0] == 401
        assert (await me(url, shown(path), bearer("fil_nonsense")))[0] == 401, "a token that is none is not passed over"


async def test_a_client_certificate_with_another_key_proves_nobody(database_dsn, tmp_path, key):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = client_certificate(tmp_path, IDENTITY, other)
    async with served_over_tls(database_dsn, tmp_path, path, key) as url:
        assert (await me(url, shown(path)))[0] == 403


@asynccontextmanager
async def served_over_tls(dsn, directory, authorities, key):
    """The interface as its program serves it, over a book in which the enterprise has this key."""
    settings = RegistrySettings(dsn=dsn, data_directory=str(directory), client_ca=str(authorities))
    store = Store(settings, "test")
    await store.open()
    await add_enterprise(store, "化纤厂", "", "", PREFIX, by="test")
    await give_key(store, key)
    runner = web.AppRunner(create_app(store))
    await runner.setup()
    sockets = listen(("127.0.0.1",), 0)
    certificate = Certificate(directory, client_authorities=settings.client_ca)
    port = Port(sockets, runner.server, lambda: certificate.context)
    port.open()
    try:
        yield f"https://127.0.0.1:{sockets[0].getsockname()[1]}"
    finally:
        await port.close()
        await runner.cleanup()
        await store.close()


def shown(path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if path is not None:
        context.load_cert_chain(path)
    return context


async def me(url, context, headers=None):
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as client,
        client.get(f"{url}/api/me", headers=headers) as answer,
    ):
        return answer.status, (await answer.json(content_type=None)).get("name")
