"""What people see of a node, in a real browser: on a phone and on a desk, in Chinese and in English."""

import asyncio
from contextlib import asynccontextmanager

import pypdfium2
import pytest

from registry.value import HandleValue
from tests.browser.chromium import fits, visitor
from tests.resolver.http.lab import lab

pytestmark = [pytest.mark.judge, pytest.mark.timeout(600)]

ELSEWHERE = "https://trace.example.com/P.1"
SCRIPT = '<script>alert(1)</script><img src=https://evil.example/x onerror="alert(2)">'


def values(**texts):
    return tuple(HandleValue(place, kind, text.encode()) for place, (kind, text) in enumerate(texts.items(), 1))


WORDS = {
    "zh": ("包含", "净重", "575.761 kg", "数据最新"),
    "en": ("What it holds", "eight", "575.761 kg", "Up to date"),
}
CAKES = [f"88.118.1/C.POY111-48.20250618.A12S{number:02}-0421" for number in range(1, 49)]
HANDLES = {
    "88.118.1/P.20250618.000318": values(
        URL=ELSEWHERE,
        PRODUCT="涤纶预取向丝 POY",
        BATCH="88.118.1/L.POY111-48.P25061",
        MEMBERS="\n".join(CAKES),
        NET_WEIGHT_KG="575.761",
        MADE_AT="2025-06-18T20:21:00+08:00",
    ),
    CAKES[0]: values(PRODUCT="涤纶预取向丝 POY", BATCH="88.118.1/L.POY111-48.P25061", NET_WEIGHT_G="11953"),
    "88.118.1/L.POY111-48.P25061": values(PRODUCT="涤纶预取向丝 POY", MACHINE="88.118.1/E.WINDER.A12"),
    "88.118.1/E.WINDER.A12": values(PRODUCT="高速卷绕机"),
    "88.118.1/HOSTILE": values(PRODUCT=SCRIPT, DESC=SCRIPT, URL="javascript:alert(3)", BATCH=f"88.118.1/{SCRIPT}"),
    "88.118.1/LONG": values(PRODUCT="x" * 100, DESC="y" * 3000, REMARK="长" * 500, BATCH="88.118.1/" + "Z" * 300),
}


@asynccontextmanager
async def node(dsn, directory):
    async with lab(dsn, directory, HANDLES, similar_names=("88.118.1",)) as running:
        yield running.port


@pytest.mark.parametrize("size", ["phone", "desktop"])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_one_walks_along_the_chain_without_any_script(database_dsn, tmp_path, size, language):
    async with (
        node(database_dsn, tmp_path) as port,
        visitor(port, size, language, programs=False) as somebody,
    ):
        page = await somebody.open("/88.118.1/P.20250618.000318?noredirect")
        text = await page.inner_text("main")
        assert all(word in text for word in WORDS[language])
        assert await page.locator(".many a").count() == 48
        members, about = [await page.locator(f".{card}").bounding_box() for card in ("down", "about")]
        # Of 48 links none stands between a person with a phone and who registered it.
        assert about["y"] < members["y"] if size == "phone" else about["x"] > members["x"]
        assert await fits(page)
        await somebody.picture(page, "pallet")
        await page.locator(".many a").first.click()
        assert "11,953" in await page.inner_text("main")
        await page.get_by_role("link", name="L.POY111-48.P25061").first.click()
        await page.get_by_role("link", name="E.WINDER.A12").first.click()
        assert await page.inner_text("h1") == "高速卷绕机"
        await page.locator("a.other").click()
        assert await page.get_attribute("html", "lang") == ("en" if language == "zh" else "zh")
        assert await fits(page)


async def test_what_a_stranger_registered_is_text(database_dsn, tmp_path):
    async with node(database_dsn, tmp_path) as port, visitor(port, "phone", "en") as somebody:
        page = await somebody.open("/88.118.1/HOSTILE?noredirect")
        assert await page.inner_text("h1") == SCRIPT
        assert await page.locator("a[href^=javascript]").count() == 0
        page = await somebody.open("/88.118.1/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
        assert "<script>" in await page.inner_text("main")


@pytest.mark.parametrize("size", ["phone", "desktop"])
async def test_long_texts_stay_on_the_page(database_dsn, tmp_path, size):
    async with node(database_dsn, tmp_path) as port, visitor(port, size) as somebody:
        page = await somebody.open("/88.118.1/LONG?noredirect")
        assert await fits(page)
        await page.locator("summary").click()
        assert await fits(page)
        await somebody.picture(page, "long")


@pytest.mark.parametrize(("size", "language"), [("phone", "zh"), ("desktop", "en")])
async def test_a_name_that_is_not_registered_says_which_part_failed(database_dsn, tmp_path, size, language):
    async with node(database_dsn, tmp_path) as port, visitor(port, size, language) as somebody:
        page = await somebody.open("/88.118.1/C.POY111-48.20250618.A12S01-0422")
        assert await page.locator(".parts .good").count() == await page.locator(".parts .bad").count() == 1
        await somebody.picture(page, "missing")
        await page.locator(".links a").first.click()
        assert "11,953" in await page.inner_text("main")
        page = await somebody.open("/99.1/X")
        assert await page.locator(".parts .bad").count() == 1
        await somebody.picture(page, "foreign")


@pytest.mark.parametrize("programs", [True, False])
async def test_one_types_and_goes_on_to_the_page_or_the_address(database_dsn, tmp_path, programs):
    async with (
        node(database_dsn, tmp_path) as port,
        visitor(port, "phone", programs=programs) as somebody,
    ):
        somebody.answers[ELSEWHERE] = "the page of the enterprise"
        page = await somebody.open("/")
        assert await page.locator("#camera").is_visible() == programs
        await somebody.picture(page, f"start-{'with' if programs else 'without'}-script")
        await page.fill("#handle", " hdl:88.118.1/P.20250618.000318 ")
        await page.press("#handle", "Enter")
        await page.wait_for_url("**/88.118.1/P.20250618.000318?noredirect&lang=zh")
        page = await somebody.open("/?lang=en")
        await page.fill("#handle", f"{somebody.origin}/88.118.1/P.20250618.000318")
        await page.get_by_role("button", name="Go to its web page").click()
        await page.wait_for_url(ELSEWHERE)


async def test_a_page_is_fit_for_paper(database_dsn, tmp_path):
    async with node(database_dsn, tmp_path) as port, visitor(port) as somebody:
        page = await somebody.open("/88.118.1/P.20250618.000318?noredirect")
        await page.emulate_media(media="print")
        assert not await page.locator("form").first.is_visible()
        assert await page.locator("figure img").is_visible()
        await somebody.picture(page, "paper")
        sheet = await page.pdf(format="A4")
        document = await asyncio.to_thread(pypdfium2.PdfDocument, sheet)
        text = "".join(leaf.get_textpage().get_text_range() for leaf in document)
        pages = len(document)
        document.close()
        assert pages == 1
        assert "575.761" in text
        assert "A12S48-0421" in text.replace("\ufffe", "-")
