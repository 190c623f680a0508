"""schemathesis reads the description of the registry's own interface and holds it to that, as the node's operator."""

from pathlib import Path

import pytest
from aiohttp import web

from registry.api import create_app
from registry.enterprise import add_enterprise
from registry.settings import RegistrySettings
from registry.store import Store
from tests.judges.description import CONFIGURATION, broken_promises

EXCLUDED = (
    # A description cannot say which prefixes are free, or which loads there were.
    "positive_data_acceptance",
)
# The interface of the secondary-node software says in its envelope what it refuses, and 200 in HTTP.
ENVELOPED = """
[[operations]]
include-operation-id-regex = "^snms"
checks.negative_data_rejection.enabled = false
checks.ignored_auth.enabled = false
"""


@pytest.mark.timeout(400)
async def test_the_registry_keeps_to_its_own_description(database_dsn: str, tmp_path: Path):
    administrator = "300:0.NA/88.168.1"
    store = Store(
        RegistrySettings(
            dsn=database_dsn,
            administrators=(administrator,),
            plain_authentication=True,
            data_directory=str(tmp_path / "node"),
        ),
        "test",
    )
    await store.open()
    operator = await add_enterprise(store, "运营方", "Operator", "", "88.168.1", by="test")
    runner = web.AppRunner(create_app(store), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        broken = await broken_promises(
            f"http://{host}:{port}",
            tmp_path,
            identity=administrator,
            secret=operator.secret_key,
            excluded=EXCLUDED,
            configuration=CONFIGURATION + ENVELOPED,
        )
        assert not broken, broken
    finally:
        await runner.cleanup()
        await store.close()
