"""Whole HTTP answers to ordinary questions, made of octets without any request object.

Nothing here reads HTTP: a question is ordinary because aiohttp's parser said what it is, or because everything in it
but the name is, octet by octet, what that parser has read before (a known block: all that stands behind the target).
Which answers may be given is the cache's to say at every single question, so there is no second table to keep exact.
"""

from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from time import monotonic, time
from typing import Final

from aiohttp import EMPTY_PAYLOAD, HttpVersion11, StreamReader
from aiohttp.http_parser import RawRequestMessage

from registry.errors import HandleError
from registry.handle import HandleKey
from registry.rest import STATUS
from resolver.answer import MISSING, Answer
from resolver.listeners.http.handles import Name, whole_body, whole_headers
from resolver.metrics import Metrics

PATH: Final = "/api/handles/"
QUESTION: Final = b"GET " + PATH.encode()
HEAD_END: Final = b"\r\n\r\n"
MAX_BLOCKS: Final = 4096  # Kinds of clients at a time; each kind sends the same headers with every question.
MAX_BLOCK: Final = 8192  # Octets; browsers with many cookies send about 4,000. All blocks take 32 MiB at most.
MAX_HEADS: Final = 1024  # Times to live in use at a time; most registries use a handful.

# What may stand in a target without any escape, and is then the name itself (RFC 3986, section 2).
_PLAIN: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/"
_ESCAPED: Final = _PLAIN + b"%"
# Headers that change the answer, announce a body, or ask for more than an answer.
_TELLING: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"expect",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"origin",
        b"range",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_MARK: Final = "\0"  # Where an ETag goes; no header holds it.


class ReadyAnswers:
    """What the connections of one server share. `blocks` are known, and everything about them is ordinary."""

    def __init__(
        self, peek: Callable[[HandleKey], Answer | None], key_of: Callable[[bytes], HandleKey], metrics: Metrics
    ) -> None:
        """`peek` gives, and counts, only answers that are kept and fresh."""
        self.blocks: dict[bytes, None] = {}
        self._sights: set[int] = set()
        self._peek = peek
        self._key_of = key_of
        self._metrics = metrics
        self._heads: dict[int, tuple[bytes, bytes]] = {}
        self._missing_head = _head(STATUS[MISSING.code], MISSING.ttl, "")
        self._second = 0
        self._date = b""

    def answer(self, name: bytes) -> bytes | None:
        """★ The answer for a name as it stands in a target; None when there is none to give at once."""
        if name.translate(None, _PLAIN):
            return self._answer_escaped(name)
        answer = self._peek(self._key_of(name))
        return None if answer is None else self._render(name.decode("ascii"), answer)

    def answer_to(self, message: object, payload: StreamReader) -> bytes | None:
        """★ The answer to what aiohttp has parsed, if it is an ordinary question."""
        if not isinstance(message, RawRequestMessage) or not message.path.startswith(PATH):
            return None
        if not _is_ordinary(message, payload):
            return None
        return self.answer(message.path[len(PATH) :].encode("utf-8", "surrogateescape"))

    def learn(self, octets: bytes, message: object, payload: StreamReader) -> None:
        """Knows the block of a question from its third time on. `octets` is what aiohttp parsed into `message`."""
        if not octets.startswith(QUESTION):
            return
        block = octets[octets.find(b" ", len(QUESTION)) :]
        if block in self.blocks or len(block) > MAX_BLOCK:
            return
        sight = hash(block)
        if sight not in self._sights:  # Most blocks that are new are never seen again: they have a number in them.
            if len(self._sights) >= MAX_BLOCKS:
                self._sights.clear()
            self._sights.add(sight)
        elif isinstance(message, RawRequestMessage) and _is_ordinary(message, payload) and _agrees(octets, message):
            if len(self.blocks) >= MAX_BLOCKS:
                self.blocks.clear()  # Those still in use are soon back.
            self.blocks[block] = None

    def count(self, answers: int, begun: float) -> None:
        """Counts answers that were given; `begun` is a moment of `monotonic`."""
        self._metrics.counts.ready += answers
        self._metrics.latency.observe(monotonic() - begun, answers)

    def _answer_escaped(self, name: bytes) -> bytes | None:
        if name.translate(None, _ESCAPED):
            return None
        try:
            named = Name.from_path(name.decode("ascii"))
        except HandleError:
            return None
        answer = self._peek(self._key_of(named.full))
        return None if answer is None else self._render(named.text, answer)

    def _render(self, asked: str, answer: Answer) -> bytes:
        """★"""
        if answer is MISSING:
            before, behind = self._missing_head
        else:
            before, behind = self._heads.get(answer.ttl) or self._learn_head(answer.ttl)
        body = whole_body(asked, answer)
        if int(time()) != self._second:
            self._tick()
        return b"%b%b%b%d%b%b" % (before, answer.etag.encode("ascii"), behind, len(body), self._date, body)

    def _learn_head(self, ttl: int) -> tuple[bytes, bytes]:
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        head = self._heads[ttl] = _head(HTTPStatus.OK, ttl, _MARK)
        return head

    def _tick(self) -> None:
        self._second = int(time())
        self._date = f"\r\nDate: {formatdate(self._second, usegmt=True)}\r\n\r\n".encode("ascii")


def is_whole(message: object, payload: StreamReader) -> bool:
    """Whether a message ends with its head, and the connection goes on as it was."""
    return (
        isinstance(message, RawRequestMessage)
        and payload is EMPTY_PAYLOAD
        and not (message.should_close or message.upgrade or message.chunked)
    )


def _is_ordinary(message: RawRequestMessage, payload: StreamReader) -> bool:
    if not is_whole(message, payload) or message.method != "GET" or message.version != HttpVersion11:
        return False
    if not _TELLING.isdisjoint([name.lower() for name, _ in message.raw_headers]):
        return False
    accept = message.headers.get("Accept")
    return accept is None or "*/*" in accept or "json" in accept


def _agrees(octets: bytes, message: RawRequestMessage) -> bool:
    """That the parser's lines are ours is known, not believed: no folded line, no other end of a line, no other place
    where the target ends."""
    lines = octets.count(b"\r\n")
    target = message.path.encode("utf-8", "surrogateescape")
    return (
        octets.startswith(b"GET %b HTTP/1.1\r\n" % target)
        and b" " not in target
        and octets.endswith(HEAD_END)
        and lines == len(message.raw_headers) + 2 == octets.count(b"\n") == octets.count(b"\r")
        and b"\0" not in octets
    )


def _head(status: int, ttl: int, etag: str) -> tuple[bytes, bytes]:
    """What stands before an ETag, and behind it up to the length of the body."""
    headers = "".join(f"{name}: {text}\r\n" for name, text in whole_headers(ttl, etag).items())
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{headers}Content-Length: "
    before, _, behind = head.partition(_MARK)
    return before.encode("ascii"), behind.encode("ascii")
