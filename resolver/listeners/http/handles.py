"""/api/handles: handles read, written and deleted, and those of a prefix listed (the Handle.Net HTTP JSON API).

An ordinary question, a GET without parameters from nobody in particular, is answered with the octets that were
rendered when its answer was made. Everything else selects from the record.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web

from registry.authentication import Administrator
from registry.changes import Change, ChangeKind
from registry.errors import InvalidHandle, PrefixNotHomed, ProtocolFault, ResponseCode
from registry.handle import MAX_HANDLE, Handle, HandleKey
from registry.minting import Asked
from registry.names import Names
from registry.record import public
from registry.registration import MAX_LISTED
from registry.rest import values_from_json, values_to_json
from registry.routes import percent_decode
from registry.value import HandleValue
from registry.views import AS, audience_from
from registry.writing import Written
from resolver.aliases import follow
from resolver.answer import Alias, Answer, Followed
from resolver.listeners.http.asking import ask_for
from resolver.listeners.http.authorization import LOOKING, Authorization
from resolver.listeners.http.body import expect_json, read_body, read_object
from resolver.listeners.http.conditional import caching_headers, etag_of, private_headers, unchanged
from resolver.listeners.http.elsewhere import DO_NOT_REFER, OtherNodes
from resolver.listeners.http.explanations import EXPLAIN, Explanations
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.query import Query
from resolver.listeners.http.responses import ASKED, BASE_HEADERS, FOUND, HANDLE, JSON, json_response, respond
from resolver.listeners.http.signatures import Signatures, asks_for_signature
from resolver.listeners.http.target import path_of
from resolver.listeners.http.terms import version_seen

SAME: Final = "same"  # ?overwrite=same: what is there is refused when it says something else.
VARIOUS: Final = "various"  # ?index=various: whichever indexes the body has.
PAGE_SIZE: Final = 1000  # Names of a page when only its number is given.

NO_VALUES: Final = b',"values":[]}'


@dataclass(frozen=True, slots=True)
class Name:
    """A handle as an address named it. What is not UTF-8 is shown with U+FFFD; nothing of that name is registered."""

    octets: bytes

    @classmethod
    def from_path(cls, raw: str) -> "Name":
        """Raises ProtocolFault or InvalidHandle."""
        octets = percent_decode(raw)
        if not octets:
            raise InvalidHandle("handle.empty")
        if len(octets) > MAX_HANDLE:
            raise InvalidHandle("handle.too_long", octets=len(octets), limit=MAX_HANDLE)
        return cls(octets)

    @property
    def text(self) -> str:
        return self.octets.decode(errors="replace")

    def handle(self, names: Names) -> Handle:
        """The handle it is, or under which it is kept. Raises HandleError."""
        try:
            return names.handle_of(self.octets.decode())
        except UnicodeDecodeError:
            raise InvalidHandle("handle.not_utf8") from None


class Handles:
    """Answers for handles."""

    def __init__(self, parts: Parts, authorization: Authorization, signatures: Signatures) -> None:
        self._resolver = parts.resolver
        self._names = parts.resolver.names
        self._key_of = self._names.plain
        self._registration = parts.registration
        self._authorization = authorization
        self._signatures = signatures
        self._other_nodes = OtherNodes(parts.recursion)
        self._max_body = parts.settings.resolver.request_octets
        self._certificates = bool(parts.settings.resolver.client_ca)
        self.explanations = Explanations(parts, self._select)

    async def resolve(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        if EXPLAIN in request.raw_path and (query := Query.from_request(request)).flag(EXPLAIN, False):
            return await self._explain(request, placeholders, query)
        asked, key = self._asked(request, placeholders)
        if not self._is_ordinary(request):
            return await self._answer(request, asked, key, Query.from_request(request))
        answer = self._resolver.peek(key) or await self._resolver.resolve(key)
        if isinstance(answer, Alias):
            answer = await follow(self._resolver, answer)
        if not answer.registered:
            octets = Name.from_path(placeholders["handle"]).octets
            if (elsewhere := await self._other_nodes.respond(request, asked, octets, answer)) is not None:
                return elsewhere
        request[FOUND] = shows(answer)
        headers = headers_of(answer, self._resolver.staleness)
        return web.Response(body=whole_body(asked, answer), status=answer.status, headers=headers)

    async def _explain(self, request: web.Request, placeholders: Mapping[str, str], query: Query) -> web.StreamResponse:
        name = Name.from_path(placeholders["handle"])
        request[HANDLE] = name.text
        status, form = await self.explanations.explain(request, name.octets, query)
        return json_response(request, form, status, private_headers())

    async def resolve_posted(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        """GET with its parameters in a JSON object."""
        asked, key = self._asked(request, placeholders)
        form = await read_object(request, self._max_body)
        return await self._answer(request, asked, key, Query.from_json(form))

    async def put(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        query = Query.from_request(request)
        name = Name.from_path(placeholders["handle"])
        expect_json(request, anonymous=self._authorization.is_anonymous(request))
        body = await read_body(request, self._max_body)
        asked, handle = name.text, name.handle(self._names)
        request[HANDLE] = asked
        named, values = values_from_json(body)
        if named is not None and self._key_of(self._names.handle_of(named).octets) != self._key_of(handle.octets):
            raise ProtocolFault("json.handle_mismatch", body=named, address=asked)
        by = await self._authorization.administrator(request)
        written = await self._put(query, handle, values, by, version_seen(request))
        if query.flag("mintNewSuffix", False) or query.first("minter") is not None:
            asked = str(written.handle)
        self._forget(written.handle)
        status = 201 if written.created else 200
        return json_response(request, {"responseCode": 1, "handle": asked}, status, private_headers())

    async def delete(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        query = Query.from_request(request)
        indexes = query.numbers("index")
        name = Name.from_path(placeholders["handle"])
        asked = request[HANDLE] = name.text
        handle = name.handle(self._names)
        by = await self._authorization.administrator(request)
        await self._delete(handle, indexes, by, version_seen(request))
        self._forget(handle)
        return json_response(request, {"responseCode": 1, "handle": asked}, headers=private_headers())

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        """The handles of ?prefix=, whole or page by page; the total is text, as clients know it."""
        query = Query.from_request(request)
        prefix = query.first("prefix")
        if not prefix:
            raise InvalidHandle("handle.empty")
        page, page_size = query.number("page"), query.number("pageSize")
        if page_size is not None and page_size > MAX_LISTED:
            rule = f"is more than {MAX_LISTED}"
            raise ProtocolFault("http.parameter", name="pageSize", value=str(page_size), rule=rule)
        request[HANDLE] = prefix
        by = await self._authorization.administrator(request)
        form: dict[str, Any] = {"responseCode": 1, "prefix": prefix, "totalCount": ""}
        if page is not None or page_size is not None:
            page_size = PAGE_SIZE if page_size is None else page_size
            form |= {"page": page or 0, "pageSize": page_size}
        total, names = await self._registration.list_handles(prefix, by, page, page_size)
        form |= {"totalCount": str(total), "handles": names}
        return json_response(request, form, headers=private_headers())

    def _asked(self, request: web.Request, placeholders: Mapping[str, str]) -> tuple[str, HandleKey]:
        """The name that is asked for, and its key; from here on the request counts as one. Raises as `Name` does."""
        request[ASKED] = b""
        name = Name.from_path(placeholders["handle"])
        request[HANDLE] = name.text
        key = self._names.key_of(name.octets)
        ask_for(request, key)
        return name.text, key

    def _is_ordinary(self, request: web.Request) -> bool:
        if "?" in request.raw_path or "If-None-Match" in request.headers or "Authorization" in request.headers:
            return False
        return not self._certificates or self._authorization.is_anonymous(request)

    async def _answer(self, request: web.Request, asked: str, key: HandleKey, query: Query) -> web.StreamResponse:
        self._signatures.algorithm(query)
        if not asks_for_signature(query):
            return await self._select(request, asked, key, query)
        place = self._signatures.place()
        return self._signatures.sign(request, query, await self._select(request, asked, key, query), place)

    async def _select(self, request: web.Request, asked: str, key: HandleKey, query: Query) -> web.StreamResponse:
        """The values that are asked for and may be read."""
        indexes, types = frozenset(query.numbers("index")), frozenset(query.every("type"))
        by = await self._authorization.administrator(request, *LOOKING)
        audience = audience_from(query.first(AS))
        only_public = query.flag("publicOnly", by is None and audience is None)
        authoritative, ignores_aliases = query.flag("auth", False), query.flag("ignore_aliases", False)
        stays = query.flag(DO_NOT_REFER, False)
        answer = await self._resolve(key, authoritative=authoritative)
        if isinstance(answer, Alias):
            answer = (
                answer.own() if ignores_aliases else await follow(self._resolver, answer, authoritative=authoritative)
            )
        staleness = self._resolver.staleness_anew if authoritative else self._resolver.staleness
        record = answer.record
        if record is None and only_public and not stays:
            octets = asked.encode(errors="replace")
            if (elsewhere := await self._other_nodes.respond(request, asked, octets, answer, query)) is not None:
                return elsewhere
        if record is None or (only_public and not indexes and not types):
            request[FOUND] = shows(answer)
            return _conditional(request, whole_body(asked, answer), answer, answer.etag, staleness)
        values = record.select(indexes, types)
        if only_public:
            values = public(values)
        else:
            values = await self._registration.readable(record, by, values, audience)
        request[FOUND] = bool(values)
        body = values_body(asked, values, answer)
        if all(value.is_public for value in values):
            return _conditional(request, body, answer, etag_of(body), staleness)
        return respond(request, body, headers=private_headers())

    async def _resolve(self, key: HandleKey, *, authoritative: bool) -> Answer:
        read: Callable[[HandleKey], Awaitable[Answer]] = (
            self._resolver.resolve_authoritative if authoritative else self._resolver.resolve
        )
        return await read(key)

    async def _put(
        self,
        query: Query,
        handle: Handle,
        values: tuple[HandleValue, ...],
        by: Administrator | None,
        version: int | None,
    ) -> Written:
        or_same = query.first("overwrite") == SAME
        overwrite = not or_same and query.flag("overwrite", True)
        wanted = query.every("index")
        if not wanted:
            if (minter := query.first("minter")) is not None:
                asked = Asked(minter, query.first("line") or "")
                return await self._registration.mint_record(handle, asked, values, by, version=version)
            mint = query.flag("mintNewSuffix", False)
            return await self._registration.put_record(
                handle, values, by, overwrite=overwrite, or_same=or_same, mint=mint, version=version
            )
        if VARIOUS not in wanted and set(query.numbers("index")) != {value.index for value in values}:
            given = ", ".join(str(value.index) for value in values)
            raise ProtocolFault("json.index_mismatch", address=", ".join(wanted), body=given)
        return await self._registration.put_values(handle, values, by, overwrite=overwrite, version=version)

    async def _delete(
        self, handle: Handle, indexes: Collection[int], by: Administrator | None, version: int | None
    ) -> Written:
        if indexes:
            return await self._registration.delete_values(handle, indexes, by, version=version)
        return await self._registration.delete_record(handle, by, version=version)

    def _forget(self, handle: Handle) -> None:
        """What this process wrote it shows at once; the others hear of it in the change log."""
        change = Change(ChangeKind.HANDLE, self._key_of(handle.octets))
        self._resolver.store.afterwards(lambda: self._resolver.forget(change))


def whole_headers(ttl: int, etag: str, staleness: float = 0.0) -> dict[str, str]:
    """Of a full answer to an ordinary question, in the order in which they are sent."""
    return {**caching_headers(ttl, etag, staleness), "Content-Type": JSON, **BASE_HEADERS}


def headers_of(answer: Answer, staleness: float = 0.0) -> dict[str, str]:
    """Of a full answer; one of a handle with a successor leads there (RFC 5829, section 3.4)."""
    return {**whole_headers(answer.ttl, answer.etag, staleness), **successor_of(answer)}


def successor_of(answer: Answer) -> dict[str, str]:
    tombstone = answer.tombstone
    if tombstone is None or not tombstone.successor:
        return {}
    return {"Link": f'</api/handles{path_of(tombstone.successor)}>; rel="successor-version"'}


def whole_body(asked: str, answer: Answer) -> bytes:
    """The body of a full answer. Raises PrefixNotHomed, whose refusal says more than its code."""
    if answer.code is ResponseCode.SERVER_NOT_RESPONSIBLE:
        raise PrefixNotHomed("prefix.not_homed")
    if answer.tail == NO_VALUES:
        return values_body(asked, ())
    return answer.body(asked)


def shows(answer: Answer) -> bool:
    """Whether a full answer has a value to show."""
    return len(answer.tail) > len(NO_VALUES)  # No shorter tail holds one.


def values_body(asked: str, values: tuple[HandleValue, ...], answer: Answer | None = None) -> bytes:
    """The body that shows these values, of an answer that may have been found under another name."""
    if not values:
        return orjson.dumps({"responseCode": ResponseCode.VALUES_NOT_FOUND, "values": [], "handle": asked})
    other = {"aliasOf": answer.name.decode()} if isinstance(answer, Followed) else {}
    return orjson.dumps({"responseCode": 1, "handle": asked, **other, "values": values_to_json(values)})


def _conditional(request: web.Request, body: bytes, answer: Answer, etag: str, staleness: float) -> web.StreamResponse:
    """An answer that anybody may keep; only its headers when the client has it already."""
    response = respond(request, body, answer.status)
    sent = response.body
    assert isinstance(sent, bytes)
    tag = etag if sent is body else etag_of(sent)
    headers = {**caching_headers(answer.ttl, tag, staleness), **successor_of(answer)}
    if unchanged(request, headers):
        return web.Response(status=304, headers={**headers, **BASE_HEADERS})
    headers |= {"Content-Type": response.headers["Content-Type"], **BASE_HEADERS}
    return web.Response(body=sent, status=response.status, headers=headers)
