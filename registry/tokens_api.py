"""Tokens of programs over HTTP: issued and shown once, listed with their last use, rotated, revoked."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from registry import asked
from registry.authentication import Administrator
from registry.bodies import (
    AFTER,
    ENTERPRISE,
    MAX_NUMBER,
    OBJECTS,
    EnterpriseNumber,
    body_of,
    number_from,
)
from registry.callers import Callers
from registry.errors import InsufficientPermission
from registry.grants import scopes_from
from registry.json_routes import json_route
from registry.routes import Route
from registry.stewardship import STEWARDS, Stewardship
from registry.store import Store
from registry.tokens import Tokens, Wanted

USUAL_DAYS: Final = 90


class TokenForm(msgspec.Struct):
    """What a token is to be good for. Without prefixes: all of the enterprise; without sources: from everywhere."""

    label: str
    scopes: list[str]
    enterprise: EnterpriseNumber | None = None
    prefixes: list[str] | None = None
    sources: list[str] | None = None
    days: int = USUAL_DAYS


class RotationForm(msgspec.Struct):
    """Days for which the new token is to be good."""

    days: int = USUAL_DAYS


class IssuedForm(msgspec.Struct):
    """A token, told once."""

    token_id: int
    token: str
    expires_at: str


class TokenHandlers:
    """Handlers of /api/tokens."""

    def __init__(self, store: Store, callers: Callers, tokens: Tokens, stewardship: Stewardship) -> None:
        self._store = store
        self._callers = callers
        self._tokens = tokens
        self._stewardship = stewardship

    def routes(self) -> tuple[Route, ...]:
        return (
            json_route(
                *("GET", "/api/tokens", self.list, "listTokens"),
                ("The tokens of an enterprise, or of the node, and when they were used.", "令牌列表及最近使用情况。"),
                OBJECTS,
                parameters=(ENTERPRISE, AFTER),
            ),
            json_route(
                *("POST", "/api/tokens", self.issue, "issueToken"),
                ("Issue a token for a program; it is shown once.", "为程序签发令牌，只显示一次。"),
                IssuedForm,
                form=TokenForm,
                status=201,
            ),
            json_route(
                *("POST", "/api/tokens/{token}/rotate", self.rotate, "rotateToken"),
                (
                    "Another token in its place; the former one goes on for ten minutes.",
                    "轮换令牌，旧令牌十分钟后失效。",
                ),
                IssuedForm,
                form=RotationForm,
            ),
            json_route("DELETE", "/api/tokens/{token}", self.revoke, "revokeToken", ("Revoke a token.", "吊销令牌。")),
        )

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, *STEWARDS)
        enterprise_id = self._stewardship.enterprise_of(by, asked.number(request, "enterprise", MAX_NUMBER))
        await self._stewardship.check(by, enterprise_id)
        return asked.json_answer(
            await self._tokens.listed(enterprise_id, after=asked.number(request, "after", MAX_NUMBER) or 0)
        )

    async def issue(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        by = await self._callers.administrator(request, *STEWARDS)
        form = await body_of(request, TokenForm)
        wanted = Wanted(
            form.label,
            scopes_from(form.scopes, self._stewardship.scopes_to_give(by)),
            self._stewardship.enterprise_of(by, form.enterprise),
            None if form.prefixes is None else tuple(form.prefixes),
            None if form.sources is None else tuple(form.sources),
            _days(form.days),
        )
        await self._stewardship.check(by, wanted.enterprise_id)
        await self._check_prefixes(wanted)
        issued = await self._tokens.issue(wanted, by=str(by))
        return asked.json_answer(msgspec.to_builtins(issued), HTTPStatus.CREATED)

    async def rotate(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by, token_id = await self._token(request, placeholders)
        form = await body_of(request, RotationForm)
        return asked.json_answer(msgspec.to_builtins(await self._tokens.rotate(token_id, _days(form.days), by=str(by))))

    async def revoke(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by, token_id = await self._token(request, placeholders)
        await self._tokens.revoke(token_id, by=str(by))
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _token(self, request: web.Request, placeholders: Mapping[str, str]) -> tuple[Administrator, int]:
        """Who asks, and the number of a token of an enterprise that he may act for."""
        by = await self._callers.administrator(request, *STEWARDS)
        token_id = number_from("token", placeholders["token"])
        await self._stewardship.check(by, await self._tokens.owner(token_id))
        return by, token_id

    async def _check_prefixes(self, wanted: Wanted) -> None:
        """A prefix that the enterprise has not is refused here, so that nobody wonders why his token is no good."""
        if wanted.prefixes is None or wanted.enterprise_id is None:
            return
        await self._store.load_prefixes()
        held = {prefix.key for prefix in self._store.prefixes.of_enterprise(wanted.enterprise_id)}
        for prefix in wanted.prefixes:
            if self._store.key_of(f"{prefix}/".encode("utf-8", "surrogatepass"))[:-1] not in held:
                raise InsufficientPermission("token.prefix_given", prefix=prefix[:100])


def _days(days: int) -> timedelta:
    return timedelta(days=max(0, min(days, 10_000)))
