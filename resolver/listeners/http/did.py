"""/.well-known/did.json and /enterprises/{prefix}/did.json: did:web documents of the node and of those it serves; and
the page that verifies what the node signed.

A document names itself by the host that it was asked from, since that is what did:web means.
"""

import re
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

from aiohttp import web

from registry.database import DATABASE_AWAY
from registry.did import did_web, enterprise_document, node_document
from registry.documentation import LANGUAGE_PARAMETER, language_of
from registry.errors import HandleNotFound, PrefixNotHomed, ProtocolFault, ResponseCode
from registry.handle import NAMING_AUTHORITY
from registry.jose import PublishedKey
from registry.names import PREFIX_START
from registry.record import public
from registry.routes import Route, percent_decode
from registry.signing import published_keys
from resolver.listeners.http.pages.layout import Reader
from resolver.listeners.http.pages.response import page_response
from resolver.listeners.http.pages.verify import PATH, VERIFY_POLICY, verify_page
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.responses import json_response

CONTENT_TYPE: Final = "application/did+json"
ENTERPRISES: Final = "enterprises"
KEPT: Final = 5.0  # Seconds for which the list of keys is not read again: anybody may ask for it as often as he likes.
# Others may keep a document for five minutes: whoever meets a key that he does not know asks again.
HEADERS: Final = {"Cache-Control": "max-age=300", "Vary": "Host", "Content-Type": CONTENT_TYPE}
# A name of 255 characters and a port, or an address.
_HOST: Final = re.compile(r"[A-Za-z0-9._\[\]:-]{1,261}")


class DidDocuments:
    """Answers for the node and for the enterprises that it serves."""

    def __init__(self, parts: Parts) -> None:
        self._resolver = parts.resolver
        self._signer = parts.signer
        self._published: list[PublishedKey] = []
        self._read_at = float("-inf")

    async def show_node(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        return json_response(request, await self.node(request), headers=HEADERS)

    async def show_enterprise(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        prefix = percent_decode(placeholders["prefix"])
        answer = await self._resolver.resolve(self._resolver.store.key_of(PREFIX_START + prefix))
        record = answer.record
        if record is None:
            if answer.code is ResponseCode.SERVER_NOT_RESPONSIBLE:
                raise PrefixNotHomed("prefix.not_homed")
            shown = prefix.decode(errors="replace")
            raise HandleNotFound("handle.not_found", handle=f"{NAMING_AUTHORITY}/{shown}")
        did = did_web(host_of(request), ENTERPRISES, record.handle.suffix)
        return json_response(request, enterprise_document(did, public(record.values)), headers=HEADERS)

    async def node(self, request: web.Request) -> dict[str, Any]:
        """The node's own document. Raises ProtocolFault."""
        return node_document(did_web(host_of(request)), await self._keys())

    async def _keys(self) -> list[PublishedKey]:
        """Every key of the node, the one in use first; while the database is away, those that were known last."""
        if monotonic() - self._read_at > KEPT:
            self._read_at = monotonic()
            try:
                self._published = await published_keys(self._resolver.store)
            except DATABASE_AWAY:
                self._read_at = float("-inf")
        ours = self._signer.every_published
        named = {key.key_id for key in ours}
        return [*ours, *(key for key in self._published if key.key_id not in named)]


class VerifyPage:
    """/verify: the page that verifies what the node signed, with the node's document in it."""

    def __init__(self, name: str, documents: DidDocuments) -> None:
        self._name = name
        self._documents = documents

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        language = language_of(request)
        reader = Reader(self._name, language, PATH, lambda _: None, lambda _: None)
        page = verify_page(reader, await self._documents.node(request))
        return page_response(200, page, language, policy=VERIFY_POLICY)


def host_of(request: web.Request) -> str:
    """The host that a request was sent to. Raises ProtocolFault."""
    host = request.headers.get("Host", "")
    if not _HOST.fullmatch(host):
        raise ProtocolFault("http.parameter", name="Host", value=host[:40], rule="names no host")
    return host.lower()


def routes(name: str, documents: DidDocuments) -> tuple[Route, ...]:
    """`name` is what the node calls itself."""
    answered = {200: CONTENT_TYPE} | dict.fromkeys((400, 503), "application/json")
    return (
        Route(
            *("GET", "/.well-known/did.json", documents.show_node, "nodeDid"),
            *("The node's did:web document, with its signing keys.", "本节点的 did:web 文档及其签名公钥。"),
            responses=answered,
        ),
        Route(
            *("GET", f"/{ENTERPRISES}/{{prefix}}/did.json", documents.show_enterprise, "enterpriseDid"),
            "The did:web document of whoever has a prefix, with the public keys of the prefix's handle.",
            "前缀所属企业的 did:web 文档及其公钥。",
            responses=answered | {404: "application/json"},
        ),
        Route(
            *("GET", PATH, VerifyPage(name, documents).show, "verifyPage"),
            *("Page that verifies signed answers.", "验证签名应答的页面。"),
            (LANGUAGE_PARAMETER,),
            responses={200: "text/html", 400: "application/json"},
        ),
    )
