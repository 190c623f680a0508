"""Requests made beforehand, in the file from which the generator sends them (`struct record` in load.c)."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import orjson

from bench.native_questions import FLAGS
from resolver.wire.codes import OpCode
from resolver.wire.message import UNKNOWN_SERIAL, Message
from resolver.wire.query import Query

NOTHING: Final = -1
MICRO: Final = 1e6
KINDS: Final = 8  # Of requests that are counted apart.
RECORD: Final = struct.Struct("<QIIIHHBBH")
PLAIN: Final = "/:.-_~"  # What a name keeps in a path.
JSON: Final = "application/json"
TXT: Final = 16


@dataclass(frozen=True, slots=True)
class Request:
    """Octets to send, and what is right to answer. Request ids are written by the generator."""

    octets: bytes
    marker: bytes = b""  # what the answer holds; looked for in one of 16
    code: int = 0  # HTTP status, response code, rcode; 0 for what the protocol calls good
    identifiers: int = 1
    at: float = 0.0  # seconds from the beginning, for a plan that is scheduled
    target: int = 0  # which of the plan's targets
    after: int = NOTHING  # place in the pool of a request, to another target than the first, that is answered before
    kind: int = 0  # counted apart, below KINDS


def write_pool(path: Path, requests: Iterable[Request]) -> Path:
    """Requests in the order in which they will be sent."""
    with path.open("wb") as out:
        for one in requests:
            at = round(one.at * MICRO)
            shape = (
                at,
                len(one.octets),
                one.identifiers,
                one.after + 1,
                len(one.marker),
                one.code,
                one.target,
                one.kind,
                0,
            )
            out.write(RECORD.pack(*shape) + one.octets + one.marker)
    return path


def read_pool(path: Path) -> Iterator[Request]:
    """What was written."""
    octets, place = path.read_bytes(), 0
    while place < len(octets):
        at, length, identifiers, after, marked, code, target, kind, _ = RECORD.unpack_from(octets, place)
        begin = place + RECORD.size
        place = begin + length + marked
        request, marker = octets[begin : begin + length], octets[begin + length : place]
        yield Request(request, marker, code, identifiers, at / MICRO, target, after - 1, kind)


def http_get(path: str, marker: str = "", *, host: str = "localhost", headers: str = "", **more: Any) -> Request:
    """`path` as it stands on the wire. Each of `headers` ends its line."""
    octets = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode()
    return Request(octets, marker.encode(), **more)


def http_send(
    method: str, path: str, body: bytes, marker: bytes = b"", *, form: str = JSON, headers: str = "", **more: Any
) -> Request:
    """The same with a body."""
    headers = f"Host: localhost\r\nContent-Type: {form}\r\nContent-Length: {len(body)}\r\n{headers}"
    return Request(f"{method} {path} HTTP/1.1\r\n{headers}\r\n".encode() + body, marker, **more)


def resolution(name: str, **more: Any) -> Request:
    """One identifier over HTTP."""
    return http_get(f"/api/handles/{quote(name, safe=PLAIN)}", name, **more)


def batch(names: Sequence[str], missing: int = 0, **more: Any) -> Request:
    """Many identifiers over HTTP, of which so many are not found."""
    found = len(names) - missing
    marker = b'"counts":{"found":%d,"notFound":%d,' % (found, missing)
    return http_send("POST", "/api/resolve", orjson.dumps(names), marker, identifiers=found, **more)


def native(name: str, **more: Any) -> Request:
    """A resolution as the reference client asks it."""
    body = Query(name.encode()).to_wire()
    message = Message(2, 11, 2, 11, 0, 0, 0, OpCode.RESOLUTION, 0, FLAGS, UNKNOWN_SERIAL, 0, 0, 0, body, b"")
    return Request(message.to_wire(), name.encode(), **more)


def redis_get(key: str, marker: str = "", **more: Any) -> Request:
    octets = key.encode()
    return Request(b"*2\r\n$3\r\nGET\r\n$%d\r\n%b\r\n" % (len(octets), octets), marker.encode(), **more)


def dns_query(name: str, kind: int = TXT, marker: bytes = b"", **more: Any) -> Request:
    """One question, recursion not desired."""
    labels = b"".join(bytes([len(label)]) + label for label in name.encode().rstrip(b".").split(b"."))
    return Request(struct.pack(">HHHHHH", 0, 0, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, kind, 1), marker, **more)
