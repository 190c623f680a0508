"""schemathesis reads the node's own description and holds the node to it, over plain HTTP, as its administrator."""

import asyncio
from pathlib import Path

import orjson
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from registry.value import HandleValue
from tests.judges.description import broken_promises
from tests.resolver.http.lab import ADMINISTRATOR, SECRET, Client, lab

HANDLES = {
    "88.118.1/A": (HandleValue(1, "URL", b"http://example.org/"), HandleValue(2, "DESC", "涤纶".encode())),
    "0": (HandleValue(1, "DESC", b"the name that generators like best"),),
}
EXCLUDED = (
    # A description cannot say which prefixes live here: a well-formed name of another is refused with 400.
    "positive_data_acceptance",
)


@pytest.mark.timeout(400)
async def test_the_node_keeps_to_its_own_description(database_dsn: str, tmp_path: Path):
    async with lab(database_dsn, tmp_path / "node", HANDLES, plain_authentication=True) as node:
        address = f"http://127.0.0.1:{node.port}"
        broken = await broken_promises(
            address, tmp_path, identity=ADMINISTRATOR, secret=SECRET.decode(), excluded=EXCLUDED
        )
        assert not broken, broken


async def test_the_description_of_the_node_is_valid_in_both_languages(database_dsn: str, tmp_path: Path):
    async with lab(database_dsn, tmp_path) as node:
        for language in ("en", "zh"):
            reply = await asyncio.to_thread(_description, node.port, language)
            description = orjson.loads(reply)
            OpenAPIV31SpecValidator(description).validate()
            operations = [one for methods in description["paths"].values() for one in methods.values()]
            assert len({one["operationId"] for one in operations}) == len(operations)
            assert all(one["summary"].isascii() is (language == "en") for one in operations)


def _description(port: int, language: str) -> bytes:
    client = Client(port)
    try:
        return client.ask("GET", f"/openapi.json?lang={language}").body
    finally:
        client.close()
