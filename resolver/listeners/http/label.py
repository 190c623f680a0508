"""One label, for whoever sees the page of an identifier: made beside the event loop, in a small share of its core.

Labels are pure arithmetic, so that whoever asks for many of them could take the time of those who resolve: after each
one the next waits several times as long as it took.
"""

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Final

from aiohttp import web

from registry.errors import InvalidHandle, ProtocolFault, ServerBusy
from registry.labels.job import MEDIA_TYPES, ONE, file_name
from registry.labels.label import check_base, label_of, symbology_of
from registry.labels.symbol import Symbology
from registry.routes import Parameter, Route, percent_decode
from registry.waiting import turn
from resolver.listeners.http.responses import BASE_HEADERS

MAX_WAITING: Final = 16  # Labels asked for at one time; at a millisecond each they wait for a tenth of a second.
PATIENCE: Final = 5.0  # Seconds for one's turn; a label that is drawn as a page takes some hundred milliseconds.
REST: Final = 4.0  # Times what a label took until the next is begun: labels have a fifth of a core at most.
A_DAY: Final = "public, max-age=86400"  # What an address gives never changes, unless the program that draws it does.


class Labels:
    """Serves one label at a time."""

    def __init__(self) -> None:
        self._waiting = 0
        self._turn = asyncio.Semaphore(1)

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        """Raises ProtocolFault, InvalidHandle and ServerBusy."""
        form = request.query.get("form", "svg")
        if form not in MEDIA_TYPES:
            known = ", ".join(MEDIA_TYPES)
            raise ProtocolFault("http.parameter", name="form", value=form[:40], rule=f"is none of {known}")
        symbology = symbology_of(request.query.get("symbol", Symbology.QR.value))
        base = check_base(request.query.get("base") or f"{request.scheme}://{request.host}")
        try:
            identifier = percent_decode(placeholders["handle"]).decode()
        except UnicodeDecodeError:
            raise InvalidHandle("handle.not_utf8") from None
        octets, name = await self._made(identifier, symbology, base, form)
        headers = {
            **BASE_HEADERS,
            "Content-Type": MEDIA_TYPES[form],
            "Content-Disposition": f'inline; filename="{name}"',
            "Content-Security-Policy": "default-src 'none'",
            "Cache-Control": A_DAY,
        }
        return web.Response(body=octets, headers=headers)

    async def _made(self, identifier: str, symbology: Symbology, base: str, form: str) -> tuple[bytes, str]:
        if self._waiting >= MAX_WAITING:
            raise ServerBusy("server.queue")
        self._waiting += 1
        try:
            await turn(self._turn, PATIENCE)
        finally:
            self._waiting -= 1
        begun = monotonic()
        try:
            return await asyncio.to_thread(_make, identifier, symbology, base, form)
        finally:
            asyncio.get_running_loop().call_later((monotonic() - begun) * REST, self._turn.release)

    def route(self) -> Route:
        forms, symbols = ", ".join(MEDIA_TYPES.values()), [one.value for one in Symbology]
        parameters = (
            Parameter("symbol", "The symbology.", "码制。", {"type": "string", "enum": symbols}),
            Parameter("form", "The form of the label.", "标签格式。", {"type": "string", "enum": list(MEDIA_TYPES)}),
            Parameter(
                "base",
                "Address that stands before the identifier in a QR code; that of this node.",
                "二维码中标识之前的网址，默认为本节点地址。",
            ),
        )
        return Route(
            *("GET", "/api/label/{handle}", self.show, "label"),
            *("A label to print: QR, Data Matrix or GS1-128.", "打印标签：QR、Data Matrix 或 GS1-128。"),
            parameters,
            responses={200: forms} | dict.fromkeys((400, 503), "application/json"),
        )


def _make(identifier: str, symbology: Symbology, base: str, form: str) -> tuple[bytes, str]:
    label = label_of(identifier, symbology, base)
    return ONE[form](label), file_name(label, form).encode("ascii", "replace").decode().replace("?", "_")
