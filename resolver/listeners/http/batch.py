"""/api/resolve: many handles asked for in one request, and answered in their order, each with a code of its own.

What one handle is refused for says nothing of the others, so the answer as a whole is a success. It is sent while it
is made, a chunk at a time and no faster than the client reads, and so it never stands in memory as a whole.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web

from registry.database import DATABASE_AWAY
from registry.errors import HandleError, PrefixNotHomed, ProtocolFault, ResponseCode, ServerBusy
from registry.handle import HandleKey
from registry.language import Language, preferred
from registry.record import HandleRecord, public
from registry.value import HandleValue
from registry.views import AS, audience_from
from resolver.aliases import follow_many
from resolver.answer import NOT_RESPONSIBLE, Alias, Answer, Followed
from resolver.listeners.http.asking import ALLOWANCE, charge, charge_client
from resolver.listeners.http.authorization import LOOKING, Authorization
from resolver.listeners.http.batch_elsewhere import PassedOn
from resolver.listeners.http.batch_forms import LIST, Framing, accepted_framing, cut, framing_of, names_of
from resolver.listeners.http.batch_names import heads_of, joined, key_or_refusal, keys_of, prefixes_of
from resolver.listeners.http.body import read_body
from resolver.listeners.http.conditional import caching_headers, private_headers
from resolver.listeners.http.elsewhere import DO_NOT_REFER, form_of
from resolver.listeners.http.explanations import EXPLAIN, Explanations
from resolver.listeners.http.handles import NO_VALUES, values_body, whole_body
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.places import Places
from resolver.listeners.http.query import Query
from resolver.listeners.http.responses import BASE_HEADERS, json_response, open_to_scripts, refusal_form
from resolver.listeners.http.sight import Sight
from resolver.recursion import Elsewhere

log = logging.getLogger(__name__)

MAX_BODY: Final = 4 << 20  # Octets: 10,000 names of 400; the longest that people use have some 80.
MAX_REQUESTS: Final = 32  # Answered at a time, their bodies in memory: 128 MiB at most, and what their chunks hold.
BODY_SECONDS: Final = 10.0  # For a body: a slow sender holds one of the few places.
WRITE_SECONDS: Final = 30.0  # For a client to take a chunk; one that reads nothing holds a place too.
# Handles of a chunk: halved after one that was heavy, then doubled again. Most batches are one, since each is a write.
MIN_CHUNK: Final = 8
MAX_CHUNK: Final = 1024
MAX_SELECTED: Final = 64  # Handles of a chunk that are unpacked and rendered anew: the loop is held up for a while.
# What is joined and written at once: records of 256 KiB each, the longest there are, come one by one.
PIECE_OCTETS: Final = 1 << 20

_COUNTED: Final[Mapping[int, str]] = {
    ResponseCode.SUCCESS: "found",
    ResponseCode.HANDLE_NOT_FOUND: "notFound",
    ResponseCode.VALUES_NOT_FOUND: "notFound",
    ResponseCode.SERVER_BUSY: "busy",
}

_NOTHING: Final = len(NO_VALUES)  # The tail of an answer that shows values is longer.

Piece = tuple[bytes, bool]
Read = Callable[[HandleRecord, Iterable[HandleValue]], Awaitable[tuple[HandleValue, ...]]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which values are asked for, what of them `read` lets through where not only public ones are, from where the
    question comes, and in which language refusals are told."""

    indexes: frozenset[int]
    types: frozenset[str]
    only_public: bool
    authoritative: bool
    read: Read
    address: str
    language: Language
    ignores_aliases: bool = False
    passed_on: PassedOn | None = None  # Where names may be passed on to other nodes.

    @property
    def is_whole(self) -> bool:
        """Whether answers are the ones that stand ready."""
        return self.only_public and not self.indexes and not self.types


class _Asked:
    """The names of one chunk, and the handles that they are counted as; `plain` is what `joined` gave for these."""

    __slots__ = ("handles", "names", "plain", "were_read")

    def __init__(self, names: Sequence[str], plain: bytes | None) -> None:
        self.names = self.handles = names
        self.plain = plain
        self.were_read = False

    def count_as(self, read: Mapping[int, HandleKey | HandleError]) -> None:
        """Has names that were read counted as the handles that they are."""
        if not read:
            return
        handles = list(self.handles)
        for place, key in read.items():
            if not isinstance(key, HandleError):
                handles[place] = key.decode(errors="replace")
        self.handles, self.plain, self.were_read = handles, None, len(read) == len(handles)


