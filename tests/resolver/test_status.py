"""The status port: alive, ready and why not, figures that Prometheus reads, versions."""

import os
import shutil
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from registry.promises import Account, Probed, Standing
from registry.settings import RegistrySettings
from resolver.listeners.processes import figures
from resolver.listeners.promised import Promised
from resolver.listeners.status import REASONS, Reason, create_app, exposition
from resolver.reservation import PortTaken, reserve

TOOLS = Path(__file__).parents[2] / ".tools" / "usr" / "bin" / "promtool"


class Node:
    """A source whose state is what a test says."""

    def __init__(self, *why: Reason):
        self.why = list(why)

    def reasons(self):
        return self.why

    def notices(self):
        return [Reason("overload", "worker 1")]

    def processes(self):
        return {"supervisor": os.getpid(), "gone": 1 << 30}

    def restarts(self):
        return {"worker 1": 2}


def app(node: Node, dsn: str = ""):
    """The port of a node whose book is there or, without a DSN, is not yet."""
    return create_app(node, Promised(lambda: RegistrySettings(dsn=dsn)))


@pytest.fixture
async def client():
    async with TestClient(TestServer(app(Node(Reason("change_log", "worker 2", {"seconds": 3.25}))))) as client:
        yield client


async def test_a_node_that_is_not_ready_says_why_in_the_language_of_the_asker(client):
    async with client.get("/readyz") as response:
        assert response.status == 503
        (reason,) = (await response.json())["reasons"]
        assert reason["name"] == "change_log"
        assert reason["message"] == "worker 2 has not read the change log for 3.2 s"
    async with client.get("/readyz", headers={"Accept-Language": "zh-CN,zh;q=0.9"}) as response:
        (reason,) = (await response.json())["reasons"]
        assert reason["message"] == "worker 2 已 3.2 秒未读到变更日志"
        assert response.headers["Vary"] == "Accept-Language"


async def test_what_an_operator_should_know_is_told_beside_the_reasons(client):
    async with client.get("/readyz", headers={"Accept-Language": "zh-CN"}) as response:
        (notice,) = (await response.json())["notices"]
        assert notice == {"name": "overload", "part": "worker 1", "message": "worker 1 过载：未缓存的标识立即返回繁忙"}


async def test_it_is_shown_whether_memory_is_in_huge_pages(client):
    async with client.get("/readyz") as response:
        shown = (await response.json())["hugePages"]
    assert shown.keys() <= {"supervisor"}  # of a process that is gone nothing can be seen
    async with client.get("/metrics") as response:
        metrics = await response.text()
    assert all(f'filament_process_huge_page_bytes{{process="{name}"}}' in metrics for name in shown)


async def test_a_node_that_is_not_ready_is_alive(client):
    async with client.get("/healthz") as response:
        assert (response.status, await response.json()) == (200, {"alive": True})
    async with client.head("/healthz") as response:
        assert response.status == 200


async def test_a_ready_node_answers_200():
    async with TestClient(TestServer(app(Node()))) as client, client.get("/readyz") as response:
        assert response.status == 200
        assert (await response.json())["ready"] is True
        assert response.headers["Cache-Control"] == "no-store"


async def test_the_version_is_that_of_the_distribution(client):
    async with client.get("/version") as response:
        known = await response.json()
    assert {"version", "python", "aiohttp", "asyncpg", "uvloop"} <= known.keys()


@pytest.mark.parametrize("rule", REASONS)
def test_every_reason_can_be_said_with_what_parts_report(rule):
    culprit = {"part": "worker 1", "seconds": 1.0, "detail": "old", "address": "https://node.example"}
    assert all("worker 1" in sentence.format(**culprit) for sentence in REASONS[rule])


def test_figures_are_those_of_the_process():
    ours = figures(os.getpid())
    assert ours is not None
    assert ours.resident_octets > 1 << 20
    assert ours.threads >= 1
    assert ours.open_files >= 3
    with open("/proc/self/stat", "rb"):
        assert figures(os.getpid()).open_files > ours.open_files - 1
    assert figures(1 << 30) is None


def test_a_process_that_is_gone_has_no_figures_and_does_no_harm():
    families = {family.name: family for family in text_string_to_metric_families(exposition(Node(), None).decode())}
    assert [sample.labels for sample in families["filament_process_threads"].samples] == [{"process": "supervisor"}]
    assert families["filament_ready"].samples[0].value == 1
    assert families["filament_process_restarts"].samples[0].value == 2
    unready = exposition(Node(Reason("starting", "filament")), None).decode()
    assert "filament_ready 0.0" in unready


def test_workers_are_counted_together(tmp_path: Path):
    for number in (1, 2):
        value = values.MultiProcessValue(lambda number=number: number)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path)
        try:
            value("counter", "filament_tests", "filament_tests_total", (), (), "Tests.").inc(number)
        finally:
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]
    assert "filament_tests_total 3.0" in exposition(Node(), str(tmp_path)).decode()


def test_promtool_finds_nothing_to_say_of_the_figures():
    promtool = shutil.which("promtool") or (str(TOOLS) if TOOLS.exists() else None)
    if promtool is None:
        pytest.skip("promtool is neither on PATH nor in .tools")
    from resolver.metrics import Exposition, Metrics

    seen = Standing(
        (Account("resolve", 1, 0),), (Probed("http", 1, 1, 0.01, 0.01),), (), datetime(2026, 11, 1, tzinfo=UTC)
    )
    shown = exposition(Node(), None, seen) + _text_of(Exposition(Metrics()))
    done = subprocess.run([promtool, "check", "metrics"], input=shown, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _text_of(worker) -> bytes:
    from prometheus_client import generate_latest

    worker.flush()
    return generate_latest(worker.registry)


def test_a_port_that_another_program_has_is_refused_by_name():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)):
            reserve(["127.0.0.1"], port)


def test_a_port_that_another_node_would_share_is_refused():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortTaken):
            reserve(["127.0.0.1"], other.getsockname()[1])


def test_a_port_left_open_is_one_that_our_processes_can_share():
    held = reserve(["127.0.0.1"], 0)
    try:
        assert held.port
        with socket.socket() as worker:
            worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            worker.bind(("127.0.0.1", held.port))
            worker.listen()
            with socket.create_connection(("127.0.0.1", held.port), 5):
                pass
    finally:
        held.release()
