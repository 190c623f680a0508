"""What the resolver test suite of GS1 asks of a resolver, check by check, as it asks it: from one Digital Link.

The suite itself is a page for browsers that needs the Internet; these are its requests and its verdicts.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import jsonschema

from registry.schemes.gs1_keys import SEQUENCES
from tests.resolver.http.lab import Client, Reply

ORIGIN = {"Origin": "https://ref.gs1.org/test-suites/resolver/"}
ANYTHING = {**ORIGIN, "Accept": "*/*"}
GS1 = re.compile(r"https://(?:(?:ref|www)\.)?gs1\.org/voc/")
CONTEXT = 'rel="http://www.w3.org/ns/json-ld#context"'
_HREF = {"type": "string", "pattern": "^https?://[a-zA-Z0-9./]+"}
LINKSET_SCHEMA = {
    "type": "object",
    "required": ["linkset"],
    "additionalProperties": False,
    "properties": {
        "linkset": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["anchor"],
                "additionalProperties": False,
                "properties": {"anchor": _HREF, "description": {"type": "string"}},
                "patternProperties": {
                    r"(?!(anchor|description))(^[a-z-]+$)|(^https?://[a-zA-Z0-9./]+$)": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["href", "title"],
                            "additionalProperties": False,
                            "properties": {
                                "href": _HREF,
                                "title": {"type": "string"},
                                "hreflang": {"type": "array", "items": {"pattern": r"(^\w{2}$)|(^\w{2}-\w{2}$)"}},
                                "type": {"type": "string", "pattern": r"\w+/[-+.\w]+"},
                                "context": {"type": "array"},
                            },
                        },
                    }
                },
            },
        }
    },
}
KEYS = ["all", *SEQUENCES]
DESCRIPTION_SCHEMA = {
    "type": "object",
    "required": ["resolverRoot", "supportedPrimaryKeys"],
    "properties": {
        "resolverRoot": {"type": "string", "pattern": "^https?://"},
        "supportedPrimaryKeys": {"type": "array", "items": {"enum": KEYS}},
        "name": {"type": "string"},
        "supportedLinkType": {
            "type": "array",
            "items": {"properties": {"prefix": {"pattern": "^[a-zA-Z_][A-Za-z0-9_-]*?:$"}}},
        },
        "linkTypeDefaultCanBeLinkset": {"type": "boolean"},
        "contact": {"type": "object", "properties": {"fn": {"type": "string"}}},
        "jsonLdContextLocation": {"type": "string", "pattern": "^https?://"},
    },
}


class Suite:
    """Runs every check on one Digital Link."""

    def __init__(self, client: Client, link: str) -> None:
        self._client = client
        self.link = link
        self.path = urlsplit(link).path

    def ask(self, path: str, method: str = "GET", headers: Mapping[str, str] = ANYTHING) -> Reply:
        return self._client.ask(method, path, headers={**headers, "Host": urlsplit(self.link).netloc})

    def verdicts(self) -> Iterator[tuple[str, bool]]:
        yield from self._headers()
        yield from self._errors()
        yield from self._query()
        yield from self._walk_up()
        yield from self._description()
        yield from self._linkset()

    def _headers(self) -> Iterator[tuple[str, bool]]:
        for method in ("GET", "HEAD", "OPTIONS"):
            reply = self.ask(self.path, method)
            allowed = reply.headers["Access-Control-Allow-Methods"]
            yield f"corsCheck {method}", bool(reply.headers["Access-Control-Allow-Origin"])
            yield f"methodsCheck {method}", all(name in allowed for name in ("GET", "HEAD", "OPTIONS"))
            yield f"linkOnRedirect {method}", 'rel="linkset"' in reply.headers["Link"]
            yield f"legacyLinkHeaders {method}", 'rel="gs1:' not in reply.headers["Link"]
        slash, plain = self.ask(self.path + "/"), self.ask(self.path)
        yield "trailingSlash", (slash.status, slash.headers["Location"]) == (plain.status, plain.headers["Location"])

    def _errors(self) -> Iterator[tuple[str, bool]]:
        malformed, missing = self.ask(f"{self.path}/foo"), self.ask(f"{self.path}?linkType=gs1:nosuchlt")
        yield "reportWith400", malformed.status == 400
        yield "specificLinkTypeNotFound", missing.status == 404
        # It runs in a page of another origin, and reads nothing of an answer that is not open to that.
        yield "corsCheck of errors", all(one.headers["Access-Control-Allow-Origin"] for one in (malformed, missing))

    def _query(self) -> Iterator[tuple[str, bool]]:
        yield "qsPassedOn", "foo=bar" in self.ask(f"{self.path}?foo=bar").headers["Location"]

    def _walk_up(self) -> Iterator[tuple[str, bool]]:
        qualifier = {"01": "/10/KL8G", "414": "/254/KL8G"}.get(self.path.split("/")[1])
        if qualifier and self.path.count("/") == 2:
            yield "basicWalkUp", self.ask(self.path + qualifier).status != 404

    def _description(self) -> Iterator[tuple[str, bool]]:
        reply = self.ask("/.well-known/gs1resolver", headers={**ORIGIN, "Accept": "application/json"})
        jsonschema.validate(reply.json, DESCRIPTION_SCHEMA)
        yield "rdFile", reply.status == 200 and bool(reply.headers["Access-Control-Allow-Origin"])

    def _linkset(self) -> Iterator[tuple[str, bool]]:
        yield "ltLinksetNoRedirect", self.ask(f"{self.path}?linkType=linkset").status == 200
        accept = {**ORIGIN, "Accept": "application/linkset+json"}
        yield "ltAcceptHeader", self.ask(f"{self.path}?linkType=all", headers=accept).status == 200
        reply = self.ask(self.path, headers={"Accept": "application/linkset+json"})
        yield "validLinkset", reply.status == 200
        jsonschema.validate(reply.json, LINKSET_SCHEMA)
        contexts = [link for link in reply.headers["Link"].split(",") if CONTEXT in link]
        yield "linksetJsonldCheck", any('type="application/ld+json"' in link for link in contexts)
        yield "declaredContentType", reply.headers["Content-Type"] == "application/linkset+json"
        yield from self._links(reply.json["linkset"])

    def _links(self, linkset: list[Mapping[str, Any]]) -> Iterator[tuple[str, bool]]:
        """From the most exact level up; a type of links counts at the first level that has it."""
        seen: set[str] = set()
        link = self.link
        while link.count("/") > 3:
            for level in linkset:
                for relation, links in level.items() if level["anchor"] == link else ():
                    name = GS1.sub("gs1:", relation)
                    if name not in seen and name not in ("anchor", "description"):
                        seen.add(name)
                        yield from self._type(name, links)
            link = link.rsplit("/", 2)[0]
        yield "defaultLinkExists", "gs1:defaultLink" in seen

    def _type(self, name: str, links: list[Mapping[str, Any]]) -> Iterator[tuple[str, bool]]:
        if name == "gs1:defaultLink":
            yield "singleDefaultLink", len(links) == 1 and set(links[0]) == {"href", "title"}
            yield "defaultTarget", self.ask(self.path).headers["Location"] == links[0]["href"]
        elif len(links) == 1:
            yield "singleMultiLink", name != "gs1:defaultLinkMulti"
            yield f"lo {name}", self._leads(self.ask(f"{self.path}?linkType={name}"), name) == links[0]["href"]
        else:
            for place, link in enumerate(links):
                twins = [one for one in links if _said(one) == _said(link)]
                reply = self._ask_for(name, link)
                if len(twins) > 1:
                    yield f"300 {name} {place}", reply.status == 300
                else:
                    yield f"lo {name} {place}", self._leads(reply, name) == link["href"]

    def _ask_for(self, name: str, link: Mapping[str, Any]) -> Reply:
        query = [] if name == "gs1:defaultLinkMulti" else [f"linkType={name}"]
        query += [f"context={link['context'][0]}"] if "context" in link else []
        headers = {**ORIGIN, "Accept": link.get("type", "*/*")}
        headers |= {"Accept-Language": link["hreflang"][0]} if "hreflang" in link else {}
        return self.ask(f"{self.path}{'?' if query else ''}{'&'.join(query)}", headers=headers)

    def _leads(self, reply: Reply, name: str) -> str:
        """Where a redirect leads, without what was passed on."""
        location = reply.headers["Location"] or ""
        return re.sub(rf"[?&](?:linkType={re.escape(name)}|context=[^&]*)", "", location)


def _said(link: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(str(link.get(name)) for name in ("type", "hreflang", "context"))
