"""schemathesis reads the node's own description and holds the node to it, over plain HTTP, as its administrator."""

import asyncio
import sys
from pathlib import Path

import orjson
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from registry.value import HandleValue
from tests.resolver.http.lab import ADMINISTRATOR, SECRET, Client, lab

EXAMPLES = 25  # For each operation and phase: about 1,500 requests, a minute on one core.
HANDLES = {
    "88.118.1/A": (HandleValue(1, "URL", b"http://example.org/"), HandleValue(2, "DESC", "涤纶".encode())),
    "0": (HandleValue(1, "DESC", b"the name that generators like best"),),
}
EXCLUDED = (
    # A description cannot say which prefixes live here: a well-formed name of another is refused with 400.
    "positive_data_acceptance",
)
# Other methods are answered 501, as the reference server does, and 501 would count as a fault.
CONFIGURATION = """
[phases.coverage]
unexpected-methods = ["GET", "PUT", "POST", "DELETE"]
"""


@pytest.mark.timeout(400)
async def test_the_node_keeps_to_its_own_description(database_dsn: str, tmp_path: Path):
    (tmp_path / "configuration.toml").write_text(CONFIGURATION)
    async with lab(database_dsn, tmp_path / "node", HANDLES, plain_authentication=True) as node:
        process = await asyncio.create_subprocess_exec(
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", "configuration.toml", "run"),
            f"http://127.0.0.1:{node.port}/openapi.json",
            *("--checks", "all", "--exclude-checks", ",".join(EXCLUDED)),
            *("--max-examples", str(EXAMPLES), "--seed", "1", "--continue-on-failure", "--no-color"),
            *("--auth", f"{ADMINISTRATOR.replace(':', '%3A')}:{SECRET.decode()}"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    report = output.decode(errors="replace")
    assert process.returncode == 0, report.partition("= FAILURES =")[2].partition("= WARNINGS =")[0] or report
    assert " generated, " in report


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
