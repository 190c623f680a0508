"""What the node says of itself as a GS1-conformant resolver, and the context that makes its link sets linked data."""

from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web

from registry.links import GS1_VOCABULARY
from registry.routes import Route
from resolver.listeners.http.link_answers import OPEN_HEADERS, LinkAnswers
from resolver.listeners.http.linksets import CONTEXT, CONTEXT_PATH, JSON_LD
from resolver.listeners.http.responses import BASE_HEADERS

DESCRIPTION_PATH: Final = "/.well-known/gs1resolver"
# Both change with the node's programs only.
_HEADERS: Final = {**BASE_HEADERS, **OPEN_HEADERS, "Cache-Control": "max-age=3600"}


class ResolverDescription:
    def __init__(self, answers: LinkAnswers, name: str) -> None:
        self._answers = answers
        self._name = name

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        """The resolver description file (resolver standard, section 3)."""
        root = self._answers.root(request)
        form = {
            "name": self._name,
            "resolverRoot": root,
            "supportedPrimaryKeys": ["all"],
            "supportedLinkType": [{"namespace": GS1_VOCABULARY, "prefix": "gs1:"}],
            "linkTypeDefaultCanBeLinkset": False,
            "contact": {"fn": self._name},
            "jsonLdContextLocation": root + CONTEXT_PATH,
        }
        headers = {**_HEADERS, "Vary": "Host"}
        return web.Response(body=orjson.dumps(form), content_type="application/json", headers=headers)

    async def show_context(self, _request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        return web.Response(body=orjson.dumps(CONTEXT), content_type=JSON_LD, headers=_HEADERS)


def routes(answers: LinkAnswers, name: str) -> tuple[Route, ...]:
    description = ResolverDescription(answers, name)
    return (
        Route(
            *("GET", DESCRIPTION_PATH, description.show, "gs1Resolver"),
            *("What the node is as a GS1-conformant resolver.", "本节点作为 GS1 解析服务的说明文件。"),
            responses=dict.fromkeys((200, 400), "application/json"),
            answers={200: {"type": "object", "required": ["resolverRoot", "supportedPrimaryKeys"]}},
        ),
        Route(
            *("GET", CONTEXT_PATH, description.show_context, "linksetContext"),
            *("Context that makes linked data of link sets.", "链接集的 JSON-LD 上下文。"),
            responses={200: JSON_LD},
            answers={200: {"type": "object", "required": ["@context"]}},
        ),
    )
