"""Scanning on the start page in a real browser: photos, a camera whose film is made here, a scanner that types."""

import asyncio
import base64
import io
from contextlib import asynccontextmanager

import pytest
from PIL import Image

from registry.labels.drawing import png
from registry.labels.label import label_of
from registry.labels.symbol import Symbology
from registry.value import HandleValue
from tests.browser.chromium import visitor
from tests.resolver.http.lab import lab

pytestmark = [pytest.mark.judge, pytest.mark.timeout(600)]

NAME = "88.118.1/C.POY111-48.20250618.A12S07-0421"
KEY = "(01)06901234567892(10)AB25"
HANDLES = {NAME: (HandleValue(1, "PRODUCT", b"POY"),)}
FILM = (640, 480)
SHOWN = "**/88.118.1/C.POY111-48.20250618.A12S07-0421?noredirect&lang=*"


@asynccontextmanager
async def node(dsn, directory):
    async with lab(dsn, directory, HANDLES) as running:
        yield running.port


def photo(identifier, symbology, base=""):
    """A label on a table, a little askew."""
    label = Image.open(io.BytesIO(png(label_of(identifier, symbology, base)))).convert("L")
    table = Image.new("L", (label.width + 400, label.height + 400), 90)
    table.paste(label.resize((label.width, label.height)), (200, 200))
    turned = table.rotate(4, expand=True, fillcolor=90)
    out = io.BytesIO()
    turned.save(out, "JPEG", quality=80)
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def film(path, identifier, symbology):
    """Three equal frames as YUV4MPEG2, which the browser plays over and over."""
    label = Image.open(io.BytesIO(png(label_of(identifier, symbology, "https://id.example.cn")))).convert("L")
    frame = Image.new("L", FILM, 200)
    frame.paste(label, ((FILM[0] - label.width) // 2, (FILM[1] - label.height) // 2))
    grey = b"\x80" * (FILM[0] * FILM[1] // 2)
    head = f"YUV4MPEG2 W{FILM[0]} H{FILM[1]} F10:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(head + (b"FRAME\n" + frame.tobytes() + grey) * 3)


@pytest.mark.parametrize("size", ["phone", "desktop"])
async def test_photos_of_labels_are_read_on_the_device(database_dsn, tmp_path, size):
    async with node(database_dsn, tmp_path) as port, visitor(port, size) as somebody:
        for symbology, base in ((Symbology.QR, "https://id.example.cn"), (Symbology.DATAMATRIX, "")):
            page = await somebody.open("/")
            await page.set_input_files("#picture", photo(NAME, symbology, base))
            await page.wait_for_url(SHOWN)
        page = await somebody.open("/")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        await page.set_input_files("#picture", photo(KEY, Symbology.GS1_128))
        await page.wait_for_url("**/*06901234567892*")
        assert any("handle=%5DC10106901234567892" in url for url in asked)
        page = await somebody.open("/")
        blank = io.BytesIO()
        Image.new("L", (300, 300), 255).save(blank, "PNG")
        await page.set_input_files("#picture", {"name": "x.png", "mimeType": "image/png", "buffer": blank.getvalue()})
        await page.get_by_text("未识别到条码").wait_for()
        await page.set_input_files("#picture", {"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
        await page.get_by_text("未识别到条码").wait_for()


@pytest.mark.parametrize("symbology", [Symbology.QR, Symbology.DATAMATRIX])
async def test_the_camera_reads_what_is_held_before_it(database_dsn, tmp_path, symbology):
    path = tmp_path / "film.y4m"
    await asyncio.to_thread(film, path, NAME, symbology)
    arguments = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                 f"--use-file-for-fake-video-capture={path}")  # fmt: skip
    async with node(database_dsn, tmp_path) as port, visitor(port, "phone", arguments=arguments) as somebody:
        page = await somebody.open("/")
        await page.locator("#camera").click()
        await page.wait_for_url(SHOWN)


async def test_a_camera_that_is_not_allowed_is_said_to_be(database_dsn, tmp_path):
    arguments = ("--use-fake-device-for-media-stream",)
    async with node(database_dsn, tmp_path) as port, visitor(port, "phone", "en", arguments=arguments) as somebody:
        page = await somebody.open("/")
        await page.locator("#camera").click()
        await page.get_by_text("The camera was not allowed").wait_for()


async def test_a_scanner_that_types_works_wherever_the_focus_is(database_dsn, tmp_path):
    async with node(database_dsn, tmp_path) as port, visitor(port) as somebody:
        page = await somebody.open("/")
        await page.locator("h1").click()
        await page.keyboard.type(NAME, delay=1)
        await page.keyboard.press("Enter")
        await page.wait_for_url(SHOWN)
        page = await somebody.open("/")
        await page.keyboard.type("]C110AB25", delay=1)
        await page.keyboard.press("Control+]")
        await page.keyboard.type("0106901234567892", delay=1)
        assert await page.input_value("#handle") == "]C110AB25\x1d0106901234567892"


async def test_the_reader_of_the_browser_is_used_where_it_knows_every_symbol(database_dsn, tmp_path):
    own = "window.BarcodeDetector = class { static async getSupportedFormats() { return FORMATS }\n" \
          "  async detect() { return [{rawValue: '" + NAME + "'}] } }"  # fmt: skip
    async with node(database_dsn, tmp_path) as port, visitor(port) as somebody:
        for formats, expected in ((["qr_code", "data_matrix", "code_128"], False), (["qr_code"], True)):
            page = await somebody.context.new_page()
            fetched = []
            page.on("request", lambda request, into=fetched: into.append(request.url))
            await page.add_init_script(own.replace("FORMATS", str(formats)))
            await page.goto(f"{somebody.origin}/")
            await page.set_input_files("#picture", photo(NAME, Symbology.DATAMATRIX))
            await page.wait_for_url(SHOWN)
            assert any("zxing" in url for url in fetched) == expected


def test_the_picture_of_a_label_is_small_enough_for_a_page():
    octets = png(label_of(NAME, Symbology.QR, "https://id.example.cn"))
    assert len(base64.b64encode(octets)) < 2_000
