"""An interface's own documentation: its OpenAPI description, and a page that shows it without any outside request.

The page's program is vendored beside this file, so that it works where there is no internet. /openapi.json and /docs
are in English or Chinese, by ?lang= or Accept-Language.
"""

import hashlib
import html
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from registry.language import LANGUAGES, Catalogue, Language, preferred, text
from registry.openapi import describe
from registry.routes import Parameter, Route
from registry.views import AS, AUDIENCES

VIEWER: Final = "rapidoc-9.3.8.min.js"  # The version is in the name, so that caches may keep it for ever.
_STATIC: Final = Path(__file__).parent / "static"
_A_YEAR: Final = "public, max-age=31536000, immutable"
_BASE_HEADERS: Final = {"Server": "Filament", "X-Content-Type-Options": "nosniff"}
# The viewer writes style elements of its own; everything else comes from this node alone.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

TEXTS: Final[Catalogue] = {
    "download": ("OpenAPI description", "OpenAPI 描述文件"),
    "other": ("中文", "English"),
    "no_script": (
        "The interactive page needs JavaScript. These are the operations:",
        "交互页面需要 JavaScript。全部操作如下：",
    ),
}
VIEW_PARAMETER: Final = Parameter(
    AS,
    "What an audience would see, for those who administer the handle.",
    "以某类读者的视角查看（限标识管理者）。",
    {"type": "string", "enum": list(AUDIENCES)},
)
LANGUAGE_PARAMETER: Final = Parameter(
    "lang",
    "Language of the answer, in place of Accept-Language; one that is not there changes nothing.",
    "应答语言，代替 Accept-Language；不支持的语言不起作用。",
    {"type": "string", "examples": list(LANGUAGES)},
)

_PAGE: Final = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>body{{margin:0;font-family:system-ui,sans-serif}}rapi-doc{{min-height:100vh}}
nav{{display:flex;gap:1rem;padding:.6rem 1rem;border-bottom:1px solid #ccd}}
nav b{{flex:1}}noscript{{display:block;padding:1rem}}</style>
<script src="docs/{viewer}" defer></script>
</head>
<body>
<nav><b>{title}</b><a href="openapi.json?lang={language}">{download}</a>
<a href="docs?lang={other_language}" hreflang="{other_language}">{other}</a></nav>
<noscript><p>{no_script}</p><ul>
{operations}
</ul></noscript>
<rapi-doc spec-url="openapi.json?lang={language}" load-fonts="false" render-style="view" theme="light"
 show-header="false" allow-spec-url-load="false" allow-spec-file-load="false" allow-server-selection="false"
 allow-advanced-search="false" persist-auth="false" schema-description-expanded="true"
 regular-font="system-ui,sans-serif" mono-font="ui-monospace,Menlo,Consolas,monospace"></rapi-doc>
</body>
</html>
"""


def with_documentation(routes: Sequence[Route], titles: tuple[str, str], version: str) -> tuple[Route, ...]:
    """The routes, and those that describe all of them: /openapi.json, /docs and its program."""
    documentation = _Documentation(titles, version)
    documentation.routes = (*routes, *_routes(documentation))
    return documentation.routes


def language_of(request: web.Request) -> Language:
    """The language of an answer: ?lang=, or what Accept-Language prefers."""
    asked = LANGUAGES.get(request.query.get("lang", "").lower().split("-")[0])
    return asked or preferred(request.headers.get("Accept-Language"))


class _Documentation:
    """Rendered once in each language, when first asked for."""

    def __init__(self, titles: tuple[str, str], version: str) -> None:
        self.routes: tuple[Route, ...] = ()
        self._titles: Mapping[Language, str] = {"en": titles[0], "zh": titles[1]}
        self._version = version

    async def serve_description(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        body = self._descriptions[language_of(request)]
        etag = hashlib.sha256(body).hexdigest()[:32]
        headers = {
            **_BASE_HEADERS,
            "ETag": f'"{etag}"',
            "Vary": "Accept-Language",
            "Cache-Control": "no-cache",
            "Access-Control-Allow-Origin": "*",
        }
        if any(known.value in (etag, "*") for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type="application/json", headers=headers)

    async def serve_page(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        headers = {
            **_BASE_HEADERS,
            "Content-Security-Policy": _POLICY,
            "Vary": "Accept-Language",
            "Cache-Control": "no-cache",
        }
        return web.Response(text=self._pages[language_of(request)], content_type="text/html", headers=headers)

    async def serve_viewer(self, _request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        headers = {**_BASE_HEADERS, "Content-Type": "text/javascript; charset=utf-8", "Cache-Control": _A_YEAR}
        return web.FileResponse(_STATIC / VIEWER, headers=headers)

    @cached_property
    def _descriptions(self) -> Mapping[Language, bytes]:
        return {
            language: orjson.dumps(describe(self.routes, title=title, version=self._version, language=language))
            for language, title in self._titles.items()
        }

    @cached_property
    def _pages(self) -> Mapping[Language, str]:
        return {language: self._page(language) for language in self._titles}

    def _page(self, language: Language) -> str:
        return _PAGE.format(
            language=language,
            other_language="en" if language == "zh" else "zh",
            title=html.escape(self._titles[language]),
            viewer=VIEWER,
            operations="\n".join(_listed(route, language) for route in self.routes if route.documented),
            **{rule: text(TEXTS, rule, language) for rule in TEXTS},
        )


def _listed(route: Route, language: Language) -> str:
    summary = route.chinese if language == "zh" else route.english
    return f"<li><code>{route.method} {html.escape(route.path)}</code> {html.escape(summary)}</li>"


def _routes(documentation: _Documentation) -> tuple[Route, ...]:
    return (
        Route(
            "GET",
            "/openapi.json",
            documentation.serve_description,
            "describe",
            "This description.",
            "本描述文件。",
            (LANGUAGE_PARAMETER,),
            responses={200: "application/json"},
            answers={200: {"type": "object", "required": ["openapi", "info", "paths"]}},
        ),
        Route(
            "GET",
            "/docs",
            documentation.serve_page,
            "documentation",
            "This documentation as a page.",
            "本文档页面。",
            (LANGUAGE_PARAMETER,),
            responses={200: "text/html"},
        ),
        Route(
            "GET",
            f"/docs/{VIEWER}",
            documentation.serve_viewer,
            "documentationViewer",
            "The program of the documentation page.",
            "文档页面的程序。",
            responses={200: "text/javascript"},
            documented=False,
        ),
    )
