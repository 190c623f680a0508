"""The page that verifies signed answers, in a real browser: pasted and opened, without a network, and altered."""

import asyncio
import json

import pytest

from registry.value import HandleValue
from tests.browser.chromium import fits, visitor
from tests.resolver.http.lab import Client, lab

pytestmark = [pytest.mark.judge, pytest.mark.timeout(600)]

CAKE = "88.118.1/C.1"
HANDLES = {CAKE: (HandleValue(1, "PRODUCT", "涤纶预取向丝 POY".encode()),)}
HOLDS = {"zh": "签名有效", "en": "The signature holds"}
ALTERED = {"zh": "签名无效", "en": "does not hold"}


async def ask(port, method, path, body=None):
    client = Client(port)
    try:
        return await asyncio.to_thread(client.ask, method, path, body)
    finally:
        client.close()


async def verified(page):
    await page.click("#verify")
    said = page.locator("#said")
    await said.wait_for()
    return await said.inner_text()


@pytest.mark.parametrize(("size", "language"), [("phone", "zh"), ("desktop", "en")])
async def test_a_signed_answer_is_verified_without_a_network_and_an_altered_one_refused(
    database_dsn, tmp_path, size, language
):
    async with lab(database_dsn, tmp_path, HANDLES) as node, visitor(node.port, size, language) as somebody:
        whole = (await ask(node.port, "GET", f"/api/handles/{CAKE}?sign=jws")).body.decode()
        beside = await ask(node.port, "GET", "/api/handles/88.118.1/NONE?sign=true")
        page = await somebody.open(f"/verify?lang={language}")
        await somebody.context.set_offline(True)
        await page.fill("#statement", whole)
        assert HOLDS[language] in await verified(page)
        assert "涤纶预取向丝" in await page.inner_text("#shown pre")
        assert await page.inner_text("[data-fact=request]") == f"/api/handles/{CAKE}?sign=jws"
        assert await fits(page)
        await somebody.picture(page, "verified")
        form = json.loads(whole)
        form["payload"] = ("f" if form["payload"][0] == "e" else "e") + form["payload"][1:]
        await page.fill("#statement", json.dumps(form))
        assert ALTERED[language] in await verified(page)
        assert not await page.locator("#shown").is_visible()
        await somebody.picture(page, "altered")
        await page.fill("#statement", beside.body.decode())
        await page.fill("#signature", beside.headers["X-JWS-Signature"])
        assert HOLDS[language] in await verified(page)
        assert '"responseCode": 100' in await page.inner_text("#shown pre")
        await page.fill("#statement", beside.body.decode().replace("100", "200"))
        assert ALTERED[language] in await verified(page)


async def test_a_bundle_is_opened_from_a_file(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path / "data", HANDLES) as node, visitor(node.port, "phone", "zh") as somebody:
        made = await ask(node.port, "POST", "/api/bundle?hours=1", [CAKE, "88.118.1/NONE"])
        file = tmp_path / "pallet.json"
        file.write_bytes(made.body)
        page = await somebody.open("/verify")
        await page.set_input_files("#file", file)
        said = page.locator("#said")
        await said.wait_for()
        assert HOLDS["zh"] in await said.inner_text()
        assert "—" not in await page.inner_text("[data-fact=until]")
        assert await fits(page)
