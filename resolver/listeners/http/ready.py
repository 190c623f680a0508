"""Whole HTTP answers to ordinary questions, made of octets without any request object.

Nothing here reads HTTP: a question is ordinary because aiohttp's parser said what it is, or because everything in it
but the name is, octet by octet, what that parser has read before (a known block: all that stands behind the target),
or fits its form.
Which answers may be given is the cache's to say at every single question, so there is no second table to keep exact.
A name that is not kept is asked for, and its answer, or its refusal, is made here when it comes.
"""

import re
from asyncio import get_running_loop
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from time import monotonic, time
from typing import Final, TypeVar

import orjson
from aiohttp import StreamReader
from aiohttp.http_parser import RawRequestMessage

from registry.errors import HandleError, PrefixNotHomed, ProtocolFault
from registry.handle import MAX_HANDLE, HandleKey
from registry.language import preferred
from registry.names import Names
from registry.rest import STATUS
from resolver.aliases import Aliases, Source
from resolver.answer import MISSING, NOT_RESPONSIBLE, Alias, Answer
from resolver.listeners.http.block_form import BlockForm, expression_of
from resolver.listeners.http.conditional import caching_headers
from resolver.listeners.http.connection import HEAD_END
from resolver.listeners.http.handles import NO_VALUES, Name, headers_of, shows, whole_body, whole_headers
from resolver.listeners.http.link_answers import REDIRECT, redirect_headers
from resolver.listeners.http.manner import ANY_TAG, Manner, manner_of
from resolver.listeners.http.ready_links import STARTS, ReadyLinks
from resolver.listeners.http.responses import BASE_HEADERS, JSON, refusal_form, refusal_head
from resolver.metrics import Metrics
from resolver.tally import Asker, Cell

PATH: Final = "/api/handles/"
ASK: Final = b"GET "
QUESTION: Final = ASK + PATH.encode()
LINK_QUESTIONS: Final = tuple(ASK + start for start in STARTS)
MAX_BLOCKS: Final = 4096  # Kinds of clients at a time; each kind sends the same headers with every question.
MAX_BLOCK: Final = 8192  # Octets; browsers with many cookies send about 4,000. All blocks take 32 MiB at most.
MAX_FORMS: Final = 256  # Kinds of clients at a time that send something else with every question.
MAX_HEADS: Final = 1024  # Times to live in use at a time; most registries use a handful.

# What may stand in a target without any escape, and is then the name itself (RFC 3986, section 2).
_PLAIN: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/"
_ESCAPED: Final = _PLAIN + b"%"
_MARK: Final = "\0"  # Where an ETag goes; no header holds it.
_BODY: Final = b'{"responseCode":1,"handle":""'  # What stands around a plain name in the body of a found answer.

_NOTHING: Final = len(NO_VALUES)  # The tail of an answer that shows values is longer.

_Known = TypeVar("_Known")


