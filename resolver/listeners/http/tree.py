"""/api/tree: a handle with everything that is packed in it or part of it, level by level, in one answer.

A phone at the gate asks for the pallet and has its 48 cakes. What is in a thing is told by the links of others
(`registry.relations`), kept like answers, and by lists of its own (`resolver.members`), as far as whoever asks sees the
values that say it. Links that close a circle are
refused when they are written, and a handle that is in two places is shown in the first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson
from aiohttp import web

from registry.database import DATABASE_AWAY, refusal_of
from registry.documentation import VIEW_PARAMETER
from registry.errors import HandleError, InvalidHandle, ProtocolFault, ServerBusy
from registry.handle import HandleKey
from registry.language import Language, preferred
from registry.record import public, select
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
from resolver.listeners.http.sight import Sight, Sights, Values
from resolver.members import listed_by, listed_in

PATH: Final = "/api/tree/{handle}"
MAX_HANDLES: Final = 2_000  # Of a tree: a truck has 1,500 cakes, their boxes and pallets come to 300.
MAX_DEPTH: Final = 8  # Levels below the handle asked for: truck, pallet, box, cake.
DEPTH: Final = 4
MAX_REQUESTS: Final = 8  # At a time: a large one is made in one turn of the loop and stands in memory.
MAX_FIELDS: Final = 64
INSIDE: Final = (Relation.PART_OF, Relation.PACKED_IN)
_JSON: Final = "application/json"


@dataclass(slots=True)
class _Node:
    """A handle of a tree, and by which link it came to its place."""

    key: HandleKey
    relation: Relation | None
    inside: list["_Node"] = field(default_factory=list)
    more: bool = False


@dataclass(slots=True)
class _Tree:
    """The handles of a tree, the answer for each, and what of its values is seen where that is not what everybody
    sees."""

    nodes: list[_Node]
    answers: dict[HandleKey, Answer | HandleError] = field(default_factory=dict)
    values: dict[HandleKey, Values] = field(default_factory=dict)


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
    sight: Sight


class Trees:
    """Answers with trees."""

    def __init__(self, parts: Parts, sights: Sights) -> None:
        self._sights = sights
        self._resolver = parts.resolver
        self._contents = Contents(parts.resolver)
        self._places = Places(MAX_REQUESTS)

    async def show(self, request: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
        request[ASKED] = b""
        name = _name(placeholders["handle"])
        request[HANDLE] = name
        key = self._resolver.names.key_of(name.encode())
        ask_for(request, key)
        question = _question(request, await self._sights.of(request))
        with self._places.one():
            staleness = self._resolver.staleness
            root, top = await self._root(key)
            if not top.registered:
                return respond(request, whole_body(name, top), top.status)
            request[FOUND] = shows(top)
            tree = await self._grown(root, top, question)
            tree.answers[root.key] = top
            body = _rendered(root, tree, question, name)
        vary = {"Vary": "Authorization, Origin, Accept-Language"}
        headers = {**caching_headers(0, "", staleness), **private_headers(), **vary}
        return respond(request, body, headers=headers)

    async def branches(self, name: str, depth: int, sight: Sight) -> dict[str, "Branch"]:
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
        tree = await self._grown(root, top, _Question(depth, frozenset(INSIDE), frozenset(), "en", sight))
        nodes = tree.nodes
        spelt = {node.key: _spelt(node, tree.answers[node.key]) for node in nodes} | {root.key: name}
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

    async def _grown(self, root: _Node, top: Answer, question: _Question) -> _Tree:
        """Every handle of the tree, each once, and the answer for it. Marks where there is more than is shown. Raises
        InvalidAdministrator, InsufficientPermission for a view that is not to be seen by who asks for it."""
        tree, seen, ahead = _Tree([root]), {root.key}, [root]
        if not question.sight.is_public and (record := top.record) is not None:
            tree.values[root.key] = await question.sight.of(record)
        for _ in range(question.depth):
            inside = await self._inside(ahead, question, tree)
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
            tree.nodes += level
            ahead = level
        inside = await self._inside(ahead, question, tree)
        for node in ahead:
            node.more = any(key not in seen for _, key in inside[node.key].links)
        return tree

    async def _inside(self, nodes: list[_Node], question: _Question, tree: _Tree) -> Mapping[HandleKey, Inside]:
        """What is in these handles, by links of others and by their own lists; their answers go to the tree."""
        keys, sight = [node.key for node in nodes], question.sight
        try:
            inside = await self._contents.of(keys, question.follow)
            if not sight.is_public:
                for key, hidden in (await self._contents.hidden(keys, question.follow, sight.beside)).items():
                    inside[key] = _both(inside[key], hidden)
        except DATABASE_AWAY as away:
            raise refusal_of(away) from None
        for key, answer in zip(keys, await self._resolver.resolve_many(keys), strict=True):
            tree.answers[key] = answer
            if isinstance(answer, HandleError):
                continue
            if not sight.is_public and key not in tree.values and (record := answer.record) is not None:
                tree.values[key] = await sight.beside(record)
            if Relation.PACKED_IN not in question.follow:
                continue
            store, values = self._resolver.store, tree.values.get(key)
            if listed := listed_in(answer, store) if values is None else listed_by(values, store):
                linked = inside[key]
                inside[key] = Inside((*linked.links, *((Relation.PACKED_IN, one) for one in listed)), linked.more)
        return inside


def _both(public: Inside, hidden: Inside) -> Inside:
    return Inside(tuple(sorted({*public.links, *hidden.links})), public.more or hidden.more)


def _rendered(node: _Node, tree: _Tree, question: _Question, name: str = "") -> bytes:
    """The body of an answer with what is in the handle behind it; names as they are registered, but for the first."""
    outcome = tree.answers[node.key]
    if isinstance(outcome, Alias):
        outcome = outcome.own()
    name = name or _spelt(node, outcome)
    inside = b",".join(_rendered(one, tree, question) for one in node.inside)
    link = b"" if node.relation is None else b',"relation":"%b"' % node.relation.name.encode()
    more = b',"more":true' if node.more else b""
    return b'%b%b,"contents":[%b]%b}' % (
        _shown(name, outcome, question, tree.values.get(node.key))[:-1],
        link,
        inside,
        more,
    )


def _spelt(node: _Node, outcome: Answer | HandleError) -> str:
    """The name as it is registered."""
    return (outcome.name if isinstance(outcome, Answer) and outcome.name else node.key).decode(errors="replace")


def _shown(name: str, outcome: Answer | HandleError, question: _Question, values: Values | None) -> bytes:
    if isinstance(outcome, HandleError):
        return orjson.dumps(refusal_form(outcome, question.language, name))
    if values is not None:
        return values_body(name, select(values, (), question.fields), outcome)
    record = outcome.record if question.fields else None
    if record is None:
        return whole_body(name, outcome)
    return values_body(name, public(record.select(types=question.fields)), outcome)


def _question(request: web.Request, sight: Sight) -> _Question:
    query = Query.from_request(request)
    depth = depth_of(query)
    follow, fields = _listed(query, "follow"), _listed(query, "fields")
    if unknown := sorted(follow - RELATIONS.keys()):
        raise _fault("follow", unknown[0], f"is none of {', '.join(RELATIONS)}")
    if len(fields) > MAX_FIELDS:
        raise _fault("fields", query.first("fields") or "", f"names more than {MAX_FIELDS}")
    relations = frozenset(RELATIONS[name] for name in follow) or frozenset(INSIDE)
    return _Question(depth or DEPTH, relations, fields, preferred(request.headers.get("Accept-Language")), sight)


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
            VIEW_PARAMETER,
        ),
        responses=dict.fromkeys((200, 400, 401, 403, 404, 410, 503, 508), _JSON),
        answers={200: node},
    )
