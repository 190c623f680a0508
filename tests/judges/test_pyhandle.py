"""pyhandle 1.5.0 judges the HTTP API with its own integration tests: 22 of its 30 can pass without the Internet."""

from pathlib import Path

import pytest

from tests.judges.judge import outcomes
from tests.resolver.http.lab import lab

MODULES = ("handleclient_read_integration_test", "handleclient_write_integration_test")
# What cannot pass, whatever a server answers.
CANNOT_PASS = {
    "test_global_resolve": "asks the public resolver hdl.handle.net",
    "test_instantiate_with_credentials": "writes a credentials file without the key that the library demands",
    "test_instantiate_with_credentials_config": "writes a credentials file without the key that the library demands",
    "test_instantiate_with_credentials_config_override": "writes a credentials file without the key demanded",
    "test_instantiate_with_credentials_inexistentuser": "writes a credentials file without the key demanded",
    "test_delete_handle_inexistent": "expects None where the library raises HandleNotFoundException",
    "test_register_handle": "passes an argument that the library no longer has",
    "test_generate_and_register_handle": "calls a method that the library no longer has",
}


@pytest.mark.judge
@pytest.mark.timeout(900)
async def test_every_test_of_pyhandle_that_can_pass_passes(database_dsn: str, tmp_path: Path):
    async with lab(database_dsn, tmp_path) as node:
        results = await outcomes("pyhandle", MODULES, node.port)
    failed = {name: outcome for name, outcome in results.items() if outcome != "passed"}
    assert failed.keys() == CANNOT_PASS.keys(), failed
    assert len(results) - len(failed) == 22
