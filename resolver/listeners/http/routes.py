"""The table of what is served over HTTP, from which the OpenAPI description is made too."""

from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any, Final

from aiohttp import web

from registry.documentation import VIEW_PARAMETER, with_documentation
from registry.once import with_terms
from registry.openapi import Resolution, Values
from registry.record import MAX_INDEX
from registry.routes import FLAGS, Parameter, Route
from registry.several import MAX_OPERATIONS
from registry.trust import Trust
from registry.views import AS
from resolver.listeners.http import bundle, did, front, links, proxy, roots, static, tree, tunnel
from resolver.listeners.http.authorization import Authorization
from resolver.listeners.http.background import Background
from resolver.listeners.http.batch import Batch
from resolver.listeners.http.batch_forms import NDJSON_TYPES, handles_schema
from resolver.listeners.http.body import read_body
from resolver.listeners.http.elsewhere import OtherNodes
from resolver.listeners.http.explanations import EXPLAIN
from resolver.listeners.http.handles import SAME, Handles
from resolver.listeners.http.label import Labels
from resolver.listeners.http.parts import Parts
from resolver.listeners.http.prefixes import Prefixes
from resolver.listeners.http.sessions import SessionApi
from resolver.listeners.http.several import MAX_BODY, CheckForm, Several, TransactionForm
from resolver.listeners.http.sight import Sights
from resolver.listeners.http.signatures import SIGN, SIGNATURE, SIGNED_WITH, WHOLE, Signatures
from resolver.listeners.http.site import Site

TITLES: Final = ("Filament: resolution", "Filament：标识解析")

_JSON: Final = "application/json"
_FLAG: Final = {"type": "string", "enum": list(FLAGS)}
_CODE: Final = {"type": "integer"}
_TEXT: Final = {"type": "string"}
_INDEX: Final = {"type": "integer", "minimum": 0, "maximum": MAX_INDEX}


def _json(*statuses: int) -> dict[int, str]:
    """What a route with `callback` answers: JSON, or a script that hands it on."""
    return dict.fromkeys(statuses, f"{_JSON}, application/javascript")


