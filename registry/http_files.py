"""Files over HTTP: the forms that loads and jobs have, a body as it comes, and a file sent piece by piece."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import IO, Final

from aiohttp import web

from registry.chunks import Form
from registry.errors import ProtocolFault

SILENCE: Final = 60  # Seconds without an octet after which a sender is given up: he holds one of the few places.
PIECE: Final = 1 << 16  # Octets of a file sent at a time.

MEDIA_TYPES: Final[Mapping[str, Form]] = {
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
MEDIA_TYPE_OF: Final[Mapping[str, str]] = {
    form: media_type for media_type, form in MEDIA_TYPES.items() if media_type != "application/jsonl"
}


def form_of(request: web.Request) -> Form:
    """Raises ProtocolFault."""
    form = MEDIA_TYPES.get(request.content_type)
    if form is None:
        raise ProtocolFault("http.media_type", media_type=request.content_type)
    return form


async def pieces(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises ProtocolFault when it stops coming."""
    while True:
        try:
            async with asyncio.timeout(SILENCE):
                piece = await request.content.readany()
        except TimeoutError:
            raise ProtocolFault("http.too_slow", seconds=SILENCE) from None
        if not piece:
            return
        yield piece


async def send(request: web.Request, written: IO[bytes], form: str, name: str) -> web.StreamResponse:
    """A file that was just written, as an attachment of this name."""
    headers = {
        "Content-Type": MEDIA_TYPE_OF[form],
        "Content-Disposition": f'attachment; filename="{name}.{form}"',
        "Cache-Control": "no-store",
        "Vary": "Accept-Language",
    }
    response = web.StreamResponse(headers=headers)
    response.content_length = written.tell()
    await response.prepare(request)
    if request.method != "HEAD":
        written.seek(0)
        while piece := written.read(PIECE):
            await response.write(piece)
    await response.write_eof()
    return response