class ReadyAnswers:
    """What the connections of one server share. `blocks` are known, and everything about them is ordinary."""

    def __init__(
        self,
        source: Source,
        names: Names,
        metrics: Metrics,
        links: ReadyLinks | None = None,
        leads_on: Callable[[HandleKey], bool] = lambda _: False,
        *,
        traced: bool = False,
    ) -> None:
        """Without `links` every question for them goes the long way, and so do names for which there is nothing here
        where `leads_on` says that another node may be asked. When it is `traced`, so does all that must be read, for
        the head of a request may name a trace."""
        self._traced = traced
        self.blocks: dict[bytes, Manner] = {}
        self.forms: dict[bytes, BlockForm] = {}
        self._sights: set[int] = set()
        self._source = source
        self._peek = source.peek_fresh
        self._names = names
        self._aliases = Aliases(source, names)
        self._key_of = names.plain
        self._metrics = metrics
        self.tally = metrics.tally
        self._heads: dict[int, tuple[bytes, bytes]] = {}
        self._links = links
        self._leads_on = leads_on
        self._redirects: dict[int, bytes] = {}
        self._missing_head = _head(STATUS[MISSING.code], MISSING.ttl, "")
        self._second = 0
        self._date = b""

    def answer(self, name: bytes, manner: Manner, cell: Cell) -> bytes | None:
        """★ The answer for a name as it stands in a target; None when there is none to give at once."""
        if name.translate(None, _PLAIN):
            return self._answer_escaped(name, manner, cell)
        key = self._key_of(name)
        answer = self._peek(key)
        if answer is None:
            return self._answer_code(name, manner, cell)
        tail = answer.tail
        if len(tail) <= _NOTHING or manner.known is not None:
            return self._answer_peeked(name.decode("ascii"), key, manner, cell, answer)
        prefix = key.partition(b"/")[0]
        if cell.allowance is not None and (excess := cell.allowance.excess(prefix)) is not None:
            return self._render_outcome(name.decode("ascii"), excess.error(), manner)
        counts = cell.found
        counts[prefix] = counts.get(prefix, 0) + 1
        before, behind = self._heads.get(answer.ttl) or self._learn_head(answer.ttl)
        if int(time()) != self._second:
            self._tick()
        return b'%b%b%b%bContent-Length: %d%b{"responseCode":1,"handle":"%b"%b' % (
            before,
            answer.tag,
            behind,
            manner.opening,
            len(_BODY) + len(name) + len(tail),
            self._date,
            name,
            tail,
        )

    def answer_link(self, path: bytes, manner: Manner, cell: Cell) -> bytes | None:
        """★ The redirect of a path to its default link; None when the long way has to say."""
        links = self._links
        if links is None or manner.names_json:
            return None
        found = links.find(path)
        if found is None:
            return None
        _, prefix, ttl, lines = found
        if cell.allowance is not None and (excess := cell.allowance.excess(prefix)) is not None:
            return self._render_outcome(path.decode("ascii", "replace"), excess.error(), manner)
        counts = cell.found
        counts[prefix] = counts.get(prefix, 0) + 1
        before = self._redirects.get(ttl) or self._learn_redirect(ttl)
        if int(time()) != self._second:
            self._tick()
        return b"%b%bContent-Length: 0%b" % (before, lines, self._date)

    def ask(self, name: bytes, manner: Manner, asker: Asker, told: Callable[[bytes], None]) -> bool:
        """Has the answer made for a name that is not kept, for `told` to be called with; never within this call, and
        not at all when only aiohttp's way can answer."""
        if self._traced or self._source.staleness or not 0 < len(name) <= MAX_HANDLE or name.translate(None, _ESCAPED):
            return False
        if b"%" in name:
            try:
                named = Name.from_path(name.decode("ascii"))
            except HandleError:
                return False
            octets, asked = named.octets, named.text
        else:
            octets, asked = name, name.decode("ascii")
        try:
            key = self._names.key_of(octets)
        except HandleError:
            return False
        if self._leads_on(key):
            return False

        allowance = asker.cells[asker.address].allowance
        if allowance is not None and (excess := allowance.excess(key.partition(b"/")[0])) is not None:
            get_running_loop().call_soon(told, self._render_outcome(asked, excess.error(), manner))
            return True

        def render_and_tell(outcome: Answer | HandleError) -> None:
            asker.count(key, found=not isinstance(outcome, HandleError) and shows(outcome))
            told(self._render_outcome(asked, outcome, manner))

        self._aliases.ask(key, render_and_tell)
        return True

    def learn(self, octets: bytes, message: object, payload: StreamReader) -> BlockForm | None:
        """Knows the block of a question from its third time on, or its form, which the connection may hold its next
        blocks against. `octets` is what aiohttp parsed into `message`."""
        if not octets.startswith((QUESTION, *LINK_QUESTIONS)):
            return None
        block = octets[octets.find(b" ", len(ASK)) :]
        if block in self.blocks or len(block) > MAX_BLOCK:
            return None
        expression = expression_of(block)
        form = self.forms.get(expression)
        if form is not None:
            return form
        is_again, is_alike = self._is_again(block), self._is_again(expression)
        if not (is_again or is_alike) or not isinstance(message, RawRequestMessage) or not _agrees(octets, message):
            return None
        manner = manner_of(message, payload)
        if manner is None:
            return None
        if is_again:
            _keep(self.blocks, MAX_BLOCKS, block, manner)
            return None
        form = BlockForm(re.compile(expression), manner)
        _keep(self.forms, MAX_FORMS, expression, form)
        return form

    def _is_again(self, octets: bytes) -> bool:
        """Whether they were seen before. Most blocks never are again, so that only a number is kept of them."""
        sight = hash(octets)
        if sight in self._sights:
            return True
        if len(self._sights) >= MAX_BLOCKS:
            self._sights.clear()
        self._sights.add(sight)
        return False

    def count(self, answers: int, begun: float) -> None:
        """Counts answers that were given; `begun` is a moment of `monotonic`."""
        self._metrics.counts.ready += answers
        self._metrics.latency.observe(monotonic() - begun, answers)

    def _answer_code(self, name: bytes, manner: Manner, cell: Cell) -> bytes | None:
        key = self._names.known(name)
        answer = None if key is None else self._peek(key)
        if key is None or answer is None:
            return None
        return self._answer_peeked(name.decode("ascii"), key, manner, cell, answer)

    def _answer_peeked(
        self, asked: str, key: HandleKey, manner: Manner, cell: Cell, answer: Answer | None
    ) -> bytes | None:
        """The answer made of what is kept, which may be an alias."""
        if isinstance(answer, Alias):
            answer = self._aliases.peek(answer)
        if answer is None or (not answer.registered and self._leads_on(key)):
            return None
        prefix = key.partition(b"/")[0]
        if cell.allowance is not None and (excess := cell.allowance.excess(prefix)) is not None:
            return self._render_outcome(asked, excess.error(), manner)
        cell.count(prefix, found=shows(answer))
        return self._render(asked, answer, manner)

    def _answer_escaped(self, name: bytes, manner: Manner, cell: Cell) -> bytes | None:
        if name.translate(None, _ESCAPED):
            return None
        try:
            named = Name.from_path(name.decode("ascii"))
            key = self._names.key_of(named.octets)
        except HandleError:
            return None
        return self._answer_peeked(named.text, key, manner, cell, self._peek(key))

    def _render(self, asked: str, answer: Answer, manner: Manner) -> bytes:
        """★"""
        if answer is MISSING:
            before, behind = self._missing_head
            etag = ""
        elif not answer.registered:
            return self._octets(answer.status, headers_of(answer), manner, whole_body(asked, answer))
        else:
            before, behind = self._heads.get(answer.ttl) or self._learn_head(answer.ttl)
            etag = answer.etag
            if manner.known is not None and manner.known in (etag[1:-1], ANY_TAG):
                return self._octets(304, {**caching_headers(answer.ttl, etag), **BASE_HEADERS}, manner)
        body = whole_body(asked, answer)
        if int(time()) != self._second:
            self._tick()
        return b"%b%b%b%bContent-Length: %d%b%b" % (
            before,
            etag.encode("ascii"),
            behind,
            manner.opening,
            len(body),
            self._date,
            body,
        )

    def _render_outcome(self, asked: str, outcome: Answer | HandleError, manner: Manner) -> bytes:
        if outcome is NOT_RESPONSIBLE:
            outcome = PrefixNotHomed("prefix.not_homed")
        if isinstance(outcome, HandleError):
            language = preferred(manner.accept_language)
            form = refusal_form(outcome, language, None if isinstance(outcome, ProtocolFault) else asked)
            status, headers = refusal_head(outcome, language)
            return self._octets(status, {"Content-Type": JSON, **BASE_HEADERS, **headers}, manner, orjson.dumps(form))
        staleness = self._source.staleness
        if not staleness:
            return self._render(asked, outcome, manner)
        headers = headers_of(outcome, staleness)
        return self._octets(outcome.status, headers, manner, whole_body(asked, outcome))

    def _octets(self, status: int, headers: Mapping[str, str], manner: Manner, body: bytes | None = None) -> bytes:
        """An answer that nothing is prepared for."""
        if int(time()) != self._second:
            self._tick()
        length = b"" if body is None else b"Content-Length: %d" % len(body)
        date = self._date if length else self._date[2:]
        return b"%b%b%b%b%b" % (_lines(status, headers), manner.opening, length, date, body or b"")

    def _learn_head(self, ttl: int) -> tuple[bytes, bytes]:
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        head = self._heads[ttl] = _head(HTTPStatus.OK, ttl, _MARK)
        return head

    def _learn_redirect(self, ttl: int) -> bytes:
        if len(self._redirects) >= MAX_HEADS:
            self._redirects.clear()
        head = self._redirects[ttl] = _lines(REDIRECT, redirect_headers(ttl))
        return head

    def _tick(self) -> None:
        self._second = int(time())
        self._date = f"\r\nDate: {formatdate(self._second, usegmt=True)}\r\n\r\n".encode("ascii")


def _keep(known: dict[bytes, _Known], most: int, key: bytes, value: _Known) -> None:
    if len(known) >= most:
        known.clear()  # Those still in use are soon back.
    known[key] = value


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
    before, _, behind = _lines(status, whole_headers(ttl, etag)).partition(_MARK.encode())
    return before, behind


def _lines(status: int, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}".encode("ascii")
