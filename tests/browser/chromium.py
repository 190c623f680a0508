"""A real Chromium from Debian, that reaches the node under test and nothing else.

Whatever a page asks of another host is refused, kept, and fails the test. FILAMENT_SCREENSHOTS names a directory for
pictures of what was seen.
"""

import asyncio
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Page, Route, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PACKAGES = ("chromium", "fonts-noto-cjk")  # Without a font of theirs, Chinese letters are boxes on screenshots.
INSTALLING = 400.0  # Seconds, with a cold mirror.
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}
SCREENSHOTS = os.environ.get("FILAMENT_SCREENSHOTS")


@cache
def executable() -> str:
    """Chromium, installed where it may be; skips the test where it may not."""
    with (Path(tempfile.gettempdir()) / "filament-chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Tests run in several processes.
        if found := _found():
            return found
        if os.geteuid() == 0 and shutil.which("apt-get"):
            _install()
        if found := _found():
            return found
    pytest.skip("there is no Chromium here, and it cannot be installed")


def _found() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def _install() -> None:
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (install, ["apt-get", "update", "-q"], install):
        done = subprocess.run(command, capture_output=True, timeout=INSTALLING, env=environment, check=False)
        if done.returncode == 0 and command is install:
            return


@dataclass
class Visitor:
    """Somebody with a browser. `answers` are addresses elsewhere that a test lets him reach, with what they say."""

    context: BrowserContext
    origin: str
    size: str
    language: str
    answers: dict[str, str] = field(default_factory=dict)
    strayed: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> Page:
        page = await self.context.new_page()
        page.set_default_timeout(60_000)  # Two cores, a node, a Postgres and a browser.
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        page.on("console", lambda said: self.complaints.append(said.text) if _is_complaint(said.text) else None)
        await page.goto(self.origin + path)
        return page

    async def picture(self, page: Page, name: str) -> None:
        if SCREENSHOTS:
            file = Path(SCREENSHOTS, f"{name}-{self.size}-{self.language}.png")
            await page.screenshot(path=file, full_page=True)

    async def guard(self, route: Route) -> None:
        url = route.request.url
        if url in self.answers:
            await route.fulfill(body=self.answers[url], content_type="text/html")
        elif url.startswith((f"{self.origin}/", "data:", "blob:")):
            await route.continue_()
        else:
            self.strayed.append(url)
            await route.abort()


def _is_complaint(text: str) -> bool:
    """Of what the browser says to developers, what the page should not have done: not that a name is unknown (404)."""
    return "Content Security Policy" in text or "Refused" in text


@asynccontextmanager
async def visitor(
    port: int, size: str = "desktop", language: str = "zh", *, arguments: Sequence[str] = (), programs: bool = True
) -> AsyncIterator[Visitor]:
    """A fresh browser on a loopback port. At its end it must have asked nobody else, and had nothing to complain of."""
    path = await asyncio.to_thread(executable)
    width, height = SIZES[size]
    phone = size == "phone"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", NOWHERE, *arguments], timeout=60_000
        )
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=2 if phone else 1,
            is_mobile=phone,
            has_touch=phone,
            locale={"zh": "zh-CN", "en": "en-GB"}[language],
            java_script_enabled=programs,
        )
        somebody = Visitor(context, f"http://127.0.0.1:{port}", size, language)
        await context.route("**/*", somebody.guard)
        try:
            yield somebody
            assert not somebody.strayed
            assert not somebody.complaints
        finally:
            await context.close()
            await browser.close()


async def fits(page: Page) -> bool:
    """Whether nothing has to be moved sideways to be read."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
