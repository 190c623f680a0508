"""The page of an identifier: what it is, where it comes from, what it holds, who registered it, how fresh that is.

Identifiers in values are links to their pages, so that one can walk from a pallet to a cake, its batch and its machine.
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from registry.labels.job import MEDIA_TYPES
from registry.labels.symbol import Symbology
from registry.links import links_of
from registry.rest import time_to_text
from registry.standing import Standing, State
from registry.template import Template
from registry.value import HandleValue
from registry.views import AUDIENCES
from resolver.listeners.http.pages.attributes import TITLES, Attribute, Kind, attribute_of
from resolver.listeners.http.pages.chain import Ways, referring, said, ways_in
from resolver.listeners.http.pages.layout import Reader, name_parts, time_element
from resolver.listeners.http.pages.links import links_card
from resolver.listeners.http.pages.values import shown, whole_data
from resolver.listeners.http.target import path_of

NARROW: Final = 60  # Characters of a value, its marks included, that may stand beside another one.
MAX_TITLE: Final = 120  # Characters of a value that heads a page.
_COLUMNS: Final = ("index", "type", "data", "ttl", "timestamp")


_SYMBOLS: Final = (("QR", Symbology.QR), ("Data Matrix", Symbology.DATAMATRIX))


@dataclass(frozen=True, slots=True)
class Origin:
    """Who registered a handle and when, whether its signatures hold, its template, and what others say of it; None or
    nothing for what could not be found out."""

    enterprise: str = ""
    registered_at: datetime | None = None
    signed: bool | None = None
    template: Template | None = None
    referring: tuple[tuple[str, str], ...] = ()  # By relation, or by the type of a value.


@dataclass(frozen=True, slots=True)
class Freshness:
    """When the answer was given, how far behind the registry it may be, and for how long that was not heard from."""

    at: float
    allowed: float
    staleness: float


@dataclass(frozen=True, slots=True)
class RecordPage:
    """What is shown of a handle: `values` are those that anybody may read, of the version that is there now."""

    handle: str
    values: Sequence[HandleValue]
    version: int
    origin: Origin
    freshness: Freshness
    standing: Standing | None = None
    unsafe: bool = False  # The registered address is none that visitors are sent to.
    alias: str = ""  # What was asked for, where it is another name of the handle.
    whose: str = ""  # With whose eyes it is seen, where these are not everybody's.


def record_page(page: RecordPage, reader: Reader) -> str:
    """The page of a handle."""
    values = _Values.of(page, reader)
    prefix = page.handle.partition("/")[0]
    notes = [reader.note("record.stale", seconds=round(page.freshness.staleness))] if page.freshness.staleness else []
    notes += [reader.note("record.unsafe")] if page.unsafe else []
    notes += [_eyes(page, reader)] if page.whose else []
    chain = (*said(values.links, prefix, reader), *referring(page.origin.referring, prefix, reader))
    linked = links_card(links_of(page.values), reader)
    facts = _facts(values, reader) if values.facts or not linked else ""
    left = "\n".join(filter(None, (*notes, facts, linked, *chain)))
    right = "\n".join((_about(page, reader), _label(page.handle, reader)))
    main = "\n".join(
        (
            _head(page, values, reader),
            f'<div class="columns"><div>{left}</div><div>{right}</div></div>',
            _every(page, reader),
            f'<section class="card quiet">{reader.form("")}</section>',
        )
    )
    return reader.page(values.title or html.escape(page.handle), main, robots="noarchive")


def _eyes(page: RecordPage, reader: Reader) -> str:
    """With whose eyes the page is seen, and where others' are: everybody's for whoever sees with his own."""
    address = reader.page_of(page.handle)
    others = ["public"] if page.whose == "own" else [audience for audience in AUDIENCES if audience != page.whose]
    links = " ".join(
        f'<a href="{html.escape(f"{address}&as={audience}")}">{reader.say(f"record.as_{audience}")}</a>'
        for audience in others
    )
    return f'<p class="note">{reader.say(f"record.seen_{page.whose}")} {links if address else ""}</p>'


@dataclass(frozen=True, slots=True)
class _Values:
    """The values by what they are on the page."""

    title: str
    facts: tuple[tuple[Attribute, HandleValue], ...]
    addresses: tuple[tuple[str, str], ...]
    links: tuple[tuple[Attribute, Ways], ...]

    @classmethod
    def of(cls, page: RecordPage, reader: Reader) -> "_Values":
        heading = _heading(page.values)
        facts, addresses, links = [], [], []
        for value in page.values:
            attribute = attribute_of(value.type, reader.language, page.origin.template)
            if attribute.kind is Kind.ADDRESS and (address := reader.address_of(value.text.strip())):
                addresses.append((address, urlsplit(address).hostname or address))
            elif links_of((value,)):
                continue  # In a card of their own.
            elif attribute.kind is not Kind.INTERNAL and (pages := ways_in(value, reader)):
                links.append((attribute, pages))
            elif attribute.kind is not Kind.INTERNAL and value is not heading:
                facts.append((attribute, value))
        title = "" if heading is None else html.escape(heading.text)
        return cls(title, tuple(facts), tuple(addresses), tuple(links))


def _heading(values: Sequence[HandleValue]) -> HandleValue | None:
    """The value that says in few words what the handle stands for."""
    for wanted in TITLES:
        for value in values:
            text = value.text
            if value.type.upper() == wanted and 0 < len(text) <= MAX_TITLE and text.isprintable() and text.strip():
                return value
    return None


def _head(page: RecordPage, values: _Values, reader: Reader) -> str:
    frozen = page.standing is not None and page.standing.state is State.FROZEN
    chips = [_chip("warn" if frozen else "good", reader.say("record.frozen" if frozen else "record.state"))]
    stale = bool(page.freshness.staleness)
    chips.append(_chip("warn" if stale else "good", reader.say("record.old" if stale else "record.current")))
    if page.origin.signed is not None:
        rule = "record.signed" if page.origin.signed else "record.unsigned"
        chips.append(_chip("good" if page.origin.signed else "warn", reader.say(rule)))
    by = f'<p class="by">{html.escape(page.origin.enterprise)}</p>' if page.origin.enterprise else ""
    go = "".join(
        f'<a class="button" href="{html.escape(address)}" rel="nofollow noopener noreferrer">'
        f"{reader.say('record.go')}<small>{html.escape(host)}</small></a>"
        for address, host in values.addresses
    )
    name = f'<p class="name">{name_parts(page.handle)}</p>'
    alias = f'<p class="by">{reader.say("record.alias", alias=page.alias)}</p>' if page.alias else ""
    title = f"<h1>{values.title}</h1>{name}" if values.title else f'<h1 class="name">{name_parts(page.handle)}</h1>'
    actions = f'<p class="go">{go}</p>' if go else ""
    return f'<section class="card head">{by}{title}{alias}<p class="chips">{"".join(chips)}</p>{actions}</section>'


def _chip(kind: str, text: str) -> str:
    return f'<span class="chip {kind}">{text}</span>'


def _facts(values: _Values, reader: Reader) -> str:
    if not values.facts:
        return "" if values.title or values.addresses or values.links else reader.note("record.empty")
    rows = ((html.escape(attribute.name), shown(value, attribute, reader)) for attribute, value in values.facts)
    return f'<section class="card"><h2>{reader.say("record.facts")}</h2>{_pairs(rows)}</section>'


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    return f"<dl>{''.join(_pair(name, text) for name, text in rows)}</dl>"


def _pair(name: str, text: str) -> str:
    wide = ' class="wide"' if len(text) > NARROW and "<time" not in text else ""
    return f"<div{wide}><dt>{name}</dt><dd>{text}</dd></div>"


def _about(page: RecordPage, reader: Reader) -> str:
    origin, freshness = page.origin, page.freshness
    prefix = page.handle.partition("/")[0]
    prefix_page = reader.page_of(f"0.NA/{prefix}")
    shown_prefix = html.escape(prefix)
    rows = [("by", html.escape(origin.enterprise))] if origin.enterprise else []
    rows.append(("prefix", f'<a href="{html.escape(prefix_page)}">{shown_prefix}</a>' if prefix_page else shown_prefix))
    if page.standing is not None and page.standing.reason:
        rows.append(("reason", html.escape(page.standing.reason)))
    if origin.registered_at is not None:
        rows.append(("since", time_element(origin.registered_at)))
    written = max((value.timestamp for value in page.values), default=0)
    if written:
        rows.append(("written", time_element(datetime.fromtimestamp(written, UTC))))
    rows.append(("version", reader.say("record.version_of", version=page.version)))
    if not freshness.staleness:
        rows.append(("freshness", _fresh(freshness, reader)))
    if origin.signed is not None:
        rows.append(("signature", reader.say("record.signature_holds" if origin.signed else "record.signature_open")))
    named = ((reader.say(f"record.{rule}"), text) for rule, text in rows)
    return f'<section class="card about"><h2>{reader.say("record.about")}</h2>{_pairs(named)}</section>'


def _fresh(freshness: Freshness, reader: Reader) -> str:
    at = time_element(datetime.fromtimestamp(freshness.at, UTC))
    return reader.say("record.fresh", time="\0", seconds=freshness.allowed).replace("\0", at)


def _label(handle: str, reader: Reader) -> str:
    """The code of this page, for whoever has it on a screen or on paper, and its label in every form."""
    address = html.escape(f"/api/label{path_of(handle)}")
    forms = "".join(
        f"<li>{name}: {' '.join(_form_link(address, symbol, form) for form in MEDIA_TYPES)}</li>"
        for name, symbol in _SYMBOLS
    )
    code = f'<img src="{address}?symbol=qr&amp;form=svg" alt="QR" width="132" height="132" loading="lazy">'
    caption = f"<figcaption>{reader.say('record.scan')}</figcaption>"
    return (
        f'<section class="card label"><h2>{reader.say("record.label")}</h2><figure>{code}{caption}</figure>'
        f'<ul class="forms">{forms}</ul></section>'
    )


def _form_link(address: str, symbol: Symbology, form: str) -> str:
    return f'<a href="{address}?symbol={symbol.value}&amp;form={form}" download>{form.upper()}</a>'


def _every(page: RecordPage, reader: Reader) -> str:
    rows = "\n".join(_row(value, reader) for value in page.values)
    heads = "".join(f'<th scope="col">{reader.say(f"record.{column}")}</th>' for column in _COLUMNS)
    address = html.escape(f"/api/handles{path_of(page.handle)}")
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    json = f'<p><a href="{address}?pretty">{reader.say("record.json")}</a></p>'
    return f'<details class="card"><summary>{reader.say("record.all")}</summary>{table}{json}</details>'


def _row(value: HandleValue, reader: Reader) -> str:
    ttl = time_to_text(value.ttl) if value.ttl_absolute else reader.say("record.seconds", seconds=value.ttl)
    written = time_to_text(value.timestamp)
    cells = (
        str(value.index),
        html.escape(value.type),
        whole_data(value, reader),
        ttl,
        f'<time datetime="{written}">{written}</time>',
    )
    return f"<tr>{''.join(_cell(column, cell, reader) for column, cell in zip(_COLUMNS, cells, strict=True))}</tr>"


def _cell(column: str, content: str, reader: Reader) -> str:
    return f'<td class="{column}" data-label="{reader.say(f"record.{column}")}">{content}</td>'
