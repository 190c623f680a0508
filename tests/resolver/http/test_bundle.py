"""Many answers in one signed document, verified where nobody can be asked."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from registry.jose import BUNDLE, MEDIA_TYPE, NotVerified, Signed
from registry.value import HandleValue
from resolver.client.statements import keys_of, read_answer, read_bundle, read_document
from resolver.listeners.http import bundle
from resolver.listeners.http.signatures import SIGNATURE
from tests.resolver.http.lab import PREFIX, URL, Client, basic, lab
from tests.resolver.test_cli import filament

HIDDEN = HandleValue(2, "COST", b"12.50", permissions=0b1100)
CAKES = [f"{PREFIX}/CAKE.{number:02}" for number in range(48)]
GONE = f"{PREFIX}/NONE"


@pytest.fixture
async def node(database_dsn, tmp_path):
    handles = dict.fromkeys(CAKES, (URL, HIDDEN)) | {f"{PREFIX}/LONG": (HandleValue(1, "DESC", b"x" * 250_000),)}
    async with lab(database_dsn, tmp_path / "data", handles, plain_authentication=True) as node:
        yield node


async def ask(node, method, path, body=None, **headers):
    client = Client(node.port)
    try:
        return await asyncio.to_thread(client.ask, method, path, body, headers)
    finally:
        client.close()


async def test_a_pallet_is_verified_without_a_network_until_it_expires(node):
    answer = await ask(node, "POST", "/api/bundle?hours=2", [*CAKES, GONE, "10.5/A"])
    assert (answer.status, answer.headers["Content-Type"]) == (200, MEDIA_TYPE)
    keys = keys_of((await ask(node, "GET", "/.well-known/did.json")).body)
    now = time.time()
    for given in (keys, None):
        statement = read_bundle(answer.body, now, given)
        assert [one["handle"] for one in statement.body["results"]] == [*CAKES, GONE, "10.5/A"]
        assert statement.body["counts"] == {"found": 48, "notFound": 1, "refused": 1, "busy": 0}
        assert 7190 < statement.expires.timestamp() - now < 7210
    single = await ask(node, "GET", f"/api/handles/{CAKES[0]}")
    assert statement.body["results"][0] == single.json
    with pytest.raises(NotVerified) as refused:
        read_bundle(answer.body, now + 7300, keys)
    assert refused.value.rule == "signed.expired"


async def test_what_only_some_may_read_is_in_a_bundle_for_those_only(node):
    for path, headers, told in (
        ("/api/bundle", {}, False),
        ("/api/bundle?as=public", basic(), False),
        ("/api/bundle", basic(), True),
    ):
        answer = await ask(node, "POST", path, CAKES, **headers)
        assert (b"12.50" in Signed.from_json(answer.body).payload) == told, (path, headers)
        assert json.loads(Signed.from_json(answer.body).payload)["counts"]["found"] == 48


async def test_a_bundle_with_one_altered_octet_or_other_keys_is_refused(node):
    document = (await ask(node, "POST", "/api/bundle", CAKES[:2])).body
    form = json.loads(document)
    for member in form:
        for place in (0, len(form[member]) // 2, len(form[member]) - 1):
            text = form[member]
            other = "A" if text[place] != "A" else "B"
            altered = json.dumps(form | {member: text[:place] + other + text[place + 1 :]}).encode()
            with pytest.raises(NotVerified):
                read_bundle(altered, time.time())
    with pytest.raises(NotVerified) as refused:
        read_bundle(document, time.time(), {})
    assert refused.value.rule == "signed.key"


async def test_an_answer_is_no_bundle_and_a_bundle_no_answer(node):
    keys = keys_of((await ask(node, "GET", "/.well-known/did.json")).body)
    made = (await ask(node, "POST", "/api/bundle", CAKES[:1])).body
    answer = (await ask(node, "GET", f"/api/handles/{CAKES[0]}?sign=jws")).body
    for document, kind in ((made, "filament-answer"), (answer, BUNDLE)):
        with pytest.raises(NotVerified) as refused:
            read_document(document, kind, keys, time.time())
        assert refused.value.rule == "signed.kind"


async def test_too_many_names_too_long_answers_and_wrong_hours_are_refused(node, monkeypatch):
    assert (await ask(node, "POST", "/api/bundle", ["a/b"] * (bundle.MAX_HANDLES + 1))).status == 400
    assert (await ask(node, "POST", "/api/bundle", [f"{PREFIX}/LONG"] * 70)).status == 413
    for hours in ("0", "721", "x"):
        assert (await ask(node, "POST", f"/api/bundle?hours={hours}", CAKES[:1])).status == 400
    assert (await ask(node, "POST", "/api/bundle", [])).status == 200


async def test_the_command_line_makes_verifies_and_shows_a_bundle(node, tmp_path: Path):
    file, did = tmp_path / "pallet.json", tmp_path / "did.json"
    url = f"http://127.0.0.1:{node.port}"

    def run(*line, code=0, stdin=""):
        return asyncio.to_thread(filament, *line, code=code, stdin=stdin)

    made = await run("bundle", "make", "-", "--to", str(file), "--hours", "1", "--url", url, stdin="\n".join(CAKES))
    assert "48 answers" in made.stderr
    did.write_bytes((await ask(node, "GET", "/.well-known/did.json")).body)
    verified = await run("bundle", "verify", str(file), "--keys", str(did), "--output", "json")
    assert json.loads(verified.stdout)[0]["key"] == node.signer.published.key_id
    shown = await run("bundle", "show", str(file), CAKES[7], "--output", "json")
    assert [row["type"] for row in json.loads(shown.stdout)] == ["URL"]
    assert node.signer.published.key_id in shown.stderr  # It is the bundle's own word, and the reader is told so.
    missing = await run("bundle", "show", str(file), GONE, "--keys", str(did), "--lang", "zh", code=1)
    assert "不在离线包中" in missing.stderr
    file.write_bytes(file.read_bytes().replace(b'"payload":"e', b'"payload":"f'))
    broken = await run("bundle", "verify", str(file), "--keys", str(did), code=1)
    assert "the signature does not hold" in broken.stderr


async def test_the_command_line_verifies_an_answer_with_saved_keys_or_asks_for_them(node, tmp_path: Path):
    url = f"http://127.0.0.1:{node.port}"
    signed = await ask(node, "GET", f"/api/handles/{GONE}?sign=true")
    whole = await ask(node, "GET", f"/api/handles/{GONE}?sign=jws")
    answer, document, did = (tmp_path / name for name in ("answer.json", "answer.jws", "did.json"))
    answer.write_bytes(signed.body)
    document.write_bytes(whole.body)
    did.write_bytes((await ask(node, "GET", "/.well-known/did.json")).body)
    keys = keys_of(did.read_bytes())
    assert read_answer(signed.body, signed.headers[SIGNATURE], keys, time.time()).body["responseCode"] == 100
    beside = ("verify", str(answer), "--signature", signed.headers[SIGNATURE])
    for line in ((*beside, "--keys", str(did)), (*beside, "--url", url), ("verify", str(document), "--url", url)):
        done = await asyncio.to_thread(filament, *line, "--output", "json")
        assert json.loads(done.stdout)[0]["request"].startswith(f"/api/handles/{GONE}?sign=")
    answer.write_bytes(signed.body.replace(b"100", b"200"))
    await asyncio.to_thread(filament, *beside, "--keys", str(did), code=1)


async def test_the_command_line_rotates_the_key_and_lists_the_former_one(node, database_dsn, tmp_path: Path):
    line = ("--dsn", database_dsn, "--data-directory", str(tmp_path / "data"))
    former = node.signer.published.key_id
    await asyncio.to_thread(filament, "key", "rotate", *line)
    listed = await asyncio.to_thread(filament, "key", "list", "--output", "json", *line)
    keys = {row["key"]: row["retired_at"] for row in json.loads(listed.stdout)}
    assert len(keys) == 2 * len(node.signer.algorithms)
    assert keys[former]
    node.signer.sign(BUNDLE, b"")
    assert not keys[node.signer.published.key_id]
    none = await asyncio.to_thread(
        filament, "key", "rotate", "--dsn", database_dsn, "--data-directory", str(tmp_path), code=1
    )
    assert "no signing key" in none.stderr
