"""An edge and its upstream as they stand in two places: two programs, and TLS between them."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from registry.certificate import NODE_CERTIFICATE, make_certificate, node_key
from registry.handle import Handle
from registry.settings import RegistrySettings
from registry.tokens import Tokens, Wanted
from registry.transaction import begin
from registry.value import HandleValue
from resolver.diagnosis import upstream as diagnosis
from resolver.diagnosis.finding import BAD, GOOD, Finding
from resolver.other_nodes import EdgeSettings
from resolver.settings import Settings
from tests.registry.books import reading
from tests.resolver.running_node import RunningNode, arguments, ask, until
from tests.resolver.test_cli import filament

CAKE = Handle.from_text("88.77/CAKE")


async def prepared(dsn: str) -> str:
    """A book with a prefix and a handle; the token of an edge."""
    async with reading(dsn) as store:
        async with begin(store, "test") as transaction:
            await transaction.home(CAKE.prefix)
        await store.load_prefixes()
        async with begin(store, "test") as transaction:
            await transaction.create(CAKE, (HandleValue(1, "DESC", b"old"),))
        return (await Tokens(store).issue(Wanted("edge", frozenset({"read"}), None), by="test")).token


async def change(dsn: str) -> None:
    async with reading(dsn) as store, begin(store, "test") as transaction:
        await transaction.replace(await transaction.lock(CAKE), (HandleValue(1, "DESC", b"new"),))


def told(url: str) -> str:
    return ask(f"{url}/api/handles/{CAKE}")[1]["values"][0]["data"]["value"]


def findings(settings: EdgeSettings, directory: Path) -> list[Finding]:
    """What `filament doctor` finds of the upstream's interfaces."""
    own = RegistrySettings(data_directory=str(directory))
    return asyncio.run(diagnosis.look(Settings(own, edge=settings))).findings


def reached(node: RunningNode, url: str, directory: Path, token: str) -> EdgeSettings:
    """How an edge reaches a node, whose self-made certificate it knows."""
    port = node.hear(r"the registry listens on 127\.0\.0\.1:(\d+)")[1]
    native = re.search(r"listening on port \d+, and (\d+)", node.hear("listening on port").string)[1]
    return EdgeSettings(
        upstream=(f"127.0.0.1:{native}",),
        address=url.replace("http:", "https:"),
        registry=f"https://127.0.0.1:{port}",
        token=token,
        authorities=str(directory / NODE_CERTIFICATE),
        interval=0.05,
    )


def test_an_edge_reads_and_hears_over_tls_of_whom_its_authorities_vouch_for(database_dsn: str, tmp_path: Path):
    token = asyncio.run(prepared(database_dsn))
    with RunningNode(*arguments(database_dsn, tmp_path / "upstream", workers=1)) as node:
        settings = reached(node, node.ready()[0], tmp_path / "upstream", token)
        given = {
            f"edge__{name}": getattr(settings, name) for name in ("address", "registry", "authorities", "interval")
        }
        line = arguments(None, tmp_path / "edge", workers=1, edge__upstream=settings.upstream[0], **given)
        with RunningNode(*line, FILAMENT_EDGE_TOKEN=token) as edge:
            url, status = edge.ready()
            until(lambda: ask(f"{status}/readyz")[0] == 200, "readiness")
            assert told(url) == "old"
            asyncio.run(change(database_dsn))
            until(lambda: told(url) == "new", "the change")
        assert [one.state for one in findings(settings, tmp_path / "doctor")] == [GOOD, GOOD]

        stranger = tmp_path / "stranger.pem"
        stranger.write_bytes(make_certificate(node_key(tmp_path), (), datetime.now(UTC)))
        wrong = findings(replace(settings, authorities=str(stranger)), tmp_path / "doctor")
        assert [one.state for one in wrong] == [BAD, BAD]
        assert all("CERTIFICATE_VERIFY_FAILED" in one.sentence("en") for one in wrong)
        assert all("authorities" in one.remedy("en") for one in wrong)
        line = arguments(None, tmp_path / "wrong", edge__upstream=settings.upstream[0], edge__token=token, **given)
        line += ["--set", f"edge.authorities={stranger}"]
        for language, remedy in (("en", "in [edge] authorities, or correct"), ("zh", "请在 [edge] authorities 中填写")):
            assert remedy in filament(*line, "--lang", language, code=2).stderr
