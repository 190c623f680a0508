"""b2handle 1.1.1 judges the HTTP API with its own integration tests: 41 of its 43 can pass without the Internet."""

from pathlib import Path

import pytest

from tests.judges.judge import outcomes
from tests.resolver.http.lab import lab

MODULES = (
    "handleclient_read_integration_test",
    "handleclient_write_integration_test",
    "handleclient_10320loc_write_integration_test",
)
# What cannot pass, whatever a server answers.
CANNOT_PASS = {
    "test_global_resolve": "asks the public resolver hdl.handle.net",
    "test_delete_handle_inexistent": "expects None where the library raises HandleNotFoundException",
}


@pytest.mark.judge
@pytest.mark.timeout(900)
async def test_every_test_of_b2handle_that_can_pass_passes(database_dsn: str, tmp_path: Path):
    async with lab(database_dsn, tmp_path) as node:
        results = await outcomes("b2handle", MODULES, node.port)
    failed = {name: outcome for name, outcome in results.items() if outcome != "passed"}
    assert failed.keys() == CANNOT_PASS.keys(), failed
    assert len(results) - len(failed) == 41
