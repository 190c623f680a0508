"""Any octets that a client puts where a target belongs: a well-formed answer, and never a fault of ours."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.value import HandleValue
from tests.resolver.http.lab import lab

HANDLES = {
    "88.168.1/A": (HandleValue(1, "URL", b"http://example.org/"), HandleValue(2, "DESC", "涤纶".encode())),
    "88.168.1/ALIAS": (HandleValue(1, "HS_ALIAS", b"88.168.1/A"),),
    "88.168.1/LOC": (HandleValue(1, "10320/loc", b'<locations><location href="http://example.org/"/></locations>'),),
    "88.168.1/NOURL": (HandleValue(2, "DESC", "涤纶".encode()),),
}
TIMEOUT = 60.0
HEAD = re.compile(
    rb"HTTP/1\.[01] (\d{3}) [^\r\n]*\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[\t\x20-\x7e\x80-\xff]*\r\n)+\r\n"
)
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n")

# What stands in a request line without ending it; the rest aiohttp refuses as no HTTP.
VISIBLE = st.lists(st.integers(0x21, 0xFF).filter(lambda octet: octet != 0x7F), max_size=60).map(bytes)
NAMES = st.sampled_from(
    [b"88.168.1/A", b"88.168.1/ALIAS", b"88.168.1/LOC", b"88.168.1/NOURL", b"hdl:", b"%", b"?", b"/"]
)
QUERIES = st.sampled_from([b"index=", b"type=", b"urlappend=", b"locatt=", b"country=", b"lang=", b"handle=", b"auth&"])
TARGETS = st.lists(st.one_of(NAMES, QUERIES, VISIBLE, st.sampled_from([b"?", b"&", b"api/handles/"])), max_size=6)


@pytest.fixture
async def port(database_dsn: str, tmp_path: Path) -> AsyncIterator[int]:
    async with lab(database_dsn, tmp_path, HANDLES) as node:
        yield node.port


async def ask(port: int, octets: bytes) -> bytes:
    """Everything that the node says to these octets before it ends the connection."""
    async with asyncio.timeout(TIMEOUT):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(octets)
            return await reader.read()
        finally:
            writer.close()


async def check_get(port: int, target: bytes, header: bytes = b"") -> int:
    """The status of an answer that is whole and well-formed."""
    answer = await ask(port, b"GET %b HTTP/1.1\r\nHost: a\r\n%bConnection: close\r\n\r\n" % (target, header))
    head = HEAD.match(answer)
    assert head, answer[:300]
    length = LENGTH.search(head[0])
    assert length is None or int(length[1]) == len(answer) - head.end()
    return int(head[1])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TARGETS, st.sampled_from([b"", b"Accept: application/json\r\n", b"Accept-Language: zh\r\n"]))
async def test_a_target_of_any_octets_is_answered_and_is_no_fault_of_ours(port, parts, header):
    assert await check_get(port, b"/" + b"".join(parts), header) < 500


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
async def test_octets_that_are_no_request_line_are_answered_and_are_no_fault_of_ours(port, octets):
    answer = await ask(port, b"GET /" + octets + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert HEAD.match(answer), answer[:300]
    assert not re.match(rb"HTTP/1\.[01] 5", answer), answer[:300]


STATUSES = [
    (b"/", 200),
    (b"/?handle=88.168.1/A", 302),
    (b"/88.168.1/A", 302),
    (b"/88.168.1/a", 302),
    (b"/88.168.1%2fA", 302),
    (b"/88.168.1/ALIAS", 301),
    (b"/88.168.1/LOC", 302),
    (b"/88.168.1/NOURL", 200),
    (b"/88.168.1/none", 404),
    (b"/99.1/A", 400),
    (b"/88.168.1/\xff", 400),
    (b"/88.168.1/\xe7\xba\xb1", 400),  # HTTP has targets in ASCII alone; browsers encode
    (b"/88.168.1/%E7%BA%B1", 404),
    (b"/88.168.1/%FF", 400),
    (b"/88.168.1/%", 400),
    (b"/88.168.1/%00", 404),
    (b"//88.168.1/A", 400),
    (b"/88.168.1/A?index=x", 400),
    (b"/88.168.1/A?%ff=%ff&lang=%00", 302),
    (b"/docs", 200),
    (b"/docs/../../../etc/passwd", 400),
    (b"/openapi.json", 200),
]


async def test_every_target_has_its_status(port):
    assert [(target, await check_get(port, target)) for target, _ in STATUSES] == STATUSES
