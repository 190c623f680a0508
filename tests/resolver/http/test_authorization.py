"""Who asks, over which connection: passwords, challenges, sessions and certificates, and where none of them counts."""

import asyncio
import base64
import hashlib
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from resolver.node import Node
from tests.registry.certificates import client_certificate
from tests.registry.test_claims import signature
from tests.resolver.http.lab import SECRET, Client, Reply, administrator_key, any_certificate, basic, lab

VALUE = [{"index": 1, "type": "DESC", "data": "x"}]
PATH = "/api/handles/88.118.1/NEW"
CHALLENGE = re.compile(
    r'Handle sessionId="([^"]+)", nonce="([^"]+)"(?:, serverAlg="([^"]+)", serverSignature="([^"]+)")?'
)


async def using(node: Node, use: Callable[[Client], None], *, tls: ssl.SSLContext | bool = True) -> None:
    def run() -> None:
        client = Client(node.port, tls=tls)
        try:
            use(client)
        finally:
            client.close()

    await asyncio.to_thread(run)


def challenge_of(reply: Reply) -> tuple[str, bytes]:
    session_id, nonce, _, _ = CHALLENGE.fullmatch(reply.headers.get_all("WWW-Authenticate")[-1]).groups()
    return session_id, base64.b64decode(nonce)


def code_of(reply: Reply) -> tuple[int, int]:
    return reply.status, reply.json["responseCode"]


async def test_over_plain_http_a_password_counts_for_nothing_and_no_challenge_is_offered(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path) as node:

        def use(client: Client) -> None:
            refused = client.ask("PUT", PATH, VALUE, basic())
            assert code_of(refused) == (403, 402)
            assert refused.headers["WWW-Authenticate"] is None
            assert code_of(client.ask("GET", "/api/prefixes", headers=basic())) == (403, 402)
            assert client.ask("POST", "/api/sessions", {}).status == 403
            assert client.ask("GET", "/api/handles/88.118.1/READ", headers=basic()).json["responseCode"] == 1

        await using(node, use, tls=False)


