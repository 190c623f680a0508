"""What a page weighs and how soon a phone shows it; and how many labels a second a job makes.

`python -m bench.pages [--keep] [--quick]` opens pages of a node of its own in the system's Chromium, with nothing
kept, on the profile of a slow phone: 150 ms to the node and back, 1.6 Mbit/s, a processor four times slower than this
one. What is measured is the first paint that has content, as the browser reports it. Jobs of labels are asked of the
registry's interface over HTTP and counted from the request to the last octet. Node, registry, browser and Postgres
share the machine, so times are what they are at worst.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import aiohttp
import orjson
import uvloop

from bench.identifiers import records
from bench.lab import Lab, a_lab
from bench.surroundings import keep, surroundings

if TYPE_CHECKING:
    from playwright.async_api import Browser

REGISTERED: Final = 5_000
# "Slow 4G" of Lighthouse, and its processor.
PHONE: Final = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750}
SLOWER: Final = 4
VIEWPORT: Final = (390, 844)
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
LABELS: Final = 10_000
JOBS: Final = (("qr", "pdf"), ("qr", "zpl"), ("qr", "svg"), ("qr", "png"), ("datamatrix", "zpl"))
TIMEOUT: Final = 300.0  # Seconds; a job takes some ten on a busy machine.
VISIT: Final = 60.0  # Seconds of one visit: a page is painted in one, on a busy machine in some.
PAINTED: Final = "performance.getEntriesByName('first-contentful-paint').map(one => one.startTime)"

Figures = dict[str, Any]


def main() -> int:
    """Measures, prints a JSON line for each page and job, and keeps them when asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description="Measure pages and labels.")
    parser.add_argument("--rounds", type=int, default=7, help="visits of each page (default: %(default)s)")
    parser.add_argument("--labels", type=int, default=LABELS, help="of each job (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="two visits, and jobs of 200 labels")
    parser.add_argument("--keep", action="store_true", help="write the figures into bench/results")
    asked = parser.parse_args()
    if asked.quick:
        asked.rounds, asked.labels = 2, 200
    figures = {"program": "pages", **surroundings(), **uvloop.run(_measure(asked.rounds, asked.labels))}
    if asked.keep:
        print(keep("pages", figures), file=sys.stderr)
    return 0


async def _measure(rounds: int, labels: int) -> Figures:
    async with a_lab(REGISTERED, similar_names='["88.168."]') as lab:
        pages = await _pages(lab.node.port, rounds)
        jobs = [await _job(lab, symbol, form, labels) for symbol, form in JOBS]
    return {"phone": {**PHONE, "processor_slower_by": SLOWER}, "pages": pages, "labels": jobs}


def paths() -> dict[str, str]:
    """The pages that are opened, by what they are."""
    first = [record.handle for record in records(REGISTERED)]
    pallet = next(handle for handle in first if "/P." in handle)
    return {
        "start": "/",
        "pallet": f"/{quote(pallet)}?noredirect",
        "cake": f"/{quote(next(handle for handle in first if '/C.' in handle))}?noredirect",
        "missing": f"/{quote(pallet)}9?noredirect",
    }


async def _pages(port: int, rounds: int) -> list[Figures]:
    figures = []
    async with _a_browser() as browser:
        if browser is None:
            return []
        for name, path in paths().items():
            visits = [await _visit(browser, f"http://127.0.0.1:{port}{path}") for _ in range(rounds)]
            paints = [paint for paint, _, _ in visits]
            one = {
                "page": name,
                "octets": visits[0][1],
                "requests": visits[0][2],
                "first_paint_ms": round(statistics.median(paints)),
                "first_paint_ms_spread": [round(min(paints)), round(max(paints))],
            }
            print(orjson.dumps(one).decode(), flush=True)
            figures.append(one)
    return figures


async def _visit(browser: "Browser", url: str) -> tuple[float, int, int]:
    """Milliseconds to the first paint with content, octets over the wire, and requests, of one visit with an empty
    cache."""
    width, height = VIEWPORT
    context = await browser.new_context(
        viewport={"width": width, "height": height}, is_mobile=True, device_scale_factor=2, locale="zh-CN"
    )
    page = await context.new_page()
    tools = await context.new_cdp_session(page)
    octets: list[int] = []
    tools.on("Network.loadingFinished", lambda event: octets.append(int(event["encodedDataLength"])))
    await tools.send("Network.enable")
    await tools.send("Network.emulateNetworkConditions", dict(PHONE))
    await tools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    async with asyncio.timeout(VISIT):
        await page.goto(url, wait_until="load")
        while not (painted := await page.evaluate(PAINTED)):  # noqa: ASYNC110  # the browser tells us no event
            await asyncio.sleep(0.05)
    await context.close()
    return float(painted[0]), sum(octets), len(octets)


@asynccontextmanager
async def _a_browser() -> "AsyncIterator[Browser | None]":
    """The system's Chromium; None, and why, where it or what drives it is absent."""
    executable = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        executable = None
    if executable is None:
        print("pages are not measured: there is no Chromium, or no playwright", file=sys.stderr)
        yield None
        return
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


async def _job(lab: Lab, symbol: str, form: str, labels: int) -> Figures:
    identity, _, key = lab.authorization.partition(": ")
    job = {
        "identifiers": [f"88.168.10/C.POY111-48.20250618.A12S07-{number:05}" for number in range(labels)],
        "symbol": symbol,
        "form": form,
        "base": "https://id.example.cn",
    }
    headers = {identity: key.strip(), "Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    begun = perf_counter()
    octets = 0
    async with aiohttp.ClientSession(timeout=timeout) as client:
        address = f"http://127.0.0.1:{lab.registry_port}/api/labels"
        async with client.post(address, data=orjson.dumps(job), headers=headers) as answer:
            answer.raise_for_status()
            async for piece in answer.content.iter_any():
                octets += len(piece)
    seconds = perf_counter() - begun
    figures = {
        "symbol": symbol,
        "form": form,
        "labels": labels,
        "seconds": round(seconds, 3),
        "labels_per_second": round(labels / seconds),
        "octets_a_label": round(octets / labels),
    }
    print(orjson.dumps(figures).decode(), flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())
