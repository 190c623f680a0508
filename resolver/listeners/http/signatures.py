"""Answers signed on request, "does not exist" included: by ?sign=true beside the answer, by ?sign=jws round it; with
?algorithm=SM2 in the national way, where the node can.

What is signed is the body as it is sent, octet by octet, and a header that says when, which request was answered, and
at which place of the change log: nothing that was changed before that place is missing in the answer. The place is a
cursor of the change feed, so that whoever keeps the answer can ask for what has happened since.
"""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from registry.errors import ProtocolFault, ServerBusy
from registry.feed import Cursor
from registry.jose import ALGORITHM, ANSWER, MEDIA_TYPE, ROOT, SM2_ALGORITHM, Signed, verify
from registry.routes import FLAGS, Parameter
from registry.signing import Signer, published_keys
from registry.store import Store
from resolver.listeners.http.conditional import private_headers
from resolver.listeners.http.query import Query
from resolver.listeners.http.responses import BASE_HEADERS

SIGN: Final = "sign"
ALGORITHM_PARAMETER: Final = "algorithm"
DEFAULT: Final = ALGORITHM
ALGORITHMS: Final = {DEFAULT: ALGORITHM, "SM2": SM2_ALGORITHM}
WHOLE: Final = "jws"  # ?sign=jws: one document that holds the answer and its signature.
SIGNATURE: Final = "X-JWS-Signature"  # As banks' interfaces call a detached signature; no standard names one.
SIGNED_WITH: Final = Parameter(
    ALGORITHM_PARAMETER,
    "With what to sign; SM2 where the node has the extra gm.",
    "签名算法；节点安装扩展 gm 后可用 SM2。",
    {"type": "string", "enum": [*ALGORITHMS]},
)
AGE: Final = ("Warning", "Age")  # Of an answer that may be out of date.


class Signatures:
    """`position` is where the node's caches stand in the change log; None before changes are heard."""

    def __init__(self, signer: Signer, position: Callable[[], Cursor | None]) -> None:
        self._signer = signer
        self._position = position

    def place(self) -> Cursor:
        """To be taken before an answer is made: a change heard meanwhile may not be in it. Raises ServerBusy."""
        position = self._position()
        if position is None:
            raise ServerBusy("server.busy")
        return position

    def sign(self, request: web.Request, query: Query, answer: web.StreamResponse, place: Cursor) -> web.Response:
        """The answer with its signature, in the form that was asked for. It is of one moment, so nobody keeps it."""
        assert isinstance(answer, web.Response)
        body = answer.body
        if not isinstance(body, bytes):
            return answer  # 304: the client has it already.
        target = request.raw_path.encode(errors="replace").decode()
        signed = self._signer.sign(ANSWER, body, self.algorithm(query), position=str(place), request=target)
        age = {name: answer.headers[name] for name in AGE if name in answer.headers}
        headers = {**private_headers(), **BASE_HEADERS, **age}
        if query.first(SIGN) == WHOLE:
            return web.Response(
                body=signed.to_json(), status=answer.status, headers=headers | {"Content-Type": MEDIA_TYPE}
            )
        headers |= {"Content-Type": answer.headers["Content-Type"], SIGNATURE: signed.detached}
        return web.Response(body=body, status=answer.status, headers=headers)

    def algorithm(self, query: Query) -> str:
        """What is to be signed with. Raises ProtocolFault for what the node does not sign with."""
        name = query.first(ALGORITHM_PARAMETER)
        if name is None:
            return ALGORITHMS[DEFAULT]
        known = [one for one, algorithm in ALGORITHMS.items() if algorithm in self._signer.algorithms]
        if name not in known:
            rule = f"is none of {', '.join(known)}, with which this node signs"
            raise ProtocolFault("http.parameter", name=ALGORITHM_PARAMETER, value=name[:40], rule=rule)
        return ALGORITHMS[name]

    async def root(self, store: Store, statement: str, algorithm: str) -> str:
        """The statement of a day's root as it was sealed, or what it says signed anew with another algorithm. Raises
        NotVerified for one that no key of this node sealed: nothing is signed because it stands in a table."""
        if algorithm == ALGORITHM:
            return statement
        sealed = Signed.from_json(statement)
        keys = {key.key_id: key for key in await published_keys(store)}
        header = verify(sealed, keys, ROOT, self._signer.now())
        return self._signer.sign(ROOT, sealed.payload, algorithm, position=header["position"]).to_json().decode()


def asks_for_signature(query: Query) -> bool:
    """Raises ProtocolFault."""
    asked = query.first(SIGN)
    if asked is None or asked == WHOLE:
        return asked is not None
    if asked.lower() not in FLAGS:
        raise ProtocolFault("http.parameter", name=SIGN, value=asked[:40], rule=f"is neither true, false nor {WHOLE}")
    return FLAGS[asked.lower()]
