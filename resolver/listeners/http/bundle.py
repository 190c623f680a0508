"""/api/bundle: many answers in one signed document, to be verified where there is no network, until it expires.

A workshop with poor Wi-Fi takes along what it is going to scan. The document holds the answers as /api/resolve gives
them, what anybody may read or what whoever asks for it sees, and the node's did:web document. With ?depth= it holds
what is packed in each handle, too, and says what is where.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web

from registry.documentation import VIEW_PARAMETER
from registry.errors import ProtocolFault
from registry.jose import BUNDLE, MEDIA_TYPE
from registry.routes import Parameter, Route
from registry.signing import Signer
from resolver.listeners.http.batch import BODY_SECONDS, MAX_BODY, Batch
from resolver.listeners.http.batch_forms import NDJSON_TYPES, framing_of, handles_schema, names_of
from resolver.listeners.http.body import read_body
from resolver.listeners.http.conditional import private_headers
from resolver.listeners.http.did import DidDocuments
from resolver.listeners.http.places import Places
from resolver.listeners.http.query import Query
from resolver.listeners.http.responses import BASE_HEADERS
from resolver.listeners.http.sight import Sight, Sights
from resolver.listeners.http.signatures import SIGNED_WITH, Signatures
from resolver.listeners.http.tree import MAX_DEPTH, Branch, Trees, depth_of

PATH: Final = "/api/bundle"
MAX_HANDLES: Final = 5_000  # Three trucks of pallets; ordinary records of so many are 3 MiB.
MAX_TREES: Final = 100  # Handles whose contents are taken along: each is looked for by itself.
MAX_OCTETS: Final = 16 << 20  # Of the answers together: a document is signed whole, so it stands in memory.
MAX_REQUESTS: Final = 4  # At a time: each may take five times as much memory as its answers.
HOURS: Final = 24
MAX_HOURS: Final = 720  # A month: what was changed since is not seen by whoever has the document.


class Bundles:
    """Answers for many handles in one document."""

    def __init__(
        self,
        batch: Batch,
        trees: Trees,
        documents: DidDocuments,
        signer: Signer,
        signatures: Signatures,
        sights: Sights,
    ) -> None:
        self._batch = batch
        self._trees = trees
        self._documents = documents
        self._signer = signer
        self._signatures = signatures
        self._sights = sights
        self._places = Places(MAX_REQUESTS)

    async def make(self, request: web.Request, _: Mapping[str, str]) -> web.StreamResponse:
        asked = framing_of(request)
        query = Query.from_request(request)
        hours, depth, algorithm = _hours(query), depth_of(query), self._signatures.algorithm(query)
        with self._places.one():
            names = names_of(await read_body(request, MAX_BODY, BODY_SECONDS), asked)
            _check_count(names)
            sight = await self._sights.of(request)
            node = orjson.dumps(await self._documents.node(request))
            position = self._signatures.place()
            contents = b""
            if depth is not None:
                _check_count(names, MAX_TREES)
                branches = await self._branches(names, depth, sight)
                names, contents = list(branches), b'"contents":%b,' % orjson.dumps(_inside(branches))
            answers = await self._batch.answers(request, names, MAX_OCTETS, sight)
            expires = self._signer.now() + hours * 3600
            until = datetime.fromtimestamp(expires, UTC).isoformat().replace("+00:00", "Z")
            payload = b'{"expires":"%b","node":%b,%b%b' % (until.encode(), node, contents, answers.removeprefix(b"{"))
            document = await asyncio.to_thread(self._sign, payload, algorithm, position=str(position), exp=expires)
            headers = {**private_headers(), **BASE_HEADERS, "Content-Type": MEDIA_TYPE}
            return web.Response(body=document, headers=headers)

    async def _branches(self, names: Sequence[str], depth: int, sight: Sight) -> dict[str, Branch]:
        """Everything that is in these handles, each once. Raises ProtocolFault and ServerBusy."""
        branches: dict[str, Branch] = {}
        for name in names:
            branches = await self._trees.branches(name, depth, sight) | branches
            _check_count(branches)
        return {name: branches[name] for name in [*names, *branches]}

    def _sign(self, payload: bytes, algorithm: str, **header: Any) -> bytes:
        """Some milliseconds for each MiB."""
        return self._signer.sign(BUNDLE, payload, algorithm, request=PATH, **header).to_json()


def _check_count(names: Collection[str], most: int = MAX_HANDLES) -> None:
    if len(names) > most:
        raise ProtocolFault("batch.too_many", limit=most)


def _inside(branches: Mapping[str, Branch]) -> dict[str, dict[str, Any]]:
    """Of each handle that has something in it."""
    return {
        name: {"contents": branch.inside, "more": branch.more}
        for name, branch in branches.items()
        if branch.inside or branch.more
    }


def _hours(query: Query) -> int:
    hours = query.number("hours")
    if hours is None:
        return HOURS
    if not 1 <= hours <= MAX_HOURS:
        rule = f"is not between 1 and {MAX_HOURS}"
        raise ProtocolFault("http.parameter", name="hours", value=str(hours), rule=rule)
    return hours


def route(bundles: Bundles) -> Route:
    return Route(
        *("POST", PATH, bundles.make, "bundle"),
        f"Up to {MAX_HANDLES:,} answers in one signed document that is verified without a network.",
        f"将至多 {MAX_HANDLES:,} 个标识的应答合为一个签名文档，可离线验证。",
        parameters=(
            Parameter(
                "hours",
                f"For how long it is valid; {HOURS}.",
                f"有效小时数，默认 {HOURS}。",
                {"type": "integer", "minimum": 1, "maximum": MAX_HOURS},
            ),
            Parameter(
                "depth",
                "Levels below each handle that are taken along; without it none.",
                "同时收入各标识所含标识的层数，默认不收入。",
                {"type": "integer", "minimum": 1, "maximum": MAX_DEPTH},
            ),
            VIEW_PARAMETER,
            SIGNED_WITH,
        ),
        request={"application/json": handles_schema(), NDJSON_TYPES[0]: {"type": "string"}},
        responses={200: MEDIA_TYPE} | dict.fromkeys((400, 401, 403, 408, 413, 503), "application/json"),
    )
