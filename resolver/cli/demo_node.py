"""What the demo does: enterprises and identifiers into the book, a node on it, and a pallet followed to its machine."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import click

from bench import codes
from bench.enterprises import ENTERPRISES, SECONDARY_NODE
from bench.forms import ndjson_blocks
from bench.identifiers import SEED, Record, records
from bench.vocabulary import BATCH, MACHINE, MEMBERS, ROLL
from registry.bulk import load
from registry.enterprise import add_enterprise, list_enterprises
from registry.issuers import grant, list_issuers
from registry.language import text
from registry.search import declare
from registry.store import Store
from resolver.cli.catalogues import MESSAGES
from resolver.cli.client import Node, handle_path
from resolver.cli.invocation import Failed, Invocation
from resolver.cli.options import in_url, local_url
from resolver.cli.progress import Progress
from resolver.cli.supervision import supervise
from resolver.logs import set_up
from resolver.preparation import bring_schema_up_to_date
from resolver.settings import Settings
from resolver.supervisor import Supervisor

OPERATOR: Final = "filament demo"  # Who a handle's history names.
CREDENTIALS: Final = "credentials.json"
FIRST_RECORDS: Final = 1000  # Among them is a pallet, with all that it links to before it.
# What was spun of a batch, made on a machine, sewn of a roll; and what something is packed in.
SEARCHABLE: Final = (BATCH, MACHINE, ROLL, MEMBERS)
LINKS: Final = ("MEMBERS", "BATCH", "SPINDLE", "MACHINE")  # From a pallet down to what made it.
STEPS: Final = 5
SHOWN: Final = 4  # Values in a line about a handle.


async def run_demo(invocation: Invocation, settings: Settings, count: int, *, stay: bool) -> None:
    """Runs until a signal comes, or until the first answers unless it is to stay."""
    set_up(settings.status)
    demo = _Demo(invocation, count)
    invocation.say("demo.directory", directory=settings.registry.data_directory)
    supervisor = Supervisor(settings, prepare=demo.prepare)
    showing = asyncio.create_task(_show_when_ready(demo, supervisor, stay=stay))
    try:
        ours = settings.resolver
        ports = (ours.port, ours.native_port, settings.registry.port, settings.status.port)
        await supervise(invocation, supervisor, dict.fromkeys(ports, "--port-base"), announce=False)
    finally:
        showing.cancel()
        await asyncio.wait({showing})
    if not showing.cancelled():
        showing.result()


async def _show_when_ready(demo: "_Demo", supervisor: Supervisor, *, stay: bool) -> None:
    await supervisor.ready.wait()
    try:
        await demo.show(supervisor.settings, stay=stay)
        if stay:
            await supervisor.stop.wait()
    finally:
        supervisor.stop.set()


class _Demo:
    def __init__(self, invocation: Invocation, count: int) -> None:
        self._invocation = invocation
        self._count = count
        self._began = self._step_began = time.monotonic()

    async def prepare(self, settings: Settings, *, post: bool = True) -> None:
        """The schema, the enterprises and the identifiers, as far as they are not there yet."""
        self._invocation.say("demo.postgres", seconds=self._lap())
        await bring_schema_up_to_date(settings)
        store = Store(settings.registry, "demo")
        await store.open()
        try:
            await self._add_enterprises(store, Path(settings.registry.data_directory, CREDENTIALS))
            await self._load(store)
            await self._add_codes(store)
        finally:
            await store.close()
        self._lap()

    async def show(self, settings: Settings, *, stay: bool) -> None:
        say = self._invocation.say
        say("demo.started", seconds=self._lap())
        url = local_url(settings)
        handles = [handle async for handle in self._follow(Node(url))]
        say("demo.open")
        status = settings.status
        for rule, address in (
            ("demo.page", f"{url}/{quote(handles[0])}?noredirect"),
            ("demo.answer", url + handle_path(handles[0])),
            ("demo.documentation", f"{url}/docs"),
            ("demo.status", f"http://{in_url(status.listen)}:{status.port}/readyz"),
        ):
            click.echo(f"  {address}  ({text(MESSAGES, rule, self._invocation.language)})")
        if codes.PALLET in handles:
            say("demo.codes", codes="\n".join(f"  {writing}" for writing in codes.WRITINGS))
        say("demo.credentials", path=Path(settings.registry.data_directory, CREDENTIALS))
        if stay:
            say("demo.stay", seconds=time.monotonic() - self._began)

    def _lap(self) -> float:
        began, self._step_began = self._step_began, time.monotonic()
        return self._step_began - began

    async def _add_enterprises(self, store: Store, file: Path) -> None:
        known = {each.prefix for each in await list_enterprises(store)}
        credentials = _read_private(file)
        for each in ENTERPRISES:
            if each.prefix in known:
                continue
            granted = await add_enterprise(store, each.name_zh, each.name_en, each.industry, each.prefix, by=OPERATOR)
            credentials[each.prefix] = {
                "name": each.name_zh,
                "identity": granted.identity,
                "secret_key": granted.secret_key,
            }
            _write_private(file, credentials)  # after each: a key that is not written down is lost
            prefix = store.prefixes.find(each.prefix.encode())
            assert prefix is not None
            for _, value_type in SEARCHABLE:
                await declare(store, prefix, value_type)
        self._invocation.say("demo.enterprises", count=len(ENTERPRISES), prefix=SECONDARY_NODE)

    async def _load(self, store: Store) -> None:
        ours = {each.prefix for each in ENTERPRISES}
        there = sum(each.handles for each in await list_enterprises(store) if each.prefix in ours)
        if there >= self._count:
            self._invocation.say("demo.kept", count=there)
            return
        name = f"demo-{SEED}-{self._count}"
        language = self._invocation.language
        label = text(MESSAGES, "load.progress", language, source=text(MESSAGES, "demo.identifiers", language))
        with Progress(label, self._count) as progress:
            report = await load(
                store,
                _lines(records(self._count)),
                "ndjson",
                source=name,
                load_key=name,
                loaded_by=OPERATOR,
                progress=lambda report: progress.reach(report.lines),
            )
        if report.refused:
            raise Failed("demo.refused", count=report.refused)
        rate = report.lines / report.seconds
        self._invocation.say("demo.loaded", count=report.lines, seconds=report.seconds, rate=rate)

    async def _add_codes(self, store: Store) -> None:
        """Codes of other systems for what is there: the first pallet and what is on it."""
        if _first_handle(self._count) != codes.PALLET:
            return
        granted = {(each.system, each.start) for each in await list_issuers(store)}
        for system, start, prefix in codes.GRANTS:
            if (system, start) not in granted:
                await grant(store, system, start, prefix, by=OPERATOR)
        name = f"demo-codes-{SEED}"
        report = await load(store, _lines(codes.records()), "ndjson", source=name, load_key=name, loaded_by=OPERATOR)
        if report.refused:
            raise Failed("demo.refused", count=report.refused)

    async def _follow(self, node: Node) -> AsyncIterator[str]:
        """Resolves a pallet and then one link after the other, as a buyer with a scanner would."""
        handle: str | None = _first_handle(self._count)
        for _ in range(STEPS):
            if handle is None:
                return
            answer = await asyncio.to_thread(node.ask, handle_path(handle))
            if answer.code != 1:
                raise Failed("demo.check_failed", handle=handle, code=answer.code)
            values = [(value["type"], value["data"]["value"]) for value in answer.body["values"]]
            self._invocation.say("demo.resolved", handle=handle)
            told = [f"{kind}={data}" for kind, data in values if "\n" not in data and kind not in ("URL", *LINKS)]
            click.echo("  " + "  ".join(told[:SHOWN]))
            yield handle
            handle = _link(dict(values))


def _first_handle(count: int) -> str:
    first = list(islice(records(count), FIRST_RECORDS))
    pallets = (record for record in first if "/P." in record.handle)
    return next(pallets, first[-1]).handle


def _link(values: dict[str, str]) -> str | None:
    return next((values[kind].splitlines()[0] for kind in LINKS if values.get(kind)), None)


async def _lines(given: Iterator[Record]) -> AsyncIterator[bytes]:
    blocks: Iterator[tuple[int, bytes]] = ndjson_blocks(given)
    while (block := await asyncio.to_thread(next, blocks, None)) is not None:
        yield block[1]


def _read_private(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text("utf-8"))) if file.exists() else {}


def _write_private(file: Path, content: dict[str, Any]) -> None:
    """Whole or not at all, and only for its owner."""
    fresh = file.with_name(f".{file.name}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump(content, out, ensure_ascii=False, indent=2)
    fresh.replace(file)
