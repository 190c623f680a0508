"""Link sets of identifiers (RFC 9264) as the GS1-Conformant Resolver Standard shapes them (2.10), and their context."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from registry.links import GS1_VOCABULARY, Link
from resolver.listeners.http.link_choice import Level
from resolver.listeners.http.target import Destinations, target_of

LINKSET: Final = "application/linkset+json"
JSON_LD: Final = "application/ld+json"
CONTEXT_PATH: Final = "/linkset-context.jsonld"
CONTEXT_LINK: Final = f'<{CONTEXT_PATH}>; rel="http://www.w3.org/ns/json-ld#context"; type="{JSON_LD}"'
DEFAULT_LINK: Final = f"{GS1_VOCABULARY}defaultLink"
VARIANTS: Final = f"{GS1_VOCABULARY}defaultLinkMulti"
# The tags that the standard's schema knows; of another one the language is shown.
_SHORT_TAG: Final = re.compile("[A-Za-z]{2}(?:-[A-Za-z]{2})?")

# What turns a link set into linked data (RFC 9264, appendix A, with titles and contexts as plain values).
CONTEXT: Final[Mapping[str, Any]] = {
    "@context": {
        "@version": 1.1,
        "@vocab": "http://www.iana.org/assignments/relation/",
        "gs1": GS1_VOCABULARY,
        "linkset": "@graph",
        "anchor": "@id",
        "href": "@id",
        "title": {"@id": "http://purl.org/dc/terms/title"},
        "type": {"@id": "http://purl.org/dc/terms/format"},
        "hreflang": {"@id": "http://purl.org/dc/terms/language", "@container": "@set"},
        "context": {"@id": f"{GS1_VOCABULARY}context", "@container": "@set"},
    }
}


def linkset(root: str, levels: Iterable[Level], allowed: Destinations) -> dict[str, Any]:
    """The link set of some identifiers; `root` is the address of the node."""
    every = list(levels)
    # The default of a more exact identifier has no variants above it: each refines the default beside it (2.5.8).
    deciding = next((level for level in every if level.default), None)
    return {"linkset": [_of_level(root, level, allowed, with_variants=level is deciding) for level in every]}


def choices(root: str, path: str, links: Iterable[Link], allowed: Destinations) -> dict[str, Any]:
    """A link set of those links among which a question does not choose."""
    return {"linkset": [{"anchor": root + path, **_by_relation(links, allowed)}]}


def _of_level(root: str, level: Level, allowed: Destinations, *, with_variants: bool) -> dict[str, Any]:
    form = {"anchor": root + level.path, **_by_relation(level.links, allowed)}
    if level.variants and with_variants:
        form[VARIANTS] = [shown for link in level.variants if (shown := _shown(link, allowed))]
    if level.default and (shown := _shown(level.default, allowed)):
        # "it SHALL include a title, but SHALL NOT include other attributes" (2.5.8)
        form[DEFAULT_LINK] = [{"href": shown["href"], "title": shown["title"]}]
    return form


def _by_relation(links: Iterable[Link], allowed: Destinations) -> dict[str, list[dict[str, Any]]]:
    by_relation: dict[str, list[dict[str, Any]]] = {}
    for link in links:
        if shown := _shown(link, allowed):
            by_relation.setdefault(link.rel, []).append(shown)
    return by_relation


def _shown(link: Link, allowed: Destinations) -> dict[str, Any] | None:
    """A link as it is followed here; None for one that nobody is sent to."""
    href = target_of(link.href, allowed)
    if href is None or not href.startswith(("http:", "https:")):
        return None
    form: dict[str, Any] = {"href": href, "title": link.title}
    if link.type:
        form["type"] = link.type
    if tags := [tag for tag in map(_short, link.hreflang) if tag]:
        form["hreflang"] = tags
    if link.context:
        form["context"] = list(link.context)
    return form


def _short(tag: str) -> str | None:
    if _SHORT_TAG.fullmatch(tag):
        return tag
    language = tag.partition("-")[0]
    return language if len(language) == 2 else None
