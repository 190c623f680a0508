"""A job of labels over HTTP: up to ten thousand, sent while they are made.

It is served here and not where identifiers are resolved, so that a packing hall that prints its shift's labels takes
no core from those who scan them. Every identifier is read before the first octet is sent: a job is done or refused.
"""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

import msgspec
from aiohttp import web

from registry import asked
from registry.bodies import body_of
from registry.callers import Callers
from registry.errors import HandleError, ProtocolFault, ServerBusy
from registry.labels.job import MAX_LABELS, MEDIA_TYPES, many, media_type_of_many
from registry.labels.label import Label, check_base, label_of, symbology_of
from registry.labels.symbol import Symbology
from registry.routes import Route

MAX_JOB: Final = 4 << 20  # Octets of a request: ten thousand identifiers of four hundred each.
MAX_JOBS: Final = 2  # At once: each keeps a core busy for some seconds.
AT_ONCE: Final = 100  # Labels made between two looks at the event loop.
PIECE: Final = 1 << 16  # Octets sent at a time.
SILENCE: Final = 60.0  # Seconds without taking an octet after which a client is given up: it holds one of few places.


class LabelJob(msgspec.Struct):
    """What is asked for."""

    identifiers: list[str]
    symbol: str = "qr"
    form: str = "pdf"
    base: str = ""


class LabelHandlers:
    """Handlers of /api/labels."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._jobs = 0

    async def make(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        await self._callers.administrator(request)
        if self._jobs >= MAX_JOBS:
            raise ServerBusy("server.queue")
        self._jobs += 1
        try:
            job = await body_of(request, LabelJob, MAX_JOB)
            symbology, base = _checked(job)
            labels = await _labels(job.identifiers, symbology, base)
            return await _send(request, labels, job.form)
        finally:
            self._jobs -= 1

    def route(self) -> Route:
        problems = dict.fromkeys((400, 401, 403, 413, 503), "application/problem+json")
        forms = ("application/pdf", "application/zpl", "application/zip")
        return Route(
            *("POST", "/api/labels", self.make, "makeLabels"),
            "Labels of up to 10,000 identifiers: a PDF sheet, ZPL for a printer, or an archive of SVG or PNG.",
            "批量生成标签（至多 10,000 个）：PDF 排版、ZPL 打印文件，或 SVG、PNG 压缩包。",
            request={"application/json": LabelJob},
            responses=problems | {200: ", ".join(forms)},
            authenticated=True,
            on_terms=False,  # It reads.
        )


def _checked(job: LabelJob) -> tuple[Symbology, str]:
    """Raises ProtocolFault."""
    if job.form not in MEDIA_TYPES:
        raise asked.fault("form", job.form, f"is none of {', '.join(MEDIA_TYPES)}")
    if not 1 <= len(job.identifiers) <= MAX_LABELS:
        raise ProtocolFault("label.count", count=len(job.identifiers), limit=MAX_LABELS)
    return symbology_of(job.symbol), check_base(job.base)


async def _labels(identifiers: list[str], symbology: Symbology, base: str) -> list[Label]:
    """Raises InvalidHandle for the first that has no label, with its place."""
    labels: list[Label] = []
    while len(labels) < len(identifiers):
        some = identifiers[len(labels) : len(labels) + AT_ONCE]
        labels += await asyncio.to_thread(_made, some, len(labels), symbology, base)
    return labels


def _made(identifiers: list[str], before: int, symbology: Symbology, base: str) -> list[Label]:
    labels = []
    for place, identifier in enumerate(identifiers, before + 1):
        try:
            labels.append(label_of(identifier, symbology, base))
        except HandleError as refused:
            raise ProtocolFault("label.refused", place=place, reason=str(refused)) from None
    return labels


async def _send(request: web.Request, labels: list[Label], form: str) -> web.StreamResponse:
    headers = {
        "Content-Type": media_type_of_many(form),
        "Content-Disposition": f'attachment; filename="labels.{"zip" if form in ("svg", "png") else form}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    pieces = many(labels, form)
    while piece := await asyncio.to_thread(_some, pieces):
        async with asyncio.timeout(SILENCE):
            await response.write(piece)
    await response.write_eof()
    return response


def _some(pieces: Iterator[bytes]) -> bytes:
    """The next pieces, of as many octets as are sent at a time and so many labels at most; nothing at the end."""
    some, octets = [], 0
    for piece in islice(pieces, AT_ONCE):
        some.append(piece)
        octets += len(piece)
        if octets >= PIECE:
            break
    return b"".join(some)
