"""Where one walks to from an identifier: what it comes from, what it holds, and what says so of itself."""

import html
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

from registry.referring import MAX_REFERRING
from registry.relations import RELATIONS
from registry.value import HandleValue
from resolver.listeners.http.pages.attributes import Attribute, Kind, attribute_of
from resolver.listeners.http.pages.layout import Reader, name_parts

MAX_LINKS: Final = 2_000  # Of one value: the cakes of a truck; the JSON has the rest.

Ways = tuple[tuple[str, str], ...]
"""Identifiers, each with its page."""


def ways_in(value: HandleValue, reader: Reader) -> Ways:
    """The identifiers that a value consists of, with their pages; none when it says anything else."""
    lines = value.text.split("\n", MAX_LINKS)[:MAX_LINKS]
    pages = [(line, page) for line in lines if (page := reader.page_of(line)) is not None]
    return tuple(pages) if len(pages) == len(lines) else ()


def said(links: Iterable[tuple[Attribute, Ways]], own: str, reader: Reader) -> Iterator[str]:
    """Upwards in one card, and a card for each value that names members; `own` is the prefix of the page's handle."""
    up = [(attribute, pages) for attribute, pages in links if attribute.kind is not Kind.MEMBERS]
    if up:
        lines = "".join(_link(line, target, own, attribute.name) for attribute, pages in up for line, target in pages)
        yield f'<section class="card"><h2>{reader.say("record.up")}</h2><ul class="links">{lines}</ul></section>'
    for attribute, pages in links:
        if attribute.kind is Kind.MEMBERS:
            count = f"<small>{reader.say('record.count', count=len(pages))}</small>"
            lines = "".join(_link(line, target, own) for line, target in pages)
            heading = f"<h2>{reader.say('record.down')} {count}</h2>"
            yield f'<section class="card down">{heading}<ul class="links many">{lines}</ul></section>'


def referring(by: Sequence[tuple[str, str]], own: str, reader: Reader) -> Iterator[str]:
    """A card for each relation in which others stand to this one, or type of value by which they name it."""
    for relation, members in groupby(by, key=itemgetter(0)):
        found = [handle for _, handle in members]
        lines = [_link(handle, target, own) for handle in found if (target := reader.page_of(handle))]
        if lines:
            # As many as are read at a time: there may be more.
            number = f"{len(lines)}+" if len(found) >= MAX_REFERRING else str(len(lines))
            count = f"<small>{reader.say('record.count', count=number)}</small>"
            heading = f"<h2>{_heading(relation, reader)} {count}</h2>"
            yield f'<section class="card down">{heading}<ul class="links many">{"".join(lines)}</ul></section>'


def _heading(relation: str, reader: Reader) -> str:
    if relation in RELATIONS:
        return reader.say(f"relation.{relation}")
    attribute = attribute_of(relation, reader.language)
    if attribute.kind is Kind.MEMBERS:
        return reader.say("relation.inside")
    return reader.say("relation.other", name=attribute.name)


def _link(line: str, target: str, own: str, name: str = "") -> str:
    """A way on. The prefix is left out where it is that of the page: on a phone it would fill the line."""
    what = f"<small>{html.escape(name)}</small>" if name else ""
    prefix, _, suffix = line.partition("/")
    shown_name = f"<b>{html.escape(suffix)}</b>" if prefix.upper() == own.upper() else name_parts(line)
    return f'<li><a href="{html.escape(target)}">{what}<span class="name">{shown_name}</span></a></li>'
