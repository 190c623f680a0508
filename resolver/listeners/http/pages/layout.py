"""What every page has: its head, its way home and to the other language, and the policy that keeps it honest.

Every text that comes from outside passes `html.escape`; the policy allows the one style of these pages and nothing
else, so that a value can never become a program.
"""

import base64
import hashlib
import html
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from registry.language import Language, text
from registry.statistics import ZONE
from resolver.listeners.http.pages.texts import TEXTS

STYLE: Final = (Path(__file__).parents[3] / "static" / "page.css").read_text("utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# The address that is registered is a stranger's: a form that is sent on to it must not be stopped half-way.
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src 'self' data:; form-action 'self' http: https:; "
    "base-uri 'none'; frame-ancestors 'none'"
)

_LAYOUT: Final = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="{robots}">
<title>{title} · {name}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
{head}</head>
<body>
<header class="bar"><a class="brand" href="/?lang={language}"><svg viewBox="0 0 24 24" aria-hidden="true">\
<path d="M3 7c6 0 6 10 12 10 3 0 4-2 6-4M3 17c6 0 6-10 12-10 3 0 4 2 6 4"/></svg><b>{name}</b></a>
<nav><a href="/?lang={language}">{home}</a><a href="/verify?lang={language}">{verify}</a>\
<a class="docs" href="/docs?lang={language}">{docs}</a>\
<a class="other" href="{other_address}" hreflang="{other_language}" lang="{other_language}">{other}</a></nav></header>
<main>
{main}
</main>
</body>
</html>
"""
_FORM: Final = """<form class="ask" action="/" method="get" role="search">
<label for="handle">{label}</label>
<div class="field"><input id="handle" name="handle" value="{handle}" placeholder="88.168.1/…" required
 autocapitalize="off" autocomplete="off" autocorrect="off" spellcheck="false" maxlength="2048"{focus}>
<button name="noredirect" value="true">{show}</button></div>
<input type="hidden" name="lang" value="{language}">
{more}</form>"""
_REDIRECT: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Handle Redirect</title></head>
<body><a href="{target}">{target}</a></body></html>
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a page and where: the language, the node's name, the path. `address_of` says where a text leads when
    it is an address that visitors may be sent to, `page_of` when it is an identifier that is answered for here."""

    name: str
    language: Language
    path: str
    address_of: Callable[[str], str | None]
    page_of: Callable[[str], str | None]
    query: str = "noredirect"  # What the page is asked for with.

    def say(self, rule: str, **culprit: object) -> str:
        """A text of the pages, escaped."""
        return html.escape(text(TEXTS, rule, self.language, **culprit))

    def page(self, title: str, main: str, *, robots: str, head: str = "") -> str:
        """A whole page; its title is escaped already."""
        other: Language = "en" if self.language == "zh" else "zh"
        query = "?lang=" if self.path == "/" else f"?{self.query}&lang="
        return _LAYOUT.format(
            language=self.language,
            other_language=other,
            other_address=html.escape(self.path + query + other),
            title=title,
            name=html.escape(self.name),
            style=STYLE,
            head=head,
            robots=robots,
            main=main,
            home=self.say("home"),
            verify=self.say("verify"),
            docs=self.say("docs"),
            other=self.say("other"),
        )

    def form(self, handle: str, *, label: str = "another", more: str = "", focus: bool = False) -> str:
        """The form that asks for an identifier, and sends where no script runs."""
        return _FORM.format(
            language=self.language,
            handle=html.escape(handle),
            label=self.say(label),
            show=self.say("front.show"),
            more=more,
            focus=" autofocus" if focus else "",
        )

    def note(self, rule: str, **culprit: object) -> str:
        return f'<p class="note">{self.say(rule, **culprit)}</p>'


def name_parts(handle: str) -> str:
    """An identifier whose own part stands out from its prefix."""
    prefix, slash, suffix = handle.partition("/")
    if not slash:
        return f"<b>{html.escape(handle)}</b>"
    return f"<span>{html.escape(prefix)}/</span><wbr><b>{html.escape(suffix)}</b>"


def time_element(at: datetime) -> str:
    """A time as a clock in China shows it."""
    here = at.astimezone(ZONE)
    return f'<time datetime="{here.isoformat()}" title="UTC+8">{here:%Y-%m-%d %H:%M:%S}</time>'


def redirect_body(target: str) -> str:
    """What a client that does not follow redirects shows."""
    return _REDIRECT.format(target=html.escape(target))
