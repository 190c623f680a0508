"""/api/site: what the node says of itself, as an HS_SITE value would."""

from collections.abc import Mapping

from aiohttp import web

from registry.data_forms import site_to_json
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.responses import json_response


class Site:
    """Answers for the node."""

    def __init__(self, parts: Parts) -> None:
        self._site = parts.site

    async def show(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        headers = {"Cache-Control": "no-cache"}
        return json_response(request, {"responseCode": 1, "site": site_to_json(self._site())}, headers=headers)