def _object(**properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """The form of an answer whose members are all there."""
    return {"type": "object", "required": list(properties), "properties": properties}


PRETTY: Final = Parameter("pretty", "Indent the answer.", "缩进输出。", _FLAG)
CALLBACK: Final = Parameter("callback", "Function to hand the answer to (JSONP).", "接收结果的函数名（JSONP）。")
INDEX: Final = Parameter("index", "Values with these indexes.", "这些索引的值。", {"type": "array", "items": _INDEX})
TYPE: Final = Parameter(
    "type",
    "Values of these types; one that ends in '.' names all types that begin so.",
    "这些类型的值；以“.”结尾表示以其开头的所有类型。",
    {"type": "array", "items": {"type": "string"}},
)
INDEX_TO_WRITE: Final = Parameter(
    "index",
    "Write only these values: the indexes of the body, or 'various'.",
    "只写入这些值：请求体中的索引，或 various。",
    {"type": "array", "items": _TEXT},
)
OVERWRITE: Final = Parameter(
    "overwrite",
    "Whether to replace what is there; with 'same', what is there is refused only when it says something else.",
    "是否覆盖已有内容；same 表示内容相同时视为成功，不同时拒绝。",
    {"type": "string", "enum": [*FLAGS, SAME]},
)
IF_MATCH: Final = Parameter(
    "If-Match",
    "ETag of the whole record: write only if it is still this; '*': only if it is there.",
    "整条记录的 ETag：仅当记录未变时写入；“*”表示仅当标识已存在时写入。",
    place="header",
)
SELECTION: Final = (
    INDEX,
    TYPE,
    Parameter(
        "publicOnly",
        "Leave out what not everybody may read; true unless the request is authenticated.",
        "只返回公众可读的值；未认证时默认为 true。",
        _FLAG,
    ),
    VIEW_PARAMETER,
    Parameter("auth", "Ask the registry, not the cache.", "绕过缓存，直接查询注册库。", _FLAG),
    Parameter(
        "ignore_aliases", "Show an alias itself, not what it stands for.", "显示别名本身，而不是其指向的记录。", _FLAG
    ),
    Parameter(
        EXPLAIN,
        "Add how the answer came about, step by step, with the time of each; for one handle.",
        "在结果中附上解析过程的各个步骤及耗时；一次一个标识。",
        _FLAG,
    ),
    Parameter(
        SIGN,
        f"Sign the answer: true, with the signature in {SIGNATURE}; {WHOLE}, both in one document (RFC 7515).",
        f"对应答签名：true 时签名在 {SIGNATURE} 头中；{WHOLE} 时应答与签名合为一个文档（RFC 7515）。",
        {"type": "string", "enum": [*FLAGS, WHOLE]},
    ),
    SIGNED_WITH,
    Parameter("cert", "Accepted and without effect.", "接受此参数，但无作用。"),
    Parameter("doNotRefer", "Do not ask other nodes for what is not here.", "不代为查询其他节点。", _FLAG),
)
_OF_MANY: Final = ("index", "type", "publicOnly", AS, "auth", "ignore_aliases", "doNotRefer", EXPLAIN)
_NAMED: Final = _object(responseCode=_CODE, handle=_TEXT)
_SESSION: Final = _object(sessionId=_TEXT, nonce=_TEXT)
_NAMES: Final = {"type": "array", "items": _TEXT}
_COUNTS: Final = _object(found=_CODE, notFound=_CODE, refused=_CODE, busy=_CODE)
_RESULTS: Final = {"type": "array", "items": _object(responseCode=_CODE, handle=_TEXT)}
_CHECKED: Final = _object(handle=_TEXT, exists={"type": "boolean"}, version=_CODE, allowed={"type": "boolean"})
_LISTED: Final = _object(responseCode=_CODE, prefix=_TEXT, totalCount=_TEXT, handles=_NAMES)
_HOMED: Final = _object(responseCode=_CODE, totalCount=_TEXT, prefixes=_NAMES)


def routes(parts: Parts) -> tuple[Route, ...]:
    """Every route of the listener. The proxy's come last, because they take every path that is left."""
    authorization = Authorization(parts)
    signatures = Signatures(parts.signer, parts.position)
    sights = Sights(parts.registration, authorization)
    trees = tree.Trees(parts, sights)
    handles = Handles(parts, authorization, signatures)
    batch = Batch(parts, authorization, handles.explanations)
    documents = did.DidDocuments(parts)
    store, read = parts.resolver.store, _body_reader(parts.settings.resolver.request_octets)
    served = (
        *with_terms(store, read, (*_handle_routes(handles), *_prefix_routes(Prefixes(parts, authorization)))),
        *with_terms(store, _body_reader(MAX_BODY), _several_routes(Several(parts, authorization))),
        _batch_route(batch),
        tree.route(trees),
        bundle.route(bundle.Bundles(batch, trees, documents, parts.signer, signatures, sights)),
        *_session_routes(SessionApi(parts, authorization)),
        _site_route(Site(parts)),
        *roots.routes(roots.Roots(parts, authorization, signatures)),
        *did.routes(parts.settings.resolver.description, documents),
        Labels().route(),
        *front.routes(parts.settings.resolver.description),
        *static.routes(),
        *links.routes(
            parts,
            authorization,
            proxy.routes(
                parts.resolver,
                parts.settings.resolver,
                handles.resolve,
                _background(parts),
                OtherNodes(parts.recursion),
                sights.of,
            ),
            sights.of,
        ),
        *tunnel.routes(parts, authorization),
    )
    return with_documentation(served, TITLES, version("filament-node"))


def _body_reader(limit: int) -> Callable[[web.Request], Awaitable[bytes]]:
    async def read(request: web.Request) -> bytes:
        return await read_body(request, limit)

    return read


def _background(parts: Parts) -> Background:
    store = parts.resolver.store
    return Background(store, Trust(store, parts.registration.rights), parts.settings.resolver.similar_names)


def _handle_routes(handles: Handles) -> tuple[Route, ...]:
    path = "/api/handles/{handle}"
    minting = (
        Parameter("mintNewSuffix", "Make a new suffix behind the one given.", "在给定后缀之后生成新后缀。", _FLAG),
        Parameter(
            "minter", "Minter of the prefix that makes the whole suffix.", "由该前缀的此编码生成规则生成后缀。", _TEXT
        ),
        Parameter("line", "Line that the minter makes it for.", "生成规则所用的产线。", _TEXT),
    )
    paging = (
        Parameter("prefix", "The prefix, or its handle.", "前缀或其标识。", _TEXT, required=True),
        Parameter("page", "Which page, from 0.", "页码，从 0 开始。", _INDEX),
        Parameter("pageSize", "Names of a page; 0 only counts.", "每页数量；0 表示只计数。", _INDEX),
    )
    return (
        Route(
            *("GET", path, handles.resolve, "resolve", "Resolve a handle.", "解析标识。"),
            parameters=(*SELECTION, PRETTY, CALLBACK),
            responses=_json(200, 400, 401, 403, 404, 410, 503, 508) | {304: ""},
            answers={200: Resolution},
        ),
        Route(
            *("POST", path, handles.resolve_posted, "resolvePosted"),
            *("Resolve a handle, with the parameters in a JSON object.", "解析标识，参数写在 JSON 对象中。"),
            parameters=(PRETTY, CALLBACK),
            request={_JSON: {"type": "object"}},
            body_required=False,
            responses=_json(200, 400, 401, 403, 404, 408, 410, 413, 503, 508),
            answers={200: Resolution},
        ),
        Route(
            *("PUT", path, handles.put, "register"),
            *("Register a handle, replace it, or write some of its values.", "注册标识、替换标识或写入部分值。"),
            parameters=(INDEX_TO_WRITE, OVERWRITE, *minting, IF_MATCH, PRETTY, CALLBACK),
            request={_JSON: Values},
            responses=_json(200, 201, 400, 401, 403, 404, 408, 409, 412, 413, 422, 429, 503),
            answers={200: _NAMED, 201: _NAMED},
            authenticated=True,
        ),
        Route(
            *("DELETE", path, handles.delete, "delete"),
            *("Delete a handle, or some of its values.", "删除标识或部分值。"),
            parameters=(INDEX, IF_MATCH, PRETTY, CALLBACK),
            responses=_json(200, 400, 401, 403, 404, 409, 412, 422, 503),
            answers={200: _NAMED},
            authenticated=True,
        ),
        Route(
            *("GET", "/api/handles", handles.list, "list", "List the handles of a prefix.", "列出前缀下的标识。"),
            parameters=(*paging, PRETTY, CALLBACK),
            responses=_json(200, 400, 401, 403, 503),
            answers={200: _LISTED},
            authenticated=True,
        ),
    )


def _batch_route(batch: Batch) -> Route:
    return Route(
        *("POST", "/api/resolve", batch.resolve, "resolveMany"),
        "Resolve up to 10,000 handles in one request; each has a result of its own, in the order of the request.",
        "一次请求解析至多 10,000 个标识；按请求顺序逐个返回结果。",
        parameters=tuple(one for one in SELECTION if one.name in _OF_MANY),
        request={_JSON: handles_schema(), NDJSON_TYPES[0]: {"type": "string"}},
        responses={200: f"{_JSON}, {NDJSON_TYPES[0]}"} | dict.fromkeys((400, 401, 403, 408, 413, 503), _JSON),
        answers={200: _object(responseCode=_CODE, results=_RESULTS, counts=_COUNTS)},
    )


def _several_routes(several: Several) -> tuple[Route, ...]:
    written = _object(responseCode=_CODE, handle=_TEXT, created={"type": "boolean"}, version=_CODE)
    return (
        Route(
            *("POST", "/api/transactions", several.write, "writeSeveral"),
            f"Write up to {MAX_OPERATIONS} times in one transaction: all is done, or nothing and it is said why.",
            f"在一个事务中执行最多 {MAX_OPERATIONS} 次写入：全部成功，或全部不变并指出原因。",
            parameters=(PRETTY, CALLBACK),
            request={_JSON: TransactionForm},
            responses=_json(200, 400, 401, 403, 404, 408, 409, 412, 413, 503),
            answers={200: _object(responseCode=_CODE, results={"type": "array", "items": written})},
            authenticated=True,
        ),
        Route(
            *("POST", "/api/check", several.check, "check"),
            "Look at up to 10,000 names before they are written: what is there, and whether one may write it.",
            "写入前检查最多 10,000 个标识：是否存在、状态、版本，以及是否允许写入。",
            parameters=(PRETTY, CALLBACK),
            request={_JSON: CheckForm},
            responses=_json(200, 400, 401, 403, 408, 413, 503),
            answers={200: _object(responseCode=_CODE, results={"type": "array", "items": _CHECKED})},
            authenticated=True,
            on_terms=False,  # It reads.
        ),
    )


def _prefix_routes(prefixes: Prefixes) -> tuple[Route, ...]:
    path = "/api/prefixes/{prefix}"
    return (
        Route(
            *("GET", "/api/prefixes", prefixes.list, "listPrefixes"),
            *("List the prefixes answered for here.", "列出本节点的前缀。"),
            parameters=(PRETTY, CALLBACK),
            responses=_json(200, 400, 401, 403, 503),
            answers={200: _HOMED},
            authenticated=True,
        ),
        Route(
            *("POST", path, prefixes.home, "homePrefix", "Answer for a prefix here.", "将前缀纳入本节点。"),
            parameters=(PRETTY, CALLBACK),
            responses=_json(200, 400, 401, 403, 409, 503),
            answers={200: _NAMED},
            authenticated=True,
        ),
        Route(
            *("DELETE", path, prefixes.unhome, "unhomePrefix", "Leave a prefix to others.", "将前缀移出本节点。"),
            parameters=(PRETTY, CALLBACK),
            responses=_json(200, 400, 401, 403, 501, 503),
            answers={200: _NAMED},
            authenticated=True,
        ),
    )


def _session_routes(sessions: SessionApi) -> tuple[Route, ...]:
    this = "/api/sessions/this"
    return (
        Route(
            *("POST", "/api/sessions", sessions.open, "openSession", "Open a session.", "建立会话。"),
            parameters=(PRETTY, CALLBACK),
            request={_JSON: {"type": "object"}},
            body_required=False,
            responses=_json(201, 400, 401, 408, 413, 503) | {403: ""},
            answers={201: _SESSION},
        ),
        Route(
            *("PUT", this, sessions.answer, "answerChallenge", "Prove an identity.", "应答质询。"),
            parameters=(PRETTY, CALLBACK),
            request={_JSON: {"type": "object"}},
            body_required=False,
            responses=_json(200, 400, 408, 413, 503) | {403: ""},
            answers={200: _SESSION},
            authenticated=True,
        ),
        Route(
            *("GET", this, sessions.show, "showSession", "Show the session.", "查看会话。"),
            parameters=(PRETTY, CALLBACK),
            responses=_json(200, 400, 503) | {403: ""},
            answers={200: _SESSION},
            authenticated=True,
        ),
        Route(
            *("DELETE", this, sessions.end, "endSession", "End the session.", "结束会话。"),
            responses=_json(400, 503) | {204: "", 403: ""},
            authenticated=True,
        ),
    )


def _site_route(site: Site) -> Route:
    return Route(
        *("GET", "/api/site", site.show, "site", "What the node says of itself.", "节点的服务信息。"),
        parameters=(PRETTY, CALLBACK),
        responses=_json(200, 400),
        answers={200: _object(responseCode=_CODE, site={"type": "object"})},
    )
