"""`filament resolve -`, beside a node that runs."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from resolver.node import Node
from tests.resolver.http.lab import URL, lab
from tests.resolver.test_cli import filament

READ = "88.118.1/READ"
NAMES = f"{READ}\r\n\n 88.118.1/涤纶 \n88.118.1/NONE\n10.1/A\n"


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, {"88.118.1/涤纶": (URL,)}) as node:
        yield node


async def test_names_from_standard_input_are_answered_in_their_order(node: Node):
    url = f"http://127.0.0.1:{node.port}"
    done = await asyncio.to_thread(filament, "resolve", "-", "--url", url, "--output", "json", stdin=NAMES, code=1)
    answers = json.loads(done.stdout)
    assert [(one["handle"], one["responseCode"]) for one in answers] == [
        (READ, 1),
        ("88.118.1/涤纶", 1),
        ("88.118.1/NONE", 100),
        ("10.1/A", 301),
    ]
    assert done.stderr.splitlines() == [
        "88.118.1/NONE: not found",
        "10.1/A: That prefix doesn't live here (response code 301)",
    ]


async def test_more_names_than_one_request_takes_are_asked_for_in_several(node: Node):
    url = f"http://127.0.0.1:{node.port}"
    line = ("resolve", "-", "--url", url, "--output", "ndjson", "--type", "URL")
    done = await asyncio.to_thread(filament, *line, stdin=f"{READ}\n" * 2500)
    rows = [json.loads(row) for row in done.stdout.splitlines()]
    assert len(rows) == 2500
    assert {(row["handle"], row["type"]) for row in rows} == {(READ, "URL")}
    assert node.metrics.counts.found >= 2500


async def test_no_names_are_answered_with_nothing(node: Node):
    line = ("resolve", "-", "--url", f"http://127.0.0.1:{node.port}", "--output")
    assert (await asyncio.to_thread(filament, *line, "json")).stdout == "[]\n"
    assert (await asyncio.to_thread(filament, *line, "ndjson")).stdout == ""
