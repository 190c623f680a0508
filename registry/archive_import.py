"""The lines of an archive that are no handles, taken in by a job in the order that they need.

Whatever order they stand in: ranges that were taken out, templates, prefix handles, ranges and what handles said before
come ahead of the handles, which are left to the load; then states, what was deleted, and the rules of suffixes. Each
kind is a pass over the file, and taking a line in twice does nothing the second time, so that a job that was broken off
begins them anew.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import msgspec

from registry import ledger
from registry.archive import goes_along
from registry.authentication import Administrator
from registry.bodies import form_of
from registry.bulk_rights import may_write
from registry.errors import (
    HandleAlreadyExists,
    HandleError,
    HandleNotFound,
    InvalidValue,
    PrefixNotHomed,
    ProtocolFault,
)
from registry.handle import NAMING_AUTHORITY, Handle
from registry.handle_range import MAX_MEMBERS, MAX_WIDTH
from registry.job_files import pieces
from registry.jobs import Order
from registry.ledger import Batch, Tally
from registry.minting import Minting
from registry.opening import ViewsForm, said, say
from registry.past_import import PastImport
from registry.past_lines import MAX_NAME, MAX_OCTETS, MAX_VERSIONS, PastLine, StandingForm, seconds_of
from registry.prefix import Prefix
from registry.ranges import NewRange, Ranges
from registry.refusal import MAX_ROW_TEXT, Refusal, storable
from registry.registration import Registration
from registry.rest import ValueForm, values_from_forms
from registry.rows import MAX_ROW
from registry.standing import Origin, Wish, stood
from registry.standing import State as HandleState
from registry.states import allowed_to, put
from registry.store import Store
from registry.suffixes import Minter, SuffixRule
from registry.template import Template, TemplateName
from registry.templates import Kept, State, Templates

BEFORE: Final = ("archive", "withdrawn", "template", "prefix", "range", "past")
BEHIND: Final = ("state", "deleted", "views", "rules", "minters", "end")
# A line of one of these kinds begins with it: every other line is a handle's, which need not be looked into for that.
BEGINNINGS: Final = {kind: f'{{"{kind}":'.encode() for kind in (*BEFORE, *BEHIND)}
EVERY: Final = tuple(BEGINNINGS.values())
LOOKED_AT: Final = 20_000  # Lines of a file that are looked at before others have the thread.
HELD: Final = 256  # Lines of a file held at once, each of at most MAX_ROW octets.
CHUNK_BEFORE, CHUNK_BEHIND = -3, -2  # Their places in the ledger, whose chunks count from 0.

Minted = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
TAKEN: Final = """
INSERT INTO minted (prefix_id, minter, scope, last) VALUES ($1, $2, $3, $4)
ON CONFLICT (prefix_id, minter, scope) DO UPDATE SET last = greatest(minted.last, excluded.last)
"""


class TemplateLine(msgspec.Struct):
    template: str
    state: str
    form: Template


class PrefixLine(msgspec.Struct):
    prefix: str
    values: list[ValueForm]


class RangeLine(msgspec.Struct):
    range: str
    members: Annotated[int, msgspec.Meta(ge=1, le=MAX_MEMBERS)]
    width: Annotated[int, msgspec.Meta(ge=1, le=MAX_WIDTH)]
    radix: int
    values: list[ValueForm]


class StateLine(msgspec.Struct):
    state: str
    standing: StandingForm


class NameLine(msgspec.Struct):
    """A handle that was deleted, or the first one of a range that was taken out."""

    deleted: str = ""
    withdrawn: str = ""


class ViewsLine(msgspec.Struct):
    views: str
    form: ViewsForm


class RulesLine(msgspec.Struct):
    rules: str
    form: list[SuffixRule]


class MintedForm(msgspec.Struct):
    minter: str
    scope: str
    last: Minted


class MintersLine(msgspec.Struct):
    minters: str
    form: list[Minter]
    minted: list[MintedForm] = []


@dataclass(slots=True)
class Outcome:
    """What became of some lines."""

    lines: int = 0
    changed: int = 0
    refusals: list[tuple[int, str, Refusal]] = field(default_factory=list)


class ArchiveImport:
    """Takes in what an archive holds beside handles, on behalf of whoever sent it."""

    def __init__(self, store: Store, registration: Registration, by: Administrator) -> None:
        self._store = store
        self._by = by
        self._rights = registration.rights
        self._ranges = Ranges(store, registration)
        self._registration = registration
        self._templates = Templates(store)
        self._minting = Minting(store)
        self._past = PastImport(store, by, of_node=registration.rights.is_of_node(by))
        self._versions: list[PastLine] = []  # Those of the handle whose lines are being read,
        self._versions_of = ""  # which is this one,
        self._octets = 0  # and the length of their lines.
        self._may_write = may_write(registration.rights, by)
        self._take: Mapping[str, Callable[[bytes], Awaitable[bool]]] = {
            "archive": _nothing,
            "withdrawn": self._withdraw,
            "template": self._template,
            "prefix": self._prefix_handle,
            "range": self._range,
            "past": self._version,
            "state": self._state,
            "deleted": self._delete,
            "views": self._views,
            "rules": self._rules,
            "minters": self._minters,
            "end": _nothing,
        }

    async def take_in(self, path: Path, kinds: Sequence[str], batch: Batch, chunk: int) -> None:
        """All lines of these kinds, kind by kind; what became of them is in the ledger."""
        outcome = Outcome()
        for kind in kinds:
            async for number, line in lines_of(path, BEGINNINGS[kind]):
                outcome.lines += 1
                try:
                    outcome.changed += await self._take[kind](line)
                except HandleError as error:
                    text = line[:MAX_ROW_TEXT].decode(errors="replace").rstrip("\n")
                    outcome.refusals.append((number, text, Refusal.of(0, f"$.{kind}", error)))
        tally = Tally(
            outcome.lines,
            0,
            outcome.changed,
            outcome.lines - outcome.changed - len(outcome.refusals),
            len(outcome.refusals),
        )
        async with self._store.connection() as connection, connection.transaction():
            await ledger.forget(connection, batch, chunk)
            await ledger.claim(connection, batch, chunk, kinds[0].encode())
            await ledger.settle(connection, batch, chunk, tally, sorted(outcome.refusals, key=lambda one: one[0]))

    async def _template(self, line: bytes) -> bool:
        form = form_of(line, TemplateLine)
        try:
            name = TemplateName.from_text(form.template)
        except ValueError as error:
            raise ProtocolFault("json.field", path="$.template", rule=str(error), value=form.template[:100]) from None
        prefix = await self._prefix(name.owner)
        there = await self._there(name)
        if there is None or there.state is State.DRAFT:
            if await self._templates.save(prefix, name.name, form.form, str(self._by)) != name.version:
                raise HandleAlreadyExists("template.state", template=form.template, state="missing before it")
        elif there.template != form.form:
            raise HandleAlreadyExists("template.state", template=form.template, state=there.state.name.lower())
        wanted = State[form.state.upper()] if form.state.upper() in State.__members__ else State.DRAFT
        for state in (State.PUBLISHED, State.DEPRECATED):
            if state <= wanted and (there is None or there.state < state):
                await self._templates.move(prefix, name.name, name.version, state, str(self._by))
        return there is None or there.state is not wanted

    async def _there(self, name: TemplateName) -> Kept | None:
        with suppress(HandleNotFound):
            return await self._templates.one(name)
        return None

    async def _prefix_handle(self, line: bytes) -> bool:
        """Who administers it and where it is stays as it is here."""
        form = form_of(line, PrefixLine)
        prefix, values = await self._prefix(form.prefix), values_from_forms(form.values)
        for place, value in enumerate(values):
            if not goes_along(value):
                fault = {"path": f"$.values[{place}].type", "rule": "is not taken from an archive"}
                raise ProtocolFault("json.field", **fault, value=value.type[:40])
        handle = Handle(NAMING_AUTHORITY, prefix.spelling)
        record = await self._store.fetch(self._store.key_of(handle.octets))
        if record is None:
            raise HandleNotFound("handle.not_found", handle=str(handle))
        stays = [value for value in record.values if not goes_along(value)]
        written = await self._registration.put_record(handle, (*stays, *values), self._by, version=record.version)
        return written.record.version != record.version

    async def _range(self, line: bytes) -> bool:
        form = form_of(line, RangeLine)
        first, values = Handle.from_text(form.range), values_from_forms(form.values)
        with suppress(HandleNotFound):
            there = await self._ranges.find(first, self._by)
            if (there.members, there.width, there.radix) == (form.members, form.width, form.radix):
                before = there.version
                return (await self._ranges.replace(first, values, self._by)).record.version != before
        await self._ranges.register(NewRange(first, form.members, form.width, form.radix, values), self._by)
        return True

    async def _version(self, line: bytes) -> bool:
        """Versions of a handle are taken in together, with the present one, which comes last."""
        form = form_of(line, PastLine)
        if form.past != self._versions_of:  # Of the one before it the present version may have been left out.
            self._versions_of, self._versions, self._octets = form.past, [], 0
        self._octets += len(line)
        if self._octets > MAX_OCTETS or len(self._versions) >= MAX_VERSIONS:
            self._octets, self._versions = MAX_OCTETS, []  # Nor is any of the rest taken in.
            raise InvalidValue("archive.past_long", handle=form.past[:MAX_NAME], limit=MAX_VERSIONS)
        self._versions.append(form)
        if form.registered is None:
            return False
        versions, self._versions, self._versions_of = self._versions, [], ""
        return await self._past.take(await self._prefix(form.past.partition("/")[0]), versions)

    async def _withdraw(self, line: bytes) -> bool:
        with suppress(HandleNotFound):
            await self._ranges.delete(Handle.from_text(form_of(line, NameLine).withdrawn), self._by)
            return True
        return False

    async def _delete(self, line: bytes) -> bool:
        with suppress(HandleNotFound):
            await self._registration.delete_record(Handle.from_text(form_of(line, NameLine).deleted), self._by)
            return True
        return False

    async def _state(self, line: bytes) -> bool:
        form = form_of(line, StateLine)
        standing = form.standing
        if standing.state.upper() not in HandleState.__members__:
            raise ProtocolFault("json.field", path="$.standing.state", rule="is no state", value=standing.state[:40])
        expires, since = (
            seconds_of("standing.expires", standing.expires),
            seconds_of("standing.since", standing.since),
        )
        if since is not None and since > datetime.now(UTC).timestamp():
            raise ProtocolFault("json.field", path="$.standing.since", rule="is to come", value=standing.since)
        wish = Wish(HandleState[standing.state.upper()], standing.reason, standing.successor, expires)
        origin = None if since is None else Origin(since, storable(standing.by) or str(self._by))
        allow, of_node = allowed_to(self._rights, self._by), self._rights.is_of_node(self._by)
        handle = Handle.from_text(form.state)
        key = self._store.key_of(handle.octets)
        there = (await self._store.fetch_packed([key])).get(key)
        if origin and there and there.standing == stood(wish, origin, of_node=of_node):
            return False
        await put(self._store, [handle], wish, by=str(self._by), of_node=of_node, allow=allow, origin=origin)
        return True

    async def _views(self, line: bytes) -> bool:
        form = form_of(line, ViewsLine)
        prefix = await self._prefix(form.views)
        if said(prefix) == form.form:
            return False
        await say(self._store, prefix, form.form, str(self._by))
        return True

    async def _rules(self, line: bytes) -> bool:
        form = form_of(line, RulesLine)
        prefix = await self._prefix(form.rules)
        if await self._minting.rules(prefix) == form.form:
            return False
        await self._minting.set_rules(prefix, form.form, str(self._by))
        return True

    async def _minters(self, line: bytes) -> bool:
        form = form_of(line, MintersLine)
        prefix = await self._prefix(form.minters)
        if await self._minting.minters(prefix) != form.form:
            await self._minting.set_minters(prefix, form.form, str(self._by))
        minted = [(prefix.prefix_id, one.minter, one.scope, one.last) for one in form.minted]
        async with self._store.connection() as connection:
            await connection.executemany(TAKEN, minted)
        return True

    async def _prefix(self, named: str) -> Prefix:
        """A prefix all of which the sender may write."""
        prefix = self._store.prefixes.find(self._store.key_of(f"{named}/".encode())[:-1])
        if prefix is None or not prefix.homed:
            raise PrefixNotHomed("prefix.not_homed")
        if await self._may_write(prefix) is not True:  # Of a code system, an issuer may write some only.
            raise ProtocolFault("load.may_not_write", identity=str(self._by), prefix=prefix.spelling)
        return prefix


async def kinds_in(path: Path) -> frozenset[str]:
    """Kinds of lines of a file that are no handles."""
    return frozenset([kind for kind, begins in BEGINNINGS.items() if await _any(path, begins)])


async def lines_of(path: Path, begins: bytes | tuple[bytes, ...]) -> AsyncGenerator[tuple[int, bytes], None]:
    """Lines that begin so, with their numbers."""
    with path.open("rb") as file:
        numbered = enumerate(iter(lambda: file.readline(MAX_ROW), b""), 1)
        more = True
        while more:
            found, more = await asyncio.to_thread(_some, numbered, begins)
            for pair in found:
                yield pair


async def handles_of(file: BinaryIO) -> AsyncIterator[bytes]:
    """The octets of a file with every line left blank that is no handle, so that lines keep their numbers."""
    lines = iter(lambda: file.readline(MAX_ROW), b"")
    while some := await asyncio.to_thread(lambda: list(islice(lines, HELD))):
        yield b"".join(b"\n" if line.startswith(EVERY) else line for line in some)


async def octets_of(order: Order, path: Path, file: BinaryIO) -> AsyncIterator[bytes]:
    """What the load of a job reads of its file."""
    return handles_of(file) if await is_archive(order, path) else pieces(file)


async def is_archive(order: Order, path: Path) -> bool:
    """Whether a job's file holds lines that are no handles."""
    return order.kind == "register" and order.form == "ndjson" and await _any(path, EVERY)


async def _any(path: Path, begins: bytes | tuple[bytes, ...]) -> bool:
    async with aclosing(lines_of(path, begins)) as found:
        async for _ in found:
            return True
    return False


def _some(
    numbered: Iterator[tuple[int, bytes]], begins: bytes | tuple[bytes, ...]
) -> tuple[list[tuple[int, bytes]], bool]:
    """Those that begin so of the next lines; and whether there are more. None of the others is held."""
    found, left = [], LOOKED_AT
    for number, line in islice(numbered, LOOKED_AT):
        left -= 1
        if line.startswith(begins):
            found.append((number, line))
    return found, not left


async def _nothing(_: bytes) -> bool:
    return False
