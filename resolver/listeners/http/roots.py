"""/api/roots and /api/proofs: the signed root of each day's changes, and proofs that a handle's version is under one.

What a handle says now is everybody's to prove; what it said before, and of one that nobody can resolve, whoever may
list its prefix is told, as with histories.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Final

from aiohttp import web

from registry.errors import ProtocolFault
from registry.history import NEWEST
from registry.inclusion import MAX_DAYS, Inclusion
from registry.jose import MEDIA_TYPE
from registry.routes import Parameter, Route
from resolver.listeners.http.authorization import Authorization
from resolver.listeners.http.conditional import private_headers
from resolver.listeners.http.handles import Name
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.query import Query
from resolver.listeners.http.responses import BASE_HEADERS, HANDLE, JSON, json_response
from resolver.listeners.http.signatures import SIGNED_WITH, Signatures

ROOTS: Final = "/api/roots"
LISTED: Final = 31  # Days, where nobody says how many.
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": MAX_DAYS}
_VERSION: Final = {"type": "integer", "minimum": 1, "maximum": NEWEST}
KEPT: Final = {"Cache-Control": "max-age=31536000, immutable"}  # A root never changes.


class Roots:
    """Answers about what was sealed."""

    def __init__(self, parts: Parts, authorization: Authorization, signatures: Signatures) -> None:
        self._store = parts.resolver.store
        self._inclusion = Inclusion(self._store)
        self._signatures = signatures
        self._names = parts.resolver.names
        self._registration = parts.registration
        self._authorization = authorization

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        query = Query.from_request(request)
        before, limit = query.first("before"), query.number("limit")
        if limit is not None and not 1 <= limit <= MAX_DAYS:
            raise ProtocolFault(
                "http.parameter", name="limit", value=str(limit), rule=f"is not between 1 and {MAX_DAYS}"
            )
        days = await self._inclusion.days(date.max if before is None else _day("before", before), limit or LISTED)
        return json_response(request, {"responseCode": 1, "roots": days}, headers={"Cache-Control": "max-age=60"})

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        algorithm = self._signatures.algorithm(Query.from_request(request))
        statement = await self._inclusion.statement(_day("day", placeholders["day"]))
        if statement is None:
            raise ProtocolFault("http.endpoint", method=request.method, path=f"{ROOTS}/{placeholders['day'][:40]}")
        headers = {**KEPT, **BASE_HEADERS, "Content-Type": MEDIA_TYPE}
        statement = await self._signatures.root(self._store, statement, algorithm)
        return web.Response(body=statement.encode(), headers=headers)

    async def prove(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        query = Query.from_request(request)
        version, algorithm = query.number("version"), self._signatures.algorithm(query)
        if version is not None and not 1 <= version <= NEWEST:
            raise ProtocolFault("http.parameter", name="version", value=str(version), rule="is no version")
        name = Name.from_path(placeholders["handle"])
        handle = name.handle(self._names)
        request[HANDLE] = name.text
        proof = await self._inclusion.prove(handle, version)
        if not proof.open:
            by = await self._authorization.administrator(request)
            await self._registration.check_list(handle.prefix, by)
        proof = replace(proof, statement=await self._signatures.root(self._store, proof.statement, algorithm))
        headers = {**private_headers(), **BASE_HEADERS, "Content-Type": JSON}
        return web.Response(body=proof.to_json(name.text), headers=headers)


def _day(name: str, text: str) -> date:
    """As RFC 3339 writes it: Python reads more of ISO 8601."""
    try:
        if not _DATE.fullmatch(text):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        rule = "is no date as RFC 3339 writes it"
        raise ProtocolFault("http.parameter", name=name, value=text[:40], rule=rule) from None


def routes(roots: Roots) -> tuple[Route, ...]:
    problems = dict.fromkeys((400, 404, 503), "application/json")
    a_day = {"type": "string", "format": "date"}
    return (
        Route(
            *("GET", ROOTS, roots.list, "roots"),
            *("The days whose changes are sealed, the latest first.", "变更日志每日 Merkle 根，最新在前。"),
            parameters=(
                Parameter("before", "Days before this one.", "该日之前。", a_day),
                Parameter("limit", f"How many; {LISTED}.", f"数量，默认 {LISTED}。", _LIMIT),
            ),
            responses=dict.fromkeys((200, 400, 503), "application/json, application/javascript"),
            answers={200: {"type": "object"}},
        ),
        Route(
            *("GET", f"{ROOTS}/{{day}}", roots.show, "root"),
            *("The signed root of the changes of a day (UTC).", "某日（UTC）变更的 Merkle 根及其签名。"),
            parameters=(SIGNED_WITH,),
            responses={200: MEDIA_TYPE} | problems,
        ),
        Route(
            *("GET", "/api/proofs/{handle}", roots.prove, "prove"),
            "Proof that what a handle says, or said in a version, is under the root of its day.",
            "标识当前或某一历史版本的包含证明。",
            parameters=(Parameter("version", "This version.", "该版本。", _VERSION), SIGNED_WITH),
            responses={200: "application/json", 401: "application/json", 403: "application/json"} | problems,
            answers={200: {"type": "object"}},
        ),
    )
