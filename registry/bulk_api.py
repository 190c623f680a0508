"""Bulk loads over HTTP: a load runs inside the request that brings it, and its answer says what became of every row.

Broken off, it is sent again with the same Idempotency-Key and goes on where it ended.
"""

import logging
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import msgspec
import orjson
from aiohttp import web

from registry import http_files, ledger
from registry.bulk import chunks_of, load
from registry.bulk_rights import may_write
from registry.callers import Callers
from registry.chunks import Form
from registry.documentation import language_of
from registry.errors import HandleNotFound, ProtocolFault, ServerBusy
from registry.receipts import KEPT
from registry.refusals import RefusedRow, refused_rows, write_refusals
from registry.rights import Rights
from registry.store import Store

log = logging.getLogger(__name__)

MAX_LOADS: Final = 2  # At once: each keeps a core and a connection busy, and more of them are not faster.
SHOWN_REFUSALS: Final = 100  # In an answer; all of them are at its `refused_url`.
MAX_KEY: Final = 200  # Characters of an Idempotency-Key and of a source.


class RefusedForm(msgspec.Struct):
    """A refused row: line, column or path, rule, sentence."""

    line: int
    field: str
    rule: str
    message: str
    culprit: dict[str, Any]


class ReportForm(msgspec.Struct):
    """What a load did. `seconds` is null while it has not ended."""

    batch: int
    form: str
    source: str
    finished: bool
    seconds: float | None
    lines: int
    created: int
    updated: int
    unchanged: int
    refused: int
    refused_url: str | None
    refusals: list[RefusedForm]


class BulkHandlers:
    """Handlers of /api/bulk."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights
        self._loads = 0

    async def load(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, "bulk")
        form = http_files.form_of(request)
        key = request.headers.get("Idempotency-Key", "")[:MAX_KEY] or str(uuid4())
        load_key, octets = f"{by} {key}", http_files.pieces(request)
        with self._place():
            try:
                report = await load(
                    self._store,
                    octets,
                    form,
                    source=request.query.get("source", "")[:MAX_KEY] or request.path,
                    load_key=load_key,
                    loaded_by=str(by),
                    may_write=may_write(self._rights, by),
                    once_since=datetime.now(UTC) - KEPT if "Idempotency-Key" in request.headers else None,
                )
            except ledger.LoadedBefore as before:
                await _check_same(self._store, octets, form, before.batch)
                return await self._report(request, before.batch.batch_id)
        return await self._report(request, report.batch_id)

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        return await self._report(request, await self._batch(request, placeholders))

    async def show_refused(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        batch_id = await self._batch(request, placeholders)
        form = (await self._header(batch_id)).form
        with tempfile.TemporaryFile() as written:
            await write_refusals(self._store, batch_id, written, language_of(request))
            return await http_files.send(request, written, form, f"load-{batch_id}.refused")

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the places for loads. Raises ServerBusy when none is free."""
        if self._loads >= MAX_LOADS:
            raise ServerBusy("server.queue")
        self._loads += 1
        try:
            yield
        finally:
            self._loads -= 1

    async def _batch(self, request: web.Request, placeholders: Mapping[str, str]) -> int:
        """The number of a load that the caller may see: his own, or any for an administrator of the node."""
        by = await self._callers.administrator(request, "bulk")
        number = placeholders["batch"]
        if number.isascii() and number.isdecimal() and len(number) < 10:
            header = await self._header(int(number))
            if header.loaded_by == str(by) or self._rights.is_of_node(by):
                return int(number)
        raise HandleNotFound("load.not_found", batch=number[:20])

    async def _header(self, batch_id: int) -> ledger.Header:
        async with self._store.connection() as connection:
            header = await ledger.header(connection, batch_id)
        if header is None:
            raise HandleNotFound("load.not_found", batch=batch_id)
        return header

    async def _report(self, request: web.Request, batch_id: int) -> web.Response:
        header = await self._header(batch_id)
        tally = header.tally
        form = ReportForm(
            batch_id,
            header.form,
            header.source,
            header.seconds is not None,
            header.seconds,
            tally.lines,
            tally.created,
            tally.updated,
            tally.unchanged,
            tally.refused,
            f"/api/bulk/{batch_id}/refused" if tally.refused else None,
            await self._first_refusals(request, batch_id),
        )
        headers = {"Cache-Control": "no-store", "Vary": "Accept-Language"}
        return web.Response(body=orjson.dumps(form, default=msgspec.to_builtins), headers=headers,
                            content_type="application/json")  # fmt: skip

    async def _first_refusals(self, request: web.Request, batch_id: int) -> list[RefusedForm]:
        language = language_of(request)
        rows: list[RefusedRow] = await anext(refused_rows(self._store, batch_id), [])
        return [msgspec.convert(row.to_json(language), RefusedForm) for row in rows[:SHOWN_REFUSALS]]


async def _check_same(store: Store, octets: AsyncIterator[bytes], form: Form, batch: ledger.Batch) -> None:
    """Raises ProtocolFault when a load was made of another file."""
    digests = [chunk.digest async for chunk in chunks_of(store, octets, form)]
    if digests != [digest for digest, _ in batch.chunks.values()]:
        raise ProtocolFault("write.key_reused")
