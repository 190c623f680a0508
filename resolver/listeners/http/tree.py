"""/api/tree: a handle with everything that is packed in it or part of it, level by level, in one answer.

A phone at the gate asks for the pallet and has its 48 cakes. What is in a thing is told by the links of others
(`registry.relations`), kept like answers, and by lists of its own (`resolver.members`). Links that close a circle are
refused when they are written, and a handle that is in two places is shown in the first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson
from aiohttp import web

from registry.database import DATABASE_AWAY, refusal_of
from registry.errors import HandleError, InvalidHandle, ProtocolFault, ServerBusy
from registry.handle import HandleKey
from registry.language import Language, preferred
from registry.record import public
from registry.relations import RELATIONS, Relation
from registry.routes import Parameter, Route, percent_decode
from resolver.aliases import follow_many
from resolver.answer import Alias, Answer, Followed
from resolver.contents import Contents, Inside
from resolver.listeners.http.asking import ask_for
from resolver.listeners.http.conditional import caching_headers, private_headers
from resolver.listeners.http.handles import shows, values_body, whole_body
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.places import Places
from resolver.listeners.http.query import Query
from resolver.listeners.http.responses import ASKED, FOUND, HANDLE, refusal_form, respond
from resolver.members import listed_in

PATH: Final = "/api/tree/{handle}"
MAX_HANDLES: Final = 2_000  # Of a tree: a truck has 1,500 cakes, their boxes and pallets come to 300.
MAX_DEPTH: Final = 8  # Levels below the handle asked for: truck, pallet, box, cake.
DEPTH: Final = 4
MAX_REQUESTS: Final = 8  # At a time: a large one is made in one turn of the loop and stands in memory.
MAX_FIELDS: Final = 64
INSIDE: Final = (Relation.PART_OF, Relation.PACKED_IN)
_JSON: Final = "application/json"

Answers = Mapping[HandleKey, Answer | HandleError]


@dataclass(slots=True)
class _Node:
    """A handle of a tree, and by which link it came to its place."""

    key: HandleKey
    relation: Relation | None
    inside: list["_Node"] = field(default_factory=list)
    more: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """What is directly inside a handle, and whether there is more than that."""

    inside: tuple[str, ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class _Question:
    depth: int
    follow: frozenset[Relation]
    fields: frozenset[str]
    language: Language


class Trees:
    """Answers with trees."""

    def __init__(self, parts: Parts) -> None:
        self._resolver = parts.resolver
        self._contents = Contents(parts.resolver)
        self._places = Places(MAX_REQUESTS)

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        request[ASKED] = b""
        name = _name(placeholders["handle"])
        request[HANDLE] = name
        key = self._resolver.names.key_of(name.encode())
        ask_for(request, key)
        question = _question(request)
        with self._places.one():
            staleness = self._resolver.staleness
            root, top = await self._root(key)
            if not top.registered:
                return respond(request, whole_body(name, top), top.status)
            request[FOUND] = shows(top)
            _, answers = await self._grown(root, question)
            body = _rendered(root, {**answers, root.key: top}, question, name)
        headers = {**caching_headers(0, "", staleness), **private_headers(), "Vary": "Origin, Accept-Language"}
        return respond(request, body, headers=headers)

    async def branches(self, name: str, depth: int) -> dict[str, "Branch"]:
        """A handle and all that is below it, by name, the handle first and as it was written; a name that is none, or
        that nobody registered, is alone. Raises ServerBusy."""
        try:
            root, top = await self._root(self._resolver.names.key_of(name.encode()))
        except ServerBusy:
            raise
        except HandleError:
            return {name: Branch()}
        if not top.registered:
            return {name: Branch()}
        nodes, answers = await self._grown(root, _Question(depth, frozenset(INSIDE), frozenset(), "en"))
        spelt = {node.key: _spelt(node, answers[node.key]) for node in nodes} | {root.key: name}
        return {spelt[node.key]: Branch(tuple(spelt[one.key] for one in node.inside), more=node.more) for node in nodes}

    async def _root(self, key: HandleKey) -> tuple[_Node, Answer]:
        """The beginning of a tree; of an alias, the handle that it stands for."""
        outcomes: list[Answer | HandleError] = [await self._resolver.resolve(key)]
        await follow_many(self._resolver.names, outcomes, self._resolver.resolve_many)
        (answer,) = outcomes
        if isinstance(answer, HandleError):
            raise answer
        if isinstance(answer, Followed):
            key = self._resolver.names.key_of(answer.target.name)
        return _Node(key, None), answer

    async def _grown(self, root: _Node, question: _Question) -> tuple[list[_Node], Answers]:
        """Every handle of the tree, each once, and the answer for it. Marks where there is more than is shown."""
        nodes, seen, ahead = [root], {root.key}, [root]
        answers: dict[HandleKey, Answer | HandleError] = {}
        for _ in range(question.depth):
            inside = await self._inside(ahead, question, answers)
            level: list[_Node] = []
            for node in ahead:
                node.more = inside[node.key].more
                for relation, key in inside[node.key].links:
                    if key in seen:
                        continue
                    if len(seen) >= MAX_HANDLES:
                        node.more = True
                        break
                    seen.add(key)
                    node.inside.append(_Node(key, relation))
                level += node.inside
            nodes += level
            ahead = level
        inside = await self._inside(ahead, question, answers)
        for node in ahead:
            node.more = any(key not in seen for _, key in inside[node.key].links)
        return nodes, answers

    async def _inside(
        self, nodes: list[_Node], question: _Question, answers: dict[HandleKey, Answer | HandleError]
    ) -> Mapping[HandleKey, Inside]:
        """What is in these handles, by links of others and by their own lists; their answers go to `answers`."""
        keys = [node.key for node in nodes]
        try:
            inside = await self._contents.of(keys, question.follow)
        except DATABASE_AWAY as away:
            raise refusal_of(away) from None
        for key, answer in zip(keys, await self._resolver.resolve_many(keys), strict=True):
            answers[key] = answer
            if Relation.PACKED_IN not in question.follow or isinstance(answer, HandleError):
                continue
            if listed := listed_in(answer, self._resolver.store):
                linked = inside[key]
                inside[key] = Inside((*linked.links, *((Relation.PACKED_IN, one) for one in listed)), linked.more)
        return inside


def _rendered(node: _Node, answers: Answers, question: _Question, name: str = "") -> bytes:
    """The body of an answer with what is in the handle behind it; names as they are registered, but for the first."""
    outcome = answers[node.key]
    if isinstance(outcome, Alias):
        outcome = outcome.own()
    name = name or _spelt(node, outcome)
    inside = b",".join(_rendered(one, answers, question) for one in node.inside)
    link = b"" if node.relation is None else b',"relation":"%b"' % node.relation.name.encode()
    more = b',"more":true' if node.more else b""
    return b'%b%b,"contents":[%b]%b}' % (_shown(name, outcome, question)[:-1], link, inside, more)


def _spelt(node: _Node, outcome: Answer | HandleError) -> str:
    """The name as it is registered."""
    return (outcome.name if isinstance(outcome, Answer) and outcome.name else node.key).decode(errors="replace")


def _shown(name: str, outcome: Answer | HandleError, question: _Question) -> bytes:
    if isinstance(outcome, HandleError):
        return orjson.dumps(refusal_form(outcome, question.language, name))
    record = outcome.record if question.fields else None
    if record is None:
        return whole_body(name, outcome)
    return values_body(name, public(record.select(types=question.fields)), outcome)


def _question(request: web.Request) -> _Question:
    query = Query.from_request(request)
    depth = depth_of(query)
    follow, fields = _listed(query, "follow"), _listed(query, "fields")
    if unknown := sorted(follow - RELATIONS.keys()):
        raise _fault("follow", unknown[0], f"is none of {', '.join(RELATIONS)}")
    if len(fields) > MAX_FIELDS:
        raise _fault("fields", query.first("fields") or "", f"names more than {MAX_FIELDS}")
    relations = frozenset(RELATIONS[name] for name in follow) or frozenset(INSIDE)
    return _Question(depth or DEPTH, relations, fields, preferred(request.headers.get("Accept-Language")))


def depth_of(query: Query) -> int | None:
    """How many levels are asked for. Raises ProtocolFault."""
    depth = query.number("depth")
    if depth is not None and not 1 <= depth <= MAX_DEPTH:
        raise _fault("depth", str(depth), f"is not between 1 and {MAX_DEPTH}")
    return depth


def _listed(query: Query, name: str) -> frozenset[str]:
    return frozenset(part.strip() for text in query.every(name) for part in text.split(",") if part.strip())


def _fault(name: str, value: str, rule: str) -> ProtocolFault:
    return ProtocolFault("http.parameter", name=name, value=value[:40], rule=rule)


def _name(raw: str) -> str:
    try:
        return percent_decode(raw).decode()
    except UnicodeDecodeError:
        raise InvalidHandle("handle.not_utf8") from None


def route(trees: Trees) -> Route:
    node = {"type": "object", "required": ["responseCode", "handle", "contents"]}
    return Route(
        *("GET", PATH, trees.show, "tree"),
        f"A handle with what is packed in it or part of it, up to {MAX_HANDLES:,} handles in one answer.",
        f"一次返回标识及其包含的标识（如托盘及其丝饼），最多 {MAX_HANDLES:,} 个。",
        parameters=(
            Parameter(
                "depth",
                f"Levels below the handle; {DEPTH}.",
                f"向下的层数，默认 {DEPTH}。",
                {"type": "integer", "minimum": 1, "maximum": MAX_DEPTH},
            ),
            Parameter("fields", "Only values of these types, divided by commas.", "只返回这些类型的值（逗号分隔）。"),
            Parameter(
                "follow",
                f"Along which links, divided by commas; {', '.join(one.name for one in INSIDE)}.",
                f"沿哪些关联（逗号分隔），默认 {'、'.join(one.name for one in INSIDE)}。",
                {"type": "string", "examples": [",".join(RELATIONS)]},
            ),
        ),
        responses=dict.fromkeys((200, 400, 404, 410, 503, 508), _JSON),
        answers={200: node},
    )