async def test_a_stranger_is_told_at_once_of_all_that_is_missing(database_dsn, tmp_path):
    """curl -X PUT -d '[...]': it was told of the media type, then of the key, then of HTTPS."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with lab(database_dsn, tmp_path) as node:

        def use(client: Client) -> None:
            for method, path in (("PUT", PATH), ("POST", "/api/transactions")):
                refused = client.ask(method, path, b"[]", form)
                assert code_of(refused)[1] == 402
                for word in ("token", "HTTPS", "application/json", "x-www-form-urlencoded"):
                    assert word in refused.json["message"]
                chinese = client.ask(method, path, b"[]", form | {"Accept-Language": "zh"})
                assert "令牌" in chinese.json["message"]
            assert code_of(client.ask("PUT", PATH, b"[]", form | basic())) == (400, 4)

        await using(node, use)

        def use_in_the_clear(client: Client) -> None:
            for body, header in ((b"[]", form), (VALUE, {})):
                refused = client.ask("PUT", PATH, body, header)
                assert code_of(refused) == (403, 402)
                assert "HTTPS" in refused.json["message"]

        await using(node, use_in_the_clear, tls=False)


async def test_a_setting_lets_the_loopback_interface_authenticate_in_the_clear(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, plain_authentication=True) as node:

        def use(client: Client) -> None:
            assert code_of(client.ask("PUT", PATH, VALUE, basic())) == (201, 1)
            # Somebody else stands behind a front on this machine.
            fronted = basic() | {"X-Forwarded-For": "192.0.2.1"}
            assert code_of(client.ask("PUT", PATH, VALUE, fronted)) == (403, 402)

        await using(node, use, tls=False)


async def test_a_forged_signature_is_refused_in_the_language_of_its_writer(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, plain_authentication=True) as node:
        forged = signature(issuer="300:0.NA/88.118.1", values=(), sub="88.118.1/NEW").data.decode()
        values = [*VALUE, {"index": 400, "type": "HS_SIGNATURE", "data": forged}]

        def use(client: Client) -> None:
            refused = client.ask("PUT", PATH, values, basic() | {"Accept-Language": "zh"})
            assert code_of(refused) == (400, 202)
            assert "不是由 300:0.NA/88.118.1 签名的" in refused.json["message"]

        await using(node, use, tls=False)


async def test_a_front_is_believed_only_when_it_is_one_of_ours(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, trusted_proxies=("127.0.0.0/8",)) as node:

        def use(client: Client) -> None:
            assert code_of(client.ask("PUT", PATH, VALUE, basic() | {"X-Forwarded-Proto": "https"})) == (201, 1)
            assert code_of(client.ask("PUT", PATH, VALUE, basic() | {"X-Forwarded-Proto": "http"})) == (403, 402)
            # A client may have sent the header too: the front's own word comes last.
            assert code_of(client.ask("PUT", PATH, VALUE, basic() | {"X-Forwarded-Proto": "https, http"})) == (403, 402)

        await using(node, use, tls=False)


async def test_a_front_that_nobody_named_is_not_believed(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, trusted_proxies=("192.0.2.1",)) as node:

        def use(client: Client) -> None:
            assert code_of(client.ask("PUT", PATH, VALUE, basic() | {"X-Forwarded-Proto": "https"})) == (403, 402)

        await using(node, use, tls=False)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        (basic(secret=b"wrong"), 403, 403),
        (basic("999:0.NA/88.118.1"), 403, 406),
        (basic("301:0.NA/88.118.99"), 403, 406),
        (basic("nonsense"), 403, 404),
        ({"Authorization": "Basic !!!"}, 400, 4),
        ({"Authorization": "Handle ,,,"}, 400, 4),
        ({"Authorization": "Bearer token"}, 401, 403),
        ({"Authorization": "Handle"}, 401, 402),
    ],
)
async def test_a_claim_that_does_not_hold_is_refused_for_what_it_is(
    database_dsn: str, tmp_path: Path, headers: dict[str, str], status: int, code: int
):
    async with lab(database_dsn, tmp_path) as node:
        await using(node, lambda client: _refused(client, headers, (status, code)))


def _refused(client: Client, headers: dict[str, str], wanted: tuple[int, int]) -> None:
    assert code_of(client.ask("PUT", PATH, VALUE, headers)) == wanted
    assert client.ask("GET", PATH).status == 404


async def test_the_server_proves_itself_to_whoever_sends_a_nonce(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path) as node:
        cnonce = b"from the client"
        public = node.certificate.node_key.public_key()

        def check(nonce: str, signature: str) -> None:
            signed = base64.b64decode(nonce) + cnonce
            public.verify(base64.b64decode(signature), signed, padding.PKCS1v15(), hashes.SHA256())

        def use(client: Client) -> None:
            sent = base64.b64encode(cnonce).decode()
            session = client.ask("POST", "/api/sessions", {"cnonce": sent}).json
            assert session["serverAlg"] == "SHA-256"
            check(session["nonce"], session["serverSignature"])
            refused = client.ask("PUT", PATH, VALUE, {"Authorization": f'Handle cnonce="{sent}"'})
            _, nonce, algorithm, signature = CHALLENGE.fullmatch(
                refused.headers.get_all("WWW-Authenticate")[-1]
            ).groups()
            assert algorithm == "SHA-256"
            check(nonce, signature)
            assert code_of(client.ask("POST", "/api/sessions", {"cnonce": "?"})) == (400, 4)

        await using(node, use)


async def test_a_challenge_that_is_answered_becomes_a_session_until_it_is_ended(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path) as node:

        def use(client: Client) -> None:
            session_id, nonce = challenge_of(client.ask("PUT", PATH, VALUE))
            known = {"Authorization": f'Handle sessionId="{session_id}"'}
            again = client.ask("PUT", PATH, VALUE, known)
            assert challenge_of(again) == (session_id, nonce)  # The same challenge, not one more.
            signature = administrator_key().sign(nonce + b"cnonce", padding.PKCS1v15(), hashes.SHA256())
            proof = (
                f'Handle version="0", sessionId="{session_id}", id="300:0.NA/88.118.1", type="HS_PUBKEY", '
                f'cnonce="{base64.b64encode(b"cnonce").decode()}", alg="SHA256", '
                f'signature="{base64.b64encode(signature).decode()}"'
            )
            assert code_of(client.ask("PUT", PATH, VALUE, {"Authorization": proof})) == (201, 1)
            assert code_of(client.ask("PUT", PATH, VALUE, known)) == (200, 1)
            assert client.ask("GET", "/api/sessions/this", headers=known).json["id"] == "300:0.NA/88.118.1"
            assert client.ask("DELETE", "/api/sessions/this", headers=known).status == 204
            ended = client.ask("PUT", PATH, VALUE, known)
            assert (ended.status, ended.body) == (401, b"")
            assert challenge_of(ended)[0] != session_id
            for method in ("GET", "PUT", "DELETE"):
                assert client.ask(method, "/api/sessions/this", headers=known).status == 403

        await using(node, use)


async def test_a_password_opens_a_session_and_a_wrong_answer_does_not_end_it(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path) as node:

        def use(client: Client) -> None:
            session = client.ask("POST", "/api/sessions", {}, basic()).json
            assert (session["authenticated"], session["id"]) == (True, "301:0.NA/88.118.1")
            answer: dict[str, Any] = {
                "sessionId": session["sessionId"], "id": session["id"], "type": "HS_SECKEY", "alg": "SHA1",
                "cnonce": base64.b64encode(b"c").decode(), "signature": base64.b64encode(b"wrong").decode(),
            }  # fmt: skip
            refused = client.ask("PUT", "/api/sessions/this", answer, {"Accept-Language": "zh"})
            assert refused.status == 200
            assert refused.json["error"] == "身份未通过验证"
            assert refused.json["authenticated"] is True
            challenge = base64.b64decode(session["nonce"]) + b"c"
            digest = hashlib.sha1(SECRET + challenge + SECRET).digest()  # noqa: S324  # what old clients send
            right = answer | {"signature": base64.b64encode(digest).decode()}
            assert "error" not in client.ask("PUT", "/api/sessions/this", right).json
            del answer["alg"]
            assert "error" in client.ask("PUT", "/api/sessions/this", answer).json

        await using(node, use)


async def test_a_client_certificate_with_the_key_in_the_book_proves_its_subject(database_dsn, tmp_path):
    path = client_certificate(tmp_path, "300:0.NA/88.118.1", administrator_key())
    context = any_certificate()
    context.load_cert_chain(path)
    async with lab(database_dsn, tmp_path, client_ca=str(path)) as node:

        def use(client: Client) -> None:
            assert code_of(client.ask("PUT", PATH, VALUE)) == (201, 1)
            assert client.ask("POST", "/api/sessions", {}).json["id"] == "300:0.NA/88.118.1"
            assert [value["index"] for value in client.ask("GET", "/api/handles/88.118.1").json["values"]][-1] == 301

        def stranger(client: Client) -> None:
            assert code_of(client.ask("PUT", PATH, VALUE)) == (401, 402)
            assert client.ask("GET", PATH).status == 200

        await using(node, use, tls=context)
        await using(node, stranger)


async def test_a_client_certificate_with_another_key_proves_nobody(database_dsn, tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = client_certificate(tmp_path, "300:0.NA/88.118.1", key)
    context = any_certificate()
    context.load_cert_chain(path)
    async with lab(database_dsn, tmp_path, client_ca=str(path)) as node:

        def use(client: Client) -> None:
            assert code_of(client.ask("PUT", PATH, VALUE)) == (403, 403)

        await using(node, use, tls=context)
