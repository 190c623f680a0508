"""The programs of the start page, served by this node so that it asks no other host for anything.

The name of each holds a sum of its octets, so that browsers may keep it for ever and never run an old one.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from aiohttp import web

from registry.routes import Route
from resolver.listeners.http.responses import BASE_HEADERS

DIRECTORY: Final = Path(__file__).parents[2] / "static"
A_YEAR: Final = "public, max-age=31536000, immutable"
SUM: Final = 12  # Digits of a sum in a name: 48 bits tell the versions of one file apart.


@dataclass(frozen=True)
class StaticFile:
    """A file of the package, read and compressed when it is first needed."""

    file: str
    content_type: str

    @cached_property
    def path(self) -> str:
        stem, _, ending = self.file.rpartition(".")
        return f"/static/{stem}-{hashlib.sha256(self._octets).hexdigest()[:SUM]}.{ending}"

    @cached_property
    def _octets(self) -> bytes:
        return (DIRECTORY / self.file).read_bytes()

    @cached_property
    def _compressed(self) -> bytes:
        return gzip.compress(self._octets, mtime=0)

    async def serve(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        headers = {
            **BASE_HEADERS,
            "Content-Type": self.content_type,
            "Cache-Control": A_YEAR,
            "Vary": "Accept-Encoding",
        }
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=self._octets, headers=headers)
        compressed = await asyncio.to_thread(lambda: self._compressed)  # The first time it takes 0.1 s of a core.
        return web.Response(body=compressed, headers=headers | {"Content-Encoding": "gzip"})


PROGRAM: Final = StaticFile("scan.js", "text/javascript; charset=utf-8")
READER: Final = StaticFile("zxing-reader-3.1.3.js", "text/javascript; charset=utf-8")
READER_CODE: Final = StaticFile("zxing-reader-3.1.3.wasm", "application/wasm")
FILES: Final = (PROGRAM, READER, READER_CODE)


def routes() -> tuple[Route, ...]:
    """Programs are no part of the interface that is described."""
    return tuple(
        Route(
            *("GET", each.path, each.serve, f"static{number}", "A program of the pages.", "页面程序。"),
            responses={200: each.content_type.partition(";")[0]},
            documented=False,
        )
        for number, each in enumerate(FILES)
    )
