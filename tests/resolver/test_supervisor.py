"""`filament up` on two cores: what crashes comes back, what is in flight is finished, nothing is left behind."""

import asyncio
import os
import signal
import socket
import ssl
import threading
from pathlib import Path

import asyncpg
import pytest

from registry.certificate import make_certificate, node_key
from resolver.child import Child, Order
from resolver.measurements import counted_together
from resolver.node import DRAIN
from tests.resolver.running_node import RunningNode, arguments, ask, is_running, text_of, until
from tests.resolver.test_cli import filament

HANDLE = "88.168.1/A"
FOUND = 1


@pytest.fixture
async def book_dsn(database_dsn: str, tmp_path: Path):
    """A book with one handle in it."""
    filament("enterprise", "add", "甲", "--prefix", "88.168.1", "--dsn", database_dsn)
    filament("register", HANDLE, "SPEC=111dtex/48f", "--dsn", database_dsn)
    return database_dsn


def resolved(url: str) -> bool:
    status, body = ask(f"{url}/api/handles/{HANDLE}")
    return (status, body["responseCode"]) == (200, FOUND)


async def somebody_waits_for_the_lock(connection):
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'handle'::regclass"
    while not await connection.fetchval(waiting):  # noqa: ASYNC110  # what is awaited happens in Postgres
        await asyncio.sleep(0.02)


async def test_a_killed_worker_comes_back_and_the_others_answer_meanwhile(book_dsn, tmp_path):
    with RunningNode(*arguments(book_dsn, tmp_path)) as node:
        url, status = node.ready()
        assert resolved(url)
        os.kill(killed := node.pid_of("worker 1"), signal.SIGKILL)
        node.hear("worker 1 ended with status -9")
        assert until(lambda: resolved(url), "an answer of the other worker")
        assert ask(f"{status}/healthz")[0] == 200
        assert node.pid_of("worker 1", count=2) != killed
        until(lambda: ask(f"{status}/readyz")[0] == 200, "readiness")
        for _ in range(8):
            assert resolved(url)
        shown = text_of(f"{status}/metrics")
        assert 'filament_process_restarts_total{process="worker 1"} 1.0' in shown
        os.kill(node.pid_of("worker 1", count=2), signal.SIGKILL)
        # One that became ready is not kept waiting for having ended before.
        node.hear("worker 1 ended with status -9; it is started again in 0.5 s", count=2)
        assert "filament_resolutions_total" in shown


async def test_a_killed_registry_comes_back(book_dsn, tmp_path):
    with RunningNode(*arguments(book_dsn, tmp_path, workers=1)) as node:
        _, status = node.ready()
        os.kill(node.pid_of("registry"), signal.SIGKILL)
        until(lambda: ask(f"{status}/readyz")[0] == 503, "unreadiness")
        _, body = ask(f"{status}/readyz", **{"Accept-Language": "zh"})
        assert all(reason["part"] == "registry" for reason in body["reasons"])
        node.pid_of("registry", count=2)
        until(lambda: ask(f"{status}/readyz")[0] == 200, "readiness")


async def test_what_is_in_flight_is_finished_before_the_node_stops(book_dsn, tmp_path):
    outcome = []
    with RunningNode(*arguments(book_dsn, tmp_path, workers=1, resolver__miss_deadline=60)) as node:
        url, _ = node.ready()
        locking = await asyncpg.connect(book_dsn)
        transaction = locking.transaction()
        await transaction.start()
        await locking.execute("LOCK TABLE handle IN ACCESS EXCLUSIVE MODE")
        asker = threading.Thread(target=lambda: outcome.append(resolved(url)))
        asker.start()
        await somebody_waits_for_the_lock(locking)
        node.signal(signal.SIGTERM)
        node.hear("Stopping")
        await transaction.rollback()
        await asyncio.to_thread(asker.join, 30)
        assert outcome == [True]
        assert await asyncio.to_thread(node.end) == 0
        await locking.close()
    assert "Stopped." in node.log[-1]


