"""Codes of other systems asked of a running node: the record that is kept under the handle each of them is."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from resolver.node import Node
from tests.resolver.http.lab import URL, Client, lab, using

WRITINGS = {
    "oid/1.2.156.10001.5": ("1.2.156.10001.5", "urn:oid:1.2.156.10001.5", "/ISO/Member-Body/CN/10001/5"),
    "gs1/01/06901234567892/10/ABC": (
        *("(01)06901234567892(10)ABC", "https://id.gs1.org/01/06901234567892/10/ABC", "]C1010690123456789210ABC"),
        "/01/06901234567892/10/ABC",
    ),
    "gs1/01/06901234567892": ("6901234567892", "06901234567892"),
    "88.100.12345678/abc123": ("VAA08810012345678/abc123", "did:vaa:IDcontract1:88.100.12345678/abc123"),
    "ecode/10064ABC": ("ecode:10064ABC",),
    "ma/156.1003.1629/10.46100000.x": ("MA.156.1003.1629/10.46100000.x",),
    "did/bid/efnVUgqQFfYeu97ABf6sGm3WFtVXHZB2": ("did:bid:efnVUgqQFfYeu97ABf6sGm3WFtVXHZB2",),
}
COUNTED = """
SELECT concat_ws(' ', system, spelling), sum(successes)::int FROM resolution_count
JOIN prefix USING (prefix_id) WHERE period = 'day'
GROUP BY 1
"""
CODES = [(handle, code) for handle, codes in WRITINGS.items() for code in codes]


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, dict.fromkeys(WRITINGS, (URL,))) as node:
        yield node


def path_of(code: str) -> str:
    return f"/api/handles/{quote(code, safe='/:()')}"


async def test_every_writing_of_a_code_gives_the_record_kept_under_it(node: Node):
    def ask(client: Client) -> None:
        for handle, code in CODES:
            values = client.ask("GET", f"/api/handles/{handle}").json["values"]
            for _ in range(4):  # Parsed, known, remembered.
                answer = client.ask("GET", path_of(code))
                assert (answer.status, answer.json) == (200, {"responseCode": 1, "handle": code, "values": values}), (
                    code
                )
            assert client.ask("GET", path_of(code) + "?type=URL").json["values"] == values
            assert client.ask("GET", "/" + quote(code, safe="")).headers["Location"] == "http://example.org/x", code

    await using(node, ask)


async def test_codes_and_handles_stand_in_one_batch_in_their_order(node: Node):
    handles = [handle for handle, _ in CODES]
    mixed = [name for pair in CODES for name in pair]

    def ask(client: Client) -> None:
        for query in ("", "?type=URL", "?auth=true"):
            plain = client.ask("POST", f"/api/resolve{query}", handles).json["results"]
            answer = client.ask("POST", f"/api/resolve{query}", [*mixed, "1.2.156.007", "10.5/x", "did:x"]).json
            assert [one["handle"] for one in answer["results"][: len(mixed)]] == mixed
            assert [one["values"] for one in answer["results"][1 : len(mixed) : 2]] == [one["values"] for one in plain]
            assert [one["responseCode"] for one in answer["results"][len(mixed) :]] == [102, 301, 102]
            assert answer["counts"]["found"] == len(mixed)
        slashed = [code for _, code in CODES if "/" in code]  # Which go the way of plain names.
        for query in ("", "?auth=true"):
            answer = client.ask("POST", f"/api/resolve{query}", [*slashed, "88.118.1/read"]).json
            assert answer["counts"]["found"] == len(slashed) + 1

    await using(node, ask)


async def test_a_code_that_its_system_refuses_is_refused_with_the_reason(node: Node):
    def ask(client: Client) -> None:
        answer = client.ask("GET", path_of("1.2.156.007"), Accept_Language="zh")
        assert (answer.status, answer.json["responseCode"]) == (400, 102)
        assert "007" in answer.json["message"]

    await using(node, ask)


async def test_a_code_is_counted_under_its_system(database_dsn: str, tmp_path: Path):
    names = ["1.2.156.10001.5", "VAA08810012345678/abc123", "88.118.1/read"]

    def ask(client: Client) -> None:
        for _ in range(3):
            client.ask("GET", path_of(names[0]))
        client.ask("POST", "/api/resolve", names)
        client.ask("POST", "/api/resolve", names[1:])

    async with lab(database_dsn, tmp_path, dict.fromkeys(WRITINGS, (URL,))) as node:
        await using(node, ask)
    connection = await asyncpg.connect(database_dsn)
    try:
        counted = await connection.fetch(COUNTED)
    finally:
        await connection.close()
    assert dict(counted) == {"oid oid": 4, "handle 88.100.12345678": 2, "handle 88.118.1": 2}
