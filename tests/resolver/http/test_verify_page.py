"""The page that verifies: its program held to the same statements as the library, by another maker's WebCrypto."""

import asyncio
import base64
import hashlib
import json
import re
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.did import node_document
from registry.jose import ANSWER, BUNDLE, PublishedKey, public_octets, sign, thumbprint
from resolver.listeners.http.pages.verify import PROGRAM
from tests.resolver.http.lab import Client, lab

KEY = Ed25519PrivateKey.generate()
OURS = PublishedKey(thumbprint(public_octets(KEY)), public_octets(KEY))
NOW = 1_790_000_000
BODY = '{"responseCode":1,"handle":"88.1/涤纶","values":[]}'.encode()
# One line of standard input is one case: document and signature, as base64 and text; one line of output its outcome.
DRIVER = """
const lines = require("node:readline").createInterface({ input: process.stdin });
(async () => {
  for await (const line of lines) {
    const { octets, signature, did, now } = JSON.parse(line);
    try {
      const { header } = await verified(new Uint8Array(Buffer.from(octets, "base64")), signature, did, now);
      console.log("good " + header.typ);
    } catch (error) {
      console.log(error.message);
    }
  }
})();
"""


def outcomes(cases, document):
    """What the page's program says of each."""
    node = shutil.which("node")
    lines = "".join(
        json.dumps({"octets": base64.b64encode(octets).decode(), "signature": signature, "did": document, "now": NOW})
        + "\n"
        for octets, signature in cases
    )
    done = subprocess.run(
        [node, "-e", PROGRAM + DRIVER], input=lines, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def made(kind=ANSWER, payload=BODY, key=KEY, **header):
    return sign(key, OURS.key_id, kind, payload, {"iat": NOW - 10, **header})


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_the_page_refuses_what_the_library_refuses():
    document = node_document("did:web:id.fibre.test", [OURS])
    good = made()
    cases = {
        "good filament-answer": (good.to_json(), ""),
        "good filament-bundle": (made(BUNDLE, exp=NOW + 1).to_json(), ""),
        "expired": (made(BUNDLE, exp=NOW).to_json(), ""),
        "altered": (made(key=Ed25519PrivateKey.generate()).to_json(), ""),
        "form": (b"{}", ""),
    }
    assert outcomes(cases.values(), document) == list(cases)
    altered = []
    for place in range(len(BODY)):
        octets = bytearray(BODY)
        octets[place] ^= 1
        altered.append((bytes(octets), good.detached))
    assert outcomes([(BODY, good.detached), *altered], document) == ["good filament-answer", *["altered"] * len(BODY)]
    text = good.to_json()
    damaged = [(text[:place] + bytes((text[place] ^ 1,)) + text[place + 1 :], "") for place in range(len(text))]
    assert not [outcome for outcome in outcomes(damaged, document) if outcome.startswith("good")]
    others = [(made(kind).to_json(), "") for kind in ("JWT", None)] + [(made(alg="none").to_json(), "")]
    assert outcomes(others, document) == ["form"] * 3
    assert outcomes([(good.to_json(), "")], document | {"assertionMethod": []}) == ["key"]
    retired = json.loads(json.dumps(document))
    retired["verificationMethod"][0]["revoked"] = "2020-01-01T00:00:00Z"
    assert outcomes([(good.to_json(), "")], retired) == ["retired"]


async def test_the_page_needs_nothing_but_itself(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path) as node:
        client = Client(node.port)
        for language, word in (("en", "Was this said"), ("zh", "验证应答签名")):
            page = await asyncio.to_thread(client.ask, "GET", f"/verify?lang={language}")
            assert page.status == 200
            text = page.body.decode()
            assert word in text
            (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
            allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            policy = page.headers["Content-Security-Policy"]
            assert f"script-src 'sha256-{allowed}'" in policy
            assert "connect-src" not in policy
            assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)
            (keys,) = re.findall(r'id="keys">(.*?)</script>', text, re.DOTALL)
            assert node.signer.published.key_id in json.loads(keys)["assertionMethod"][0]
        client.close()