async def test_a_second_signal_does_not_wait_for_what_is_in_flight(book_dsn, tmp_path):
    with RunningNode(*arguments(book_dsn, tmp_path, workers=1, resolver__miss_deadline=60)) as node:
        url, _ = node.ready()
        worker = node.pid_of("worker 1")
        locking = await asyncpg.connect(book_dsn)
        async with locking.transaction():
            await locking.execute("LOCK TABLE handle IN ACCESS EXCLUSIVE MODE")
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as asker:
                asker.sendall(f"GET /api/handles/{HANDLE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                await somebody_waits_for_the_lock(locking)
                node.signal(signal.SIGINT)
                node.hear("Stopping")
                node.signal(signal.SIGINT)
                node.hear("worker 1 did not stop in time and is killed")
                assert await asyncio.to_thread(node.end) == 0
        await locking.close()
    assert not is_running(worker)


async def test_nothing_outlives_a_killed_supervisor_whatever_is_asked_and_its_ports_are_free(book_dsn, tmp_path):
    patient = {"resolver__miss_deadline": 60}
    with RunningNode(*arguments(book_dsn, tmp_path, **patient)) as node:
        url, _ = node.ready()
        port = int(url.rpartition(":")[2])
        children = [node.pid_of(part) for part in ("registry", "worker 1", "worker 2")]
        assert all(map(is_running, children))
        locking = await asyncpg.connect(book_dsn)
        async with locking.transaction():
            await locking.execute("LOCK TABLE handle IN ACCESS EXCLUSIVE MODE")
            with socket.create_connection(("127.0.0.1", port)) as asker:
                asker.sendall(f"GET /api/handles/{HANDLE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                await somebody_waits_for_the_lock(locking)
                node.process.kill()
                # Not after the seconds that a node which stops gives to what is in flight.
                until(lambda: not any(map(is_running, children)), "the end of every child", DRAIN / 2)
        await locking.close()
    with RunningNode(*arguments(book_dsn, tmp_path, resolver__port=port)) as successor:
        assert successor.ready()[0] == url
        assert resolved(url)


async def test_a_node_with_its_own_postgres_survives_the_death_of_it(tmp_path):
    data = tmp_path / "node"
    filament("enterprise", "add", "甲", "--prefix", "88.168.1", "--data-directory", str(data))
    with RunningNode(*arguments(None, data, workers=1)) as node:
        url, status = node.ready()
        filament("register", HANDLE, "SPEC=a", "--direct", "--data-directory", str(data))  # through its socket
        assert resolved(url)
        os.kill(int((data / "postgres/cluster/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        node.hear("Postgres ended")
        assert resolved(url)  # from the cache, whatever the database does
        node.hear("Postgres is ready", count=2)
        until(lambda: ask(f"{status}/readyz")[0] == 200, "readiness")
        missing = until(lambda: (answer := ask(f"{url}/api/handles/88.168.1/B"))[0] != 503 and answer, "the database")
        assert missing[1]["responseCode"] == 100
        node.signal(signal.SIGTERM)
        assert await asyncio.to_thread(node.end) == 0


@pytest.mark.parametrize(
    ("setting", "way_out"), [("resolver.port", "--port"), ("resolver.dns_port", "--set resolver.dns_port=")]
)
async def test_a_taken_port_is_named_with_the_way_out(book_dsn, tmp_path, setting, way_out):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = [*arguments(book_dsn, tmp_path), "--set", "resolver.dns_zone=oid-res.test", "--set", f"{setting}={port}"]
        refused = filament(*line, "--lang", "zh", code=1)
    assert f"端口 {port} 已被占用" in refused.stderr
    assert way_out in refused.stderr


async def test_sighup_has_the_certificate_read_again(book_dsn, tmp_path):
    key = node_key(tmp_path)
    certificate = tmp_path / "given.pem"

    def issue() -> None:
        from datetime import UTC, datetime

        (tmp_path / "new.pem").write_bytes(make_certificate(key, (), datetime.now(UTC)))
        (tmp_path / "new.pem").rename(certificate)

    issue()
    files = {"resolver__certificate": certificate, "resolver__private_key": tmp_path / "node-key.pem"}
    with RunningNode(*arguments(book_dsn, tmp_path, workers=1, **files)) as node:
        url, _ = node.ready()
        place = ("127.0.0.1", int(url.rpartition(":")[2]))
        first = ssl.get_server_certificate(place)
        issue()
        node.signal(signal.SIGHUP)
        until(lambda: ssl.get_server_certificate(place) != first, "the new certificate")
        assert resolved(url)


def test_what_a_killed_supervisor_left_is_cleared_away_and_nothing_else(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left = tmp_path / "filament-metrics-left"
    left.mkdir()
    (left / "lock").touch()
    (left / "counter_1.db").touch()
    with counted_together() as (ours, _):
        assert not left.exists()
        with counted_together():
            assert ours.exists()  # of a supervisor that lives
        assert ours.exists()
    assert list(tmp_path.iterdir()) == []


async def test_systemd_is_told_when_the_node_is_ready_and_when_it_stops(book_dsn, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(60)
        line = arguments(book_dsn, tmp_path, workers=1)
        asked = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        with RunningNode(*line, **asked) as node:
            states = [told.recv(100).decode()]
            while "READY=1" not in states:
                states.append((await asyncio.to_thread(told.recv, 100)).decode())
            assert states[0] == "WATCHDOG=1"
            node.signal(signal.SIGTERM)
            while "STOPPING=1" not in states:
                states.append((await asyncio.to_thread(told.recv, 100)).decode())
            assert await asyncio.to_thread(node.end) == 0


async def test_a_node_waits_for_a_database_that_is_not_there_and_says_so(tmp_path):
    line = arguments("postgresql://postgres@127.0.0.1:1/none", tmp_path, workers=1)
    with RunningNode(*line) as node:
        node.hear("the database cannot be reached, trying again")
        node.signal(signal.SIGTERM)
        assert await asyncio.to_thread(node.end) == 0


async def test_a_process_that_cannot_live_is_tried_again_and_can_be_stopped(monkeypatch, tmp_path):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    changed = asyncio.Event()
    child = Child(Order("worker 1", "no such program", {"settings": {}}), changed.set)
    child.start()
    while child.restarts < 1:
        changed.clear()
        await asyncio.wait_for(changed.wait(), 60)
    assert [reason.rule for reason in child.reasons()] == ["restarting"]
    await asyncio.wait_for(child.stop(60.0, asyncio.Event()), 30)
    assert [reason.rule for reason in child.reasons()] == ["stopping"]
    assert child.pid is None
