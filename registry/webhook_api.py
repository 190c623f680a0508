"""Webhooks over HTTP, for those who may follow the feed of a prefix: subscribing, looking after, replaying."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import msgspec
import orjson
from aiohttp import web

from registry import asked
from registry.authentication import Administrator
from registry.bodies import body_of
from registry.callers import Callers
from registry.documentation import LANGUAGE_PARAMETER
from registry.errors import InvalidAdministrator
from registry.feed import Feed
from registry.rights import Rights
from registry.routes import Parameter, Route
from registry.store import Store
from registry.webhook_sending import Guard, secret_text
from registry.webhooks import DeadLetter, Webhook, Webhooks, not_found

_PROBLEM: Final = "application/problem+json"
_PATH: Final = "/api/webhooks"
_ONE: Final = "/api/webhooks/{webhook}"
_NEWEST: Final = (1 << 63) - 1
_REFUSED: Final = dict.fromkeys((400, 401, 403, 503), _PROBLEM)
_MISSING: Final = _REFUSED | {404: _PROBLEM}
_PREFIX: Final = Parameter(
    "prefix",
    "Only this prefix; administrators of a prefix must name theirs.",
    "只涉及该前缀；企业管理员须填写自己的前缀。",
)


class SubscriptionForm(msgspec.Struct, forbid_unknown_fields=True):
    """Where events are to be sent, and the place in the feed from which on."""

    url: str
    cursor: str = "now"


class ReplayForm(msgspec.Struct, forbid_unknown_fields=True):
    """From where to send once more: a cursor, where it stands, or the dead letters."""

    cursor: str | None = None
    dead_letters: bool = msgspec.field(default=False, name="deadLetters")


class WebhookForm(msgspec.Struct, rename="camel"):
    """A subscription as it stands; its secret is told once, to whoever subscribes."""

    id: int
    prefix: str | None
    url: str
    cursor: str
    stopped: bool
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    reason: str | None
    delivered_at: datetime | None
    dead_letters: int
    created_by: str
    created_at: datetime
    secret: str | msgspec.UnsetType = msgspec.UNSET


class DeadLetterForm(msgspec.Struct, rename="camel"):
    """A message that was given up, with the events in it."""

    number: int
    message_id: str
    reason: str
    put_aside_at: datetime
    events: list[dict[str, Any]]


class WebhookHandlers:
    """Handlers of /api/webhooks."""

    def __init__(self, store: Store, callers: Callers, rights: Rights) -> None:
        self._store = store
        self._callers = callers
        self._rights = rights
        self._webhooks = Webhooks(store)
        self._feed = Feed(store)
        self._guard = Guard(store.settings.webhook_networks)

    def routes(self) -> tuple[Route, ...]:
        json, language = "application/json", LANGUAGE_PARAMETER
        after = Parameter("after", "Number of the last one of the page before.", "上一页最后一条的编号。",
                          {"type": "integer", "minimum": 1})  # fmt: skip
        return (
            Route("GET", _PATH, self.list, "listWebhooks", "Webhooks, and how far each has heard.",
                  "列出 webhook 及其投递进度。", (_PREFIX, language), responses=_MISSING | {200: json},
                  authenticated=True, answers={200: list[WebhookForm]}),
            Route("POST", _PATH, self.add, "addWebhook",
                  "Have the changes of a prefix sent to an address, signed and in order. The secret is shown once.",
                  "订阅某前缀的变更：按顺序、带签名地投递到指定地址；密钥仅显示一次。", (_PREFIX, language),
                  request={json: SubscriptionForm}, responses=_MISSING | {201: json, 413: _PROBLEM},
                  authenticated=True, answers={201: WebhookForm}),
            Route("GET", _ONE, self.show, "webhook", "One webhook.", "查看一个 webhook。", (language,),
                  responses=_MISSING | {200: json}, authenticated=True, answers={200: WebhookForm}),
            Route("DELETE", _ONE, self.remove, "removeWebhook", "Send nothing more, and forget what could not be sent.",
                  "取消订阅，并丢弃未送达的消息。", (language,), responses=_MISSING | {200: json}, authenticated=True,
                  answers={200: WebhookForm}),
            Route("POST", _ONE + "/replay", self.replay, "replayWebhook",
                  "Send again from a cursor, or the messages that were given up; and go on where it was stopped.",
                  "从某游标重新投递，或重新投递死信；已停止的订阅随之恢复。", (language,), request={json: ReplayForm},
                  responses=_MISSING | {200: json, 413: _PROBLEM}, authenticated=True, answers={200: WebhookForm}),
            Route("GET", _ONE + "/dead-letters", self.dead_letters, "deadLetters",
                  "Messages that were given up after half of the hours that changes are kept.",
                  "超过变更日志保留时间一半仍未送达的消息。", (after, language), responses=_MISSING | {200: json},
                  authenticated=True, answers={200: list[DeadLetterForm]}),
        )  # fmt: skip

    async def list(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        prefix = await asked.prefix(request, self._callers, self._rights)
        webhooks = await self._webhooks.listed(None if prefix is None else prefix.prefix_id)
        return asked.json_answer([self._form(webhook) for webhook in webhooks])

    async def add(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        prefix = await asked.prefix(request, self._callers, self._rights)
        form = await body_of(request, SubscriptionForm)
        self._guard.check_url(form.url)
        cursor = await self._feed.cursor(form.cursor)
        by = await self._callers.administrator(request)
        webhook = await self._webhooks.add(None if prefix is None else prefix.prefix_id, form.url, cursor, str(by))
        shown = self._form(webhook) | {"secret": secret_text(self._webhooks.secret_of(webhook))}
        return asked.json_answer(shown, HTTPStatus.CREATED)

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        _, webhook = await self._asked(request, placeholders)
        return asked.json_answer(self._form(webhook))

    async def remove(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by, webhook = await self._asked(request, placeholders)
        await self._webhooks.remove(webhook, by=str(by))
        return asked.json_answer(self._form(webhook))

    async def replay(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        by, webhook = await self._asked(request, placeholders)
        form = await body_of(request, ReplayForm)
        cursor = None if form.cursor is None else await self._feed.cursor(form.cursor)
        await self._webhooks.replay(webhook, cursor, dead_letters=form.dead_letters, by=str(by))
        return asked.json_answer(self._form(await self._webhooks.find(webhook.webhook_id)))

    async def dead_letters(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        _, webhook = await self._asked(request, placeholders)
        letters = await self._webhooks.dead_letters(webhook.webhook_id, asked.number(request, "after", _NEWEST) or 0)
        return asked.json_answer([_letter_form(letter) for letter in letters])

    async def _asked(self, request: web.Request, placeholders: Mapping[str, str]) -> tuple[Administrator, Webhook]:
        """Who asks, and the webhook that is asked about, if he may follow what it is told; to others there is none."""
        by = await self._callers.administrator(request)
        number = placeholders["webhook"]
        if not (number.isascii() and number.isdecimal() and len(number) < 10):
            raise not_found(number[:20])
        webhook = await self._webhooks.find(int(number))
        try:
            if (spelling := self._spelling(webhook)) is None:
                self._rights.check_node(by)
            else:
                await self._rights.listable(spelling, by)
        except InvalidAdministrator:
            raise not_found(number) from None
        return by, webhook

    def _spelling(self, webhook: Webhook) -> str | None:
        prefix = None if webhook.prefix_id is None else self._store.prefixes.by_id(webhook.prefix_id)
        return None if prefix is None else prefix.spelling

    def _form(self, webhook: Webhook) -> dict[str, Any]:
        form = WebhookForm(
            webhook.webhook_id,
            self._spelling(webhook),
            webhook.url,
            webhook.cursor,
            webhook.stopped,
            webhook.failures,
            webhook.failing_since,
            webhook.retry_at,
            webhook.reason,
            webhook.delivered_at,
            webhook.dead_letters,
            webhook.created_by,
            webhook.created_at,
        )
        shown: dict[str, Any] = msgspec.to_builtins(form)
        return shown


def _letter_form(letter: DeadLetter) -> dict[str, Any]:
    return {
        "number": letter.number,
        "messageId": letter.message_id,
        "reason": letter.reason,
        "putAsideAt": letter.put_aside_at,
        "events": orjson.loads(letter.body),
    }
