"""The links of an identifier and of those above it, for a person; a machine finds them in the page as linked data."""

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from registry.links import GS1_VOCABULARY, Link
from resolver.listeners.http.link_choice import Level
from resolver.listeners.http.pages.layout import Reader, name_parts

# What the page is about, by the status that it is sent with.
_HEADINGS: Final = {200: "links.title", 300: "links.choose", 404: "links.other"}


def links_page(status: int, name: str, levels: Sequence[Level], data: Mapping[str, Any], reader: Reader) -> str:
    heading = reader.say(_HEADINGS[status])
    cards = "".join(_card(level, reader) for level in levels)
    main = (
        f'<section class="card head"><h1>{heading}</h1><p class="name">{name_parts(name)}</p></section>{cards}'
        f'<section class="card quiet">{reader.form("")}</section>'
    )
    # A block of data, which no browser runs: nothing in it may end it.
    block = orjson.dumps(data).decode().replace("<", "\\u003c")
    head = f'<script type="application/ld+json">{block}</script>\n'
    return reader.page(heading, main, robots="noarchive", head=head)


def links_card(links: Sequence[Link], reader: Reader) -> str:
    """The links of a record, as a card of its page; empty when there are none to go to."""
    lines = "".join(_line(link, link.default, reader) for link in links)
    heading = reader.say("links.title")
    return f'<section class="card"><h2>{heading}</h2><ul class="links">{lines}</ul></section>' if lines else ""


def _card(level: Level, reader: Reader) -> str:
    lines = "".join(line for link in level.links if (line := _line(link, link is level.default, reader)))
    name = f'<h2 class="name">{html.escape(level.path)}</h2>'
    return f'<section class="card">{name}<ul class="links">{lines}</ul></section>' if lines else ""


def _line(link: Link, is_default: bool, reader: Reader) -> str:
    address = reader.address_of(link.href)
    if address is None:
        return ""
    relation = link.rel.removeprefix(GS1_VOCABULARY)
    told = [relation, urlsplit(address).hostname or "", link.type, *link.hreflang, *link.context]
    told += [reader.say("links.default")] if is_default else []
    about = html.escape(" · ".join(part for part in told if part))
    return (
        f'<li><a href="{html.escape(address)}" rel="nofollow noopener noreferrer">'
        f"<b>{html.escape(link.title)}</b><small>{about}</small></a></li>"
    )
