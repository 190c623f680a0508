"""What the reference server answered over HTTP, asked of ours: the same statuses, headers and JSON, key by key."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from registry.value import HandleValue
from tests.resolver.http.lab import ADMINISTRATOR, SECRET, URL, Client, Reply, administrator_key, basic, lab

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "http.json").read_text(encoding="utf-8"))["vectors"]
HANDLES = {
    "88.118.1/工业 a+b": (HandleValue(1, "URL", "http://example.org/工业".encode()),),
    "TEST/A": (URL,),
    "0.NA/20.500.99999": (URL,),
    **{f"20.500.99999/ITEM{number:03}": (URL,) for number in range(120)},
}
# What the capture did between two exchanges that it kept.
BEFORE = {"delete.missing.404": ("DELETE", "/api/handles/88.118.1/HX")}

# Members whose text is another's to choose: the times and nonces of the day, the words of Java, our own site.
FREE = {"timestamp", "message", "sessionId", "nonce", "serverSignature", "n", "port", "address"}
# Where we differ from the reference server on purpose, and why.
DIFFERENCES = {
    "get.perm_authed": "four characters of permissions are read as they stand: the reference cannot clear admin read",
    "site": "our interfaces: HTTP and HTTPS on one port, and no native protocol yet",
    "sessions.get_collection_405": "Allow does not name TRACE, which we do not have, and a body says so",
    "put.mint_prefix": "the suffix that is made is another one every time",
}
# Lists that name what the reference names, and headers of ours.
MORE = {"Access-Control-Allow-Headers", "Access-Control-Expose-Headers"}


class Replay:
    """One client of the session that was captured; challenges are answered with our own nonces."""

    def __init__(self, port: int) -> None:
        self.clients = {"http": Client(port), "https": Client(port, tls=True)}
        self.sessions: dict[str, tuple[str, bytes]] = {}

    def ask(self, vector: Mapping[str, Any]) -> Reply:
        headers = dict(self._header(line) for line in vector["headers"])
        body = vector.get("body")
        if vector["id"] == "put.text_plain.400":
            headers["Content-Type"] = "text/plain"
        if isinstance(body, dict) and "sessionId" in body:
            body = self._answered(body)
        if isinstance(body, str):
            body, headers = body.encode(), headers | {"Content-Type": "application/json"}
        reply = self.clients[vector["transport"]].ask(vector["method"], vector["path"], body, headers)
        for captured, ours in zip(sessions_of(vector), sessions_of_reply(reply), strict=False):
            self.sessions[captured] = ours
        return reply

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def _header(self, line: str) -> tuple[str, str]:
        name, _, text = line.partition(": ")
        if text.startswith("Basic <"):
            return name, basic(ADMINISTRATOR, SECRET)["Authorization"]
        if text.startswith("Handle "):
            fields = self._answered(dict(re.findall(r'(\w+)="([^"]*)"', text)))
            return name, "Handle " + ", ".join(f'{key}="{value}"' for key, value in fields.items())
        return name, text

    def _answered(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The same answer to a challenge, for our session and our nonce."""
        session_id, nonce = self.sessions.get(fields["sessionId"], (fields["sessionId"], b""))
        fields = fields | {"sessionId": session_id}
        if "signature" in fields and base64.b64decode(fields["signature"]) != b"x" * 20:
            signature = prove(fields, nonce + base64.b64decode(fields["cnonce"]))
            fields["signature"] = base64.b64encode(signature).decode()
        return fields


def prove(fields: Mapping[str, Any], challenge: bytes) -> bytes:
    if fields["type"] == "HS_PUBKEY":
        return administrator_key().sign(challenge, padding.PKCS1v15(), hashes.SHA256())
    if fields["alg"] == "SHA1":
        return hashlib.sha1(SECRET + challenge + SECRET).digest()  # noqa: S324  # what the client sends
    salt = base64.b64decode(fields["salt"])
    key = hashlib.pbkdf2_hmac("sha1", SECRET, salt, fields["iterations"], fields["length"] // 8)
    return hmac.new(key, challenge, hashlib.sha1).digest()


def sessions_of(vector: Mapping[str, Any]) -> list[str]:
    return re.findall(r'sessionId"?[=:]"([^"]+)"', "\n".join([*vector["answer_headers"], vector["answer"]]))


def sessions_of_reply(reply: Reply) -> Iterator[tuple[str, bytes]]:
    text = "\n".join([*reply.headers.get_all("WWW-Authenticate", []), reply.body.decode()])
    for session_id, nonce in re.findall(r'sessionId"?[=:]"([^"]+)",\s*"?nonce"?[=:]"([^"]+)"', text):
        yield session_id, base64.b64decode(nonce)


def shape(value: Any) -> Any:
    """JSON as text, in its order of members, without what is free."""
    if isinstance(value, dict):
        return {key: "…" if key in FREE else shape(one) for key, one in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else value


def as_compared(vector_id: str, text: str) -> str:
    if vector_id == "get.callback":
        assert text.startswith("cb_x(")
        assert text.endswith(");")
        text = text[5:-2]
    if not text:
        return ""
    form = shape(json.loads(text))
    if vector_id == "get.perm_authed":
        form["values"][0]["permissions"] = "…"
    if vector_id == "site":
        form["site"]["servers"][0]["interfaces"] = form["site"]["servers"][0]["interfaces"][:0]
        form["site"]["attributes"][0]["value"] = "…"
    if vector_id == "put.mint_prefix":
        form["handle"] = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "<uuid>", form["handle"])
    return json.dumps(form, ensure_ascii=False)


def check(vector: Mapping[str, Any], reply: Reply) -> Iterator[str]:
    """What differs."""
    if reply.status != vector["status"]:
        yield f"status {reply.status} instead of {vector['status']}: {reply.body[:300]!r}"
    for line in vector["answer_headers"]:
        name, _, text = line.partition(": ")
        ours = reply.headers.get_all(name, [])
        wanted = re.sub(r'(sessionId|nonce)="[^"]*"', r'\1="…"', text)
        if name in MORE:
            if not {*wanted.split(",")} <= {*", ".join(ours).replace(", ", ",").split(",")}:
                yield f"header {line!r}, ours {ours}"
        elif name != "Allow" and wanted not in [re.sub(r'(sessionId|nonce)="[^"]*"', r'\1="…"', one) for one in ours]:
            yield f"header {line!r}, ours {ours}"
    if vector["method"] == "HEAD":
        if reply.body:
            yield "a body for HEAD"
        return
    if vector["id"] == "sessions.get_collection_405":
        return
    wanted, ours = as_compared(vector["id"], vector["answer"]), as_compared(vector["id"], reply.body.decode())
    if wanted != ours:
        yield f"body {ours} instead of {wanted}"


async def test_the_same_session_has_the_same_answers_as_on_the_reference_server(database_dsn: str, tmp_path: Path):
    faults: dict[str, list[str]] = {}

    def replay(port: int) -> None:
        client = Replay(port)
        try:
            for vector in VECTORS:
                if vector["id"] in BEFORE:
                    client.clients["https"].ask(*BEFORE[vector["id"]], headers=basic())
                found = list(check(vector, client.ask(vector)))
                if found:
                    faults[vector["id"]] = found
        finally:
            client.close()

    async with lab(database_dsn, tmp_path, HANDLES) as node:
        await asyncio.to_thread(replay, node.port)
    assert not faults, json.dumps(faults, ensure_ascii=False, indent=1)


def test_every_difference_by_design_is_one_of_a_captured_exchange():
    assert DIFFERENCES.keys() <= {vector["id"] for vector in VECTORS}
