"""What the reference server's web proxy answered, asked of ours: the same statuses, addresses and values."""

import asyncio
import html
import json
import re
from pathlib import Path

from tests.resolver.http.lab import Client, basic, lab

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "proxy.json").read_text(encoding="utf-8"))["vectors"]
ROW = re.compile(
    r'<tr><td class="index"[^>]*>(\d+)</td><td class="type"[^>]*>(.*?)</td><td class="data"[^>]*>(.*?)</td>', re.DOTALL
)


async def test_the_proxy_answers_as_the_reference_server_does(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path) as node:
        await asyncio.to_thread(replay, node.port)


def replay(port: int) -> None:
    plain, private = Client(port), Client(port, tls=True)
    try:
        for vector in VECTORS:
            client = private if vector["method"] == "PUT" else plain
            headers = basic() if vector["method"] == "PUT" else {}
            reply = client.ask(vector["method"], vector["path"], vector.get("body"), headers)
            compare(vector, reply)
    finally:
        plain.close()
        private.close()


def compare(vector, reply) -> None:
    name = vector["id"]
    assert reply.status == vector["status"], name
    assert reply.headers["Location"] == vector["headers"].get("Location"), name
    assert ("Expires" in reply.headers) is ("Expires" in vector["headers"]), name
    media_type = vector["headers"]["Content-Type"]
    assert reply.headers["Content-Type"].replace(" ", "") == media_type, name
    if vector["method"] == "HEAD":
        assert reply.body == b"", name
    if "rows" in vector:
        rows = [
            [int(index), plain_text(kind), plain_text(data)] for index, kind, data in ROW.findall(reply.body.decode())
        ]
        assert rows == vector["rows"], name


def plain_text(markup: str) -> str:
    return html.unescape(re.sub("<[^>]*>", "", markup))