class Batch:
    """Answers for many handles."""

    def __init__(self, parts: Parts, authorization: Authorization, explanations: Explanations) -> None:
        self._explanations = explanations
        self._resolver = parts.resolver
        self._names = parts.resolver.names
        self._key_of = self._names.plain
        self._registration = parts.registration
        self._authorization = authorization
        self._tally = parts.metrics.tally
        self._recursion = parts.recursion
        self._places = Places(MAX_REQUESTS)

    async def resolve(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        asked = framing_of(request)
        query = Query.from_request(request)
        with self._places.one():
            names = names_of(await read_body(request, MAX_BODY, BODY_SECONDS), asked)
            if query.flag(EXPLAIN, False):
                return await self._explain(request, names, query)
            self._charge(request, names)
            selection = await self._selection(request, query)
            response = web.StreamResponse(headers=self._headers(selection))
            framing = accepted_framing(request, asked)
            response.headers["Content-Type"] = framing.content_type
            if "Origin" in request.headers:
                open_to_scripts(request, response)
            await self._send(request, response, self._pieces(names, selection, framing))
            return response

    def _charge(self, request: web.Request, names: Sequence[str]) -> None:
        """Counts every name as if it had been asked for alone. Raises TooManyRequests."""
        if ALLOWANCE not in request:
            return
        charge_client(request, len(names) - 1)
        charge(request, {self._key_of(prefix.encode()): times for prefix, times in prefixes_of(names, None).items()})

    async def _explain(self, request: web.Request, names: Sequence[str], query: Query) -> web.StreamResponse:
        if len(names) != 1:
            raise ProtocolFault("http.parameter", name=EXPLAIN, value="true", rule="is for one handle at a time")
        _, form = await self._explanations.explain(request, names[0].encode(), query)
        counts = {"found": 0, "notFound": 0, "refused": 0, "busy": 0}
        code = form["responseCode"]
        counts["found" if code == ResponseCode.SUCCESS else _COUNTED.get(code, "refused")] += 1
        return json_response(
            request, {"responseCode": 1, "results": [form], "counts": counts}, headers=private_headers()
        )

    async def answers(self, request: web.Request, names: Sequence[str], most: int, sight: Sight) -> bytes:
        """What is seen of many handles, as one JSON document of at most so many octets. Raises ServerBusy when
        one of them cannot be read just now, and ProtocolFault for what is too long."""
        self._charge(request, names)
        language = preferred(request.headers.get("Accept-Language"))
        address = request.remote or ""
        selection = Selection(frozenset(), frozenset(), sight.is_public, False, sight.of, address, language)
        gathered = bytearray()
        async with aclosing(self._pieces(names, selection, LIST)) as pieces:
            async for piece, _ in pieces:
                gathered += piece
                if len(gathered) > most:
                    raise ProtocolFault("batch.too_long", limit=most)
                await asyncio.sleep(0)
        counts = orjson.loads(gathered[gathered.rindex(b'"counts":') + len(b'"counts":') : -1])
        if counts["busy"]:
            raise ServerBusy("server.busy")
        return bytes(gathered)

    async def _selection(self, request: web.Request, query: Query) -> Selection:
        indexes, types = frozenset(query.numbers("index")), frozenset(query.every("type"))
        by, audience = await self._authorization.administrator(request, *LOOKING), audience_from(query.first(AS))

        async def read(record: HandleRecord, values: Iterable[HandleValue]) -> tuple[HandleValue, ...]:
            return await self._registration.readable(record, by, values, audience)

        only_public, address = query.flag("publicOnly", by is None and audience is None), request.remote or ""
        is_passed_on = not query.flag(DO_NOT_REFER, False) and only_public
        recursion = self._recursion if self._recursion is not None and self._recursion.is_on else None
        return Selection(
            indexes,
            types,
            only_public=only_public,
            authoritative=query.flag("auth", False),
            ignores_aliases=query.flag("ignore_aliases", False),
            read=read,
            address=address,
            language=preferred(request.headers.get("Accept-Language")),
            passed_on=PassedOn(recursion, address) if recursion is not None and is_passed_on else None,
        )

    def _headers(self, selection: Selection) -> dict[str, str]:
        anew = selection.authoritative
        staleness = self._resolver.staleness_anew if anew else self._resolver.staleness
        vary = {"Vary": "Authorization, Origin, Accept, Accept-Language", "Content-Language": selection.language}
        return {**BASE_HEADERS, **caching_headers(0, "", staleness), **private_headers(), **vary}

    async def _send(
        self, request: web.Request, response: web.StreamResponse, pieces: AsyncGenerator[Piece, None]
    ) -> None:
        """Sends an answer. From its head on nothing may be raised: it is broken off, and the client sees that it is."""
        await response.prepare(request)
        try:
            async with aclosing(pieces):
                async for piece, is_last in pieces:
                    async with asyncio.timeout(WRITE_SECONDS):
                        # The head goes out with the first piece, and with the last one the end.
                        await (response.write_eof(piece) if is_last else response.write(piece))
                    await asyncio.sleep(0)  # A client that reads fast leaves the others a turn.
        except (TimeoutError, ConnectionError) as error:
            log.debug("an answer was not read to its end: %r", error)
            _break_off(request)
        except Exception:
            log.exception("an answer for many handles met a fault of ours")
            _break_off(request)

    async def _pieces(
        self, names: Sequence[str], selection: Selection, framing: Framing
    ) -> AsyncGenerator[Piece, None]:
        """An answer in pieces, and of each whether it is the last."""
        counts = {"found": 0, "notFound": 0, "refused": 0, "busy": 0}
        most = MAX_CHUNK if selection.is_whole else MAX_SELECTED
        begin, size = 0, most
        is_last = False
        while not is_last:
            parts = await self._results(names[begin : begin + size], selection, framing, counts)
            if begin == 0:
                parts[:1] = framing.open(*parts[:1])
            begin += size
            is_last = begin >= len(names)
            if is_last:
                parts.append(framing.close(counts, empty=not names))
            *pieces, last = cut(parts, PIECE_OCTETS)
            for piece in pieces:
                yield b"".join(piece), False
            yield b"".join(last), is_last
            size = max(MIN_CHUNK, size // 2) if pieces else min(size * 2, most)

    async def _results(
        self, names: Sequence[str], selection: Selection, framing: Framing, counts: dict[str, int]
    ) -> list[bytes]:
        """★ Two parts of each name's result, `between` in front of it, and how many of each kind added to `counts`."""
        plain = joined(names) if names else None
        asked = _Asked(names, plain)
        outcomes = await self._outcomes(asked, selection)
        if selection.is_whole:
            tails = [outcome.tail if isinstance(outcome, Answer) else b"" for outcome in outcomes]
            others = [place for place, tail in enumerate(tails) if len(tail) <= _NOTHING]
            if others and await self._look_again(asked, outcomes, others, selection):
                for place in others:
                    # The body of what was followed says more than its tail.
                    outcome = outcomes[place]
                    tails[place] = b"" if isinstance(outcome, HandleError | Followed) else outcome.tail
                others = [place for place in others if len(tails[place]) <= _NOTHING]
            heads = heads_of(names, plain, framing.between)
        else:
            tails, others, heads = [b""] * len(names), [*range(len(names))], [b""] * len(names)
            await self._look_again(asked, outcomes, others, selection)
        counts["found"] += len(names) - len(others)
        missed = []
        passed_on = selection.passed_on
        elsewhere = {} if passed_on is None or not others else await passed_on.ask(asked.handles, outcomes, others)
        for place in others:
            found = counts["found"]
            heads[place] = framing.between
            said = elsewhere.get(place, outcomes[place])
            tails[place] = await self._selected(names[place], said, selection, counts)
            if counts["found"] == found:
                missed.append(asked.handles[place])
        self._count(asked, missed, selection.address)
        parts = [b""] * (2 * len(names))
        parts[::2], parts[1::2] = heads, tails
        return parts

    def _count(self, asked: "_Asked", missed: Sequence[str], address: str) -> None:
        """★ Counts names for the statistics, prefix by prefix; `missed` are those without content."""
        without = prefixes_of(missed, None)
        for prefix, times in prefixes_of(asked.handles, asked.plain).items():
            key = self._key_of(f"{prefix}/".encode())
            self._tally.count("batch", address, key, found=True, times=times - without[prefix])
            self._tally.count("batch", address, key, found=False, times=without[prefix])

    async def _outcomes(self, asked: "_Asked", selection: Selection) -> list[Answer | HandleError]:
        """For each name its answer, or what it is refused for."""
        # Read anew, each name is read for what it is first: a code would be looked for twice.
        keys = None if selection.authoritative else keys_of(asked.names, asked.plain, self._key_of)
        if keys is not None:
            return await self._resolve_many(keys, selection)
        places = {place: key_or_refusal(name, self._names) for place, name in enumerate(asked.names)}
        return list((await self._resolve_read(asked, places, selection)).values())

    async def _look_again(
        self, asked: "_Asked", outcomes: list[Answer | HandleError], others: Sequence[int], selection: Selection
    ) -> bool:
        """Has names read that are of no prefix here as they stand, and may be codes, and aliases followed; says whether
        there were any."""
        foreign = [] if asked.were_read else [place for place in others if outcomes[place] is NOT_RESPONSIBLE]
        read = {place: key_or_refusal(asked.names[place], self._names) for place in foreign}
        for place, outcome in (await self._resolve_read(asked, read, selection)).items():
            outcomes[place] = outcome
        return await self._follow(outcomes, selection) or bool(foreign)

    async def _follow(self, outcomes: list[Answer | HandleError], selection: Selection) -> bool:
        """Has aliases replaced by what they stand for, or by themselves; whether there was any."""
        if not selection.ignores_aliases:
            return await follow_many(self._names, outcomes, lambda keys: self._resolve_many(keys, selection))
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, Alias):
                outcomes[place] = outcome.own()
        return True

    async def _resolve_read(
        self, asked: "_Asked", read: Mapping[int, HandleKey | HandleError], selection: Selection
    ) -> dict[int, Answer | HandleError]:
        """By place the answer for a key, or what the name was refused for."""
        keys = [key for key in read.values() if not isinstance(key, HandleError)]
        answers = iter(await self._resolve_many(keys, selection))
        asked.count_as(read)
        return {place: key if isinstance(key, HandleError) else next(answers) for place, key in read.items()}

    async def _resolve_many(self, keys: Sequence[HandleKey], selection: Selection) -> list[Answer | HandleError]:
        resolver = self._resolver
        return await (resolver.resolve_many_authoritative if selection.authoritative else resolver.resolve_many)(keys)

    async def _selected(
        self, asked: str, outcome: Answer | HandleError | Elsewhere, selection: Selection, counts: dict[str, int]
    ) -> bytes:
        """The values that are asked for and may be read, as a question for this handle alone would have them."""
        if isinstance(outcome, Elsewhere):
            form = form_of(asked, outcome, selection.indexes, selection.types)
            counts["found" if form.get("values") else "notFound"] += 1
            return orjson.dumps(form)
        record = outcome.record if isinstance(outcome, Answer) and not selection.is_whole else None
        if record is None or isinstance(outcome, HandleError):
            return _told(asked, outcome, selection.language, counts)
        values = record.select(selection.indexes, selection.types)
        if selection.only_public:
            values = public(values)
        else:
            try:
                values = await selection.read(record, values)
            except HandleError as refused:
                return _told(asked, refused, selection.language, counts)
            except DATABASE_AWAY:
                return _told(asked, ServerBusy("server.busy"), selection.language, counts)
        counts["found" if values else "notFound"] += 1
        return values_body(asked, values, outcome)


def _told(asked: str, outcome: Answer | HandleError, language: Language, counts: dict[str, int]) -> bytes:
    """The result of a handle that has no values to show."""
    code: int
    if isinstance(outcome, Answer):
        code = outcome.code
        if code == ResponseCode.SERVER_NOT_RESPONSIBLE:
            outcome = PrefixNotHomed("prefix.not_homed")
        elif outcome.tail == NO_VALUES:
            code = ResponseCode.VALUES_NOT_FOUND
    else:
        code = outcome.code
    counts[_COUNTED.get(code, "refused")] += 1
    if isinstance(outcome, Answer):
        return whole_body(asked, outcome)
    return orjson.dumps(refusal_form(outcome, language, asked))


def _break_off(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
