"""The forms in which many handles are asked for and answered at once: one JSON document, or a line for each.

A list is an array of names; lines are NDJSON, a name or an object with a `handle` on each. Both forms take both ways
of writing a name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web

from registry.errors import ProtocolFault
from resolver.listeners.http.body import JSON_TYPES
from resolver.listeners.http.responses import JSON

MAX_HANDLES: Final = 10_000  # Handles of one request: some ten megabytes of ordinary records, a few milliseconds.
NDJSON_TYPES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl")
_MAX_ACCEPT: Final = 500  # Characters of an Accept header that are read; browsers send about 150.


@dataclass(frozen=True, slots=True)
class Framing:
    """What stands around the results of an answer and between them. `closing` is behind them, with their counts."""

    content_type: str
    opening: bytes
    between: bytes
    closing: bytes

    def open(self, *first: bytes) -> list[bytes]:
        """What an answer begins with, in place of its first part, which has `between` in front of it as all have."""
        return [self.opening, *(part[len(self.between) :] for part in first)]

    def close(self, counts: Mapping[str, int], *, empty: bool) -> bytes:
        closing = self.closing % orjson.dumps(counts)
        return closing.lstrip() if empty else closing  # No line ends where there was none.


LIST: Final = Framing(JSON, b'{"responseCode":1,"results":[', b",", b'],"counts":%b}')
LINES: Final = Framing(NDJSON_TYPES[0], b"", b"\n", b'\n{"responseCode":1,"counts":%b}\n')


def framing_of(request: web.Request) -> Framing:
    """The form in which a request is written. Raises ProtocolFault."""
    if request.content_type in NDJSON_TYPES:
        return LINES
    if request.content_type in JSON_TYPES:
        return LIST
    named = request.headers.get("Content-Type", request.content_type)
    raise ProtocolFault("http.media_type", media_type=named[:80])


def accepted_framing(request: web.Request, asked: Framing) -> Framing:
    """The form that a client names in Accept; that of its request when it names both or neither."""
    named = {choice.partition(";")[0].strip() for choice in request.headers.get("Accept", "")[:_MAX_ACCEPT].split(",")}
    lines, whole = not named.isdisjoint(NDJSON_TYPES), not named.isdisjoint(JSON_TYPES)
    if lines is whole:
        return asked
    return LINES if lines else LIST


def names_of(body: bytes, framing: Framing) -> list[str]:
    """The names that a body holds, in its order. Raises ProtocolFault."""
    if framing is LINES:
        forms, place = _lines(body), "line %d"
    else:
        forms, place = _array(body), "$[%d]"
    if len(forms) > MAX_HANDLES:
        raise ProtocolFault("batch.too_many", limit=MAX_HANDLES)
    first = 1 if framing is LINES else 0
    return [form if type(form) is str else _named(form, place % number) for number, form in enumerate(forms, first)]


def _array(body: bytes) -> list[Any]:
    try:
        forms = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProtocolFault("json.syntax", reason=str(error)) from None
    if not isinstance(forms, list):
        raise ProtocolFault("json.field", path="$", rule="is no array of handles", value=repr(forms)[:40])
    return forms


def _lines(body: bytes) -> list[Any]:
    lines = body.split(b"\n", MAX_HANDLES + 1)
    if len(lines) > MAX_HANDLES + 1 and lines.pop().strip():
        raise ProtocolFault("batch.too_many", limit=MAX_HANDLES)
    while lines and not lines[-1].strip():
        lines.pop()  # The break behind the last line.
    return [_line(line, number) for number, line in enumerate(lines, 1)]


def _line(line: bytes, number: int) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ProtocolFault("json.syntax", reason=f"line {number}: {error}") from None


def _named(form: Any, place: str) -> str:
    name = form.get("handle") if isinstance(form, dict) else None
    if not isinstance(name, str):
        raise ProtocolFault("json.field", path=place, rule="names no handle", value=repr(form)[:40])
    return name


def handles_schema() -> Mapping[str, Any]:
    """The body in JSON, as OpenAPI describes it."""
    named = {"type": "object", "required": ["handle"], "properties": {"handle": {"type": "string"}}}
    return {"type": "array", "maxItems": MAX_HANDLES, "items": {"anyOf": [{"type": "string"}, named]}}


def cut(parts: list[bytes], octets: int) -> Iterator[list[bytes]]:
    """Parts in groups of so many octets, and one part more; one group when there are none."""
    if sum(map(len, parts)) <= octets:
        yield parts
        return
    begin, gathered = 0, 0
    for end, part in enumerate(parts):
        if gathered > octets:
            yield parts[begin:end]
            begin, gathered = end, 0
        gathered += len(part)
    yield parts[begin:]
