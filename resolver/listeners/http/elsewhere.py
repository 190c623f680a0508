"""What other nodes say of names that are not here, over HTTP: asked for where the node's settings allow it.

The protocol has no mark for it over HTTP as it has natively, where such an answer is not an authoritative one; so the
body says who answered. `doNotRefer` keeps a question here, as it does in the native protocol.
"""

from collections.abc import Callable, Collection
from typing import Any, Final

import orjson
from aiohttp import web

from registry.errors import ResponseCode
from registry.handle import HandleKey
from registry.record import select
from registry.rest import STATUS, values_to_json
from resolver.answer import Answer, found
from resolver.listeners.http.conditional import caching_headers, etag_of
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.query import Query
from resolver.listeners.http.responses import FOUND, respond
from resolver.recursion import Elsewhere, Question, Recursion
from resolver.referral import is_prefix_handle, with_prefix

DO_NOT_REFER: Final = "doNotRefer"
ANSWERED_BY: Final = "answeredBy"


def leads_on(parts: Parts) -> Callable[[HandleKey], bool]:
    """Says for which names, when there is nothing here, another node may be asked."""
    store = parts.resolver.store

    def may(key: HandleKey) -> bool:
        return store.prefixes.of(key) is None or is_prefix_handle(key)

    return may if parts.recursion is not None and parts.recursion.is_on else lambda _: False


def may_be_elsewhere(name: bytes, answer: Answer) -> bool:
    """Whether another node may know of a name of which this answer says that nothing is here."""
    if answer.registered or answer.tombstone is not None:
        return False
    return answer.code == ResponseCode.SERVER_NOT_RESPONSIBLE or is_prefix_handle(with_prefix(name))


def form_of(asked: str, elsewhere: Elsewhere, indexes: Collection[int], types: Collection[str]) -> dict[str, Any]:
    """What another node says of a name, in JSON."""
    values = select(elsewhere.values, indexes, types)
    code = elsewhere.code
    if code == ResponseCode.SUCCESS and not values:
        code = ResponseCode.VALUES_NOT_FOUND
    form: dict[str, Any] = {"responseCode": code, "handle": asked, ANSWERED_BY: elsewhere.server}
    if code != ResponseCode.HANDLE_NOT_FOUND:
        form["values"] = values_to_json(values)
    return form


class OtherNodes:
    """Asks them. Raises ServerBusy."""

    def __init__(self, recursion: Recursion | None) -> None:
        self._recursion = recursion

    async def respond(
        self, request: web.Request, asked: str, name: bytes, answer: Answer, query: Query | None = None
    ) -> web.StreamResponse | None:
        """What is said elsewhere of a name for which there is no record here; None when nothing is."""
        elsewhere = await self._ask(request, name, answer)
        if elsewhere is None or self._recursion is None:
            return None
        indexes = frozenset(query.numbers("index")) if query else frozenset[int]()
        types = frozenset(query.every("type")) if query else frozenset[str]()
        form = form_of(asked, elsewhere, indexes, types)
        request[FOUND] = bool(form.get("values"))
        body = orjson.dumps(form)
        headers = caching_headers(max(0, int(elsewhere.until - self._recursion.clock())), etag_of(body))
        return respond(request, body, STATUS[ResponseCode(form["responseCode"])], headers)

    async def answer(self, request: web.Request, asked: str, name: bytes, answer: Answer) -> Answer:
        """What is said elsewhere, as an answer to show; the answer itself when nothing is."""
        elsewhere = await self._ask(request, name, answer)
        if elsewhere is None or elsewhere.code != ResponseCode.SUCCESS:
            return answer
        return found(elsewhere.packed(asked), 0)

    async def _ask(self, request: web.Request, name: bytes, answer: Answer) -> Elsewhere | None:
        if self._recursion is None or not self._recursion.is_on or not may_be_elsewhere(name, answer):
            return None
        elsewhere = await self._recursion.resolve(Question(with_prefix(name), request.remote or ""))
        if elsewhere is None or elsewhere.code == ResponseCode.SERVER_NOT_RESPONSIBLE:
            return None
        return elsewhere
