"""Why there is no record: which part of the name is not known here, and what is registered under similar names."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from registry.standing import Standing
from resolver.listeners.http.pages.layout import Reader, name_parts, time_element
from resolver.listeners.http.pages.texts import TEXTS


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of a name that led nowhere: whether its prefix is answered for here, and whose that is."""

    prefix_known: bool
    enterprise: str = ""
    similar: Sequence[str] = ()


def refusal_page(status: int, message: str, handle: str, reader: Reader) -> str:
    """Why something cannot be answered, and the form to try another."""
    rule = f"refusal.{status}" if f"refusal.{status}" in TEXTS else "refusal.400"
    name = f'<p class="name">{name_parts(handle)}</p>' if handle else ""
    main = (
        f'<section class="card head"><h1>{reader.say(rule)}</h1>{name}'
        f'<p class="note">{html.escape(message)}</p></section>'
        f'<section class="card">{reader.form(handle)}</section>'
    )
    return reader.page(reader.say(rule), main, robots="noindex")


def tombstone_page(handle: str, standing: Standing, reader: Reader) -> str:
    """Why a handle that is registered is not resolved, and what came in its place."""
    title = reader.say(f"tombstone.{standing.state.word}")
    rows = [("since", time_element(datetime.fromtimestamp(standing.since, UTC)))]
    if standing.reason:
        rows.append(("reason", html.escape(standing.reason)))
    if standing.successor:
        rows.append(("successor", html.escape(standing.successor)))
    told = "".join(f"<div><dt>{reader.say(f'tombstone.{rule}')}</dt><dd>{text}</dd></div>" for rule, text in rows)
    page = reader.page_of(standing.successor) if standing.successor else None
    go = f'<a class="button" href="{html.escape(page)}">{reader.say("tombstone.go")}</a>' if page else ""
    main = (
        f'<section class="card head about"><h1>{title}</h1><p class="name">{name_parts(handle)}</p>'
        f'<p class="note">{reader.say(f"tombstone.{standing.state.word}_means")}</p>'
        f'<dl>{told}</dl><p class="go">{go}</p></section><section class="card">{reader.form("")}</section>'
    )
    return reader.page(title, main, robots="noindex")


def missing_page(handle: str, failure: Failure, reader: Reader) -> str:
    """Which part of a name is not registered."""
    prefix, slash, suffix = handle.partition("/")
    if failure.prefix_known:
        known = "missing.prefix_good" if failure.enterprise else "missing.prefix_here"
        first = ("good", "missing.prefix", prefix, reader.say(known, enterprise=failure.enterprise))
        second = ("bad", "missing.suffix", suffix, reader.say("missing.suffix_bad"))
    else:
        first = ("bad", "missing.prefix", prefix, reader.say("missing.prefix_bad"))
        second = ("open", "missing.suffix", suffix, reader.say("missing.suffix_unjudged"))
    parts = "".join(_part(*part, reader) for part in ((first, second) if slash else (first,)))
    title = reader.say("refusal.404")
    main = (
        f'<section class="card head"><h1>{title}</h1><p class="name">{name_parts(handle)}</p>'
        f'<ul class="parts">{parts}</ul></section>{_similar(failure.similar, reader)}'
        f'<section class="card">{reader.form(handle)}</section>'
    )
    return reader.page(title, main, robots="noindex")


def _part(kind: str, rule: str, text: str, verdict: str, reader: Reader) -> str:
    part = f'<small>{reader.say(rule)}</small><b class="name">{html.escape(text)}</b>'
    return f'<li class="{kind}">{part}<p>{verdict}</p></li>'


def _similar(similar: Sequence[str], reader: Reader) -> str:
    lines = "".join(
        f'<li><a href="{html.escape(page)}"><span class="name">{name_parts(handle)}</span></a></li>'
        for handle in similar
        if (page := reader.page_of(handle)) is not None
    )
    heading = reader.say("missing.near")
    return f'<section class="card"><h2>{heading}</h2><ul class="links">{lines}</ul></section>' if lines else ""
