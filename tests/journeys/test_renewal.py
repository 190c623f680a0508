"""Every process of a node is replaced while clients ask on and on: nobody is turned away, over any protocol."""

import asyncio
import json
import re
import signal
import socket
import struct
from collections import Counter
from pathlib import Path

import pytest

from bench.restless import WAYS, Count, Target, ask_on_and_on
from resolver import control
from tests.resolver.running_node import RunningNode, arguments, ask, is_running, until
from tests.resolver.test_cli import filament

# Processes and programs are started one after the other, and each has to become ready beside those that answer.
pytestmark = pytest.mark.timeout(400)

HANDLES = [f"88.168.1/{number}" for number in range(20)]
ZONE = "oid-res.test"
PAUSE = 0.01  # Seconds between an answer and the next question: the new processes need the processor too.
LEAST = 200  # Questions of each way that are asked while processes change.


def rows_of_handles(tmp_path: Path) -> Path:
    rows = [{"handle": handle, "values": [{"index": 1, "type": "SPEC", "data": "a"}]} for handle in HANDLES]
    file = tmp_path / "handles.ndjson"
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def write_book(given: list[str], tmp_path: Path) -> None:
    filament("enterprise", "add", "甲", "--prefix", "88.168.1", *given)
    filament("load", str(rows_of_handles(tmp_path)), *given)


def target_of(node: RunningNode) -> Target:
    port, native = re.search(r"listening on port (\d+), and (\d+) for", node.hear("listening on port").string).groups()
    return Target(int(port), int(native), HANDLES)


async def test_no_question_is_lost_while_every_process_is_replaced(database_dsn, tmp_path):
    await asyncio.to_thread(write_book, ["--dsn", database_dsn], tmp_path)
    with RunningNode(*arguments(database_dsn, tmp_path)) as node:
        _, status = node.ready()
        former = [node.pid_of(part) for part in ("registry", "worker 1", "worker 2")]
        count, renewed = Count(), asyncio.Event()
        enough = lambda: renewed.is_set() and all(count.asked[way] > LEAST for way in WAYS)  # noqa: E731  # one line says it
        asking = asyncio.create_task(ask_on_and_on(target_of(node), count, enough, clients=1, pause=PAUSE))
        for _ in range(2):
            outcome = await asyncio.to_thread(control.order, tmp_path, "renew")
            assert outcome == {"failed": ""}
        renewed.set()
        await asking
        assert count.failed == {}
        later = [node.pid_of(part, 3) for part in ("registry", "worker 1", "worker 2")]
        assert not set(former) & set(later)
        assert ask(f"{status}/readyz")[0] == 200


async def test_no_question_is_lost_while_the_program_is_replaced_with_its_own_postgres(tmp_path):
    data = tmp_path / "node"
    given = ["--data-directory", str(data)]
    with RunningNode(*arguments(None, data, workers=1)) as node:
        _, status = node.ready()
        await asyncio.to_thread(write_book, given, tmp_path)
        postgres = (data / "postgres/cluster/postmaster.pid").read_text().split()[0]
        count, renewed = Count(), asyncio.Event()
        enough = lambda: renewed.is_set() and all(count.asked[way] > LEAST for way in WAYS)  # noqa: E731  # one line says it
        asking = asyncio.create_task(ask_on_and_on(target_of(node), count, enough, clients=1, pause=PAUSE))
        done = await asyncio.to_thread(filament, "upgrade", *given)
        assert "Every process of the node is new" in done.stderr
        renewed.set()
        await asking
        assert count.failed == {}
        node.hear("another program takes over")
        assert (data / "postgres/cluster/postmaster.pid").read_text().split()[0] == postgres
        assert node.pid_of("worker 1", 2) != node.pid_of("worker 1", 1)
        until(lambda: ask(f"{status}/readyz")[0] == 200, "readiness")
        node.signal(signal.SIGTERM)
        assert await asyncio.to_thread(node.end) == 0
    assert not is_running(int(postgres))


def zone_question(number: int) -> bytes:
    """What name servers the zone has: the node says so of itself."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in ZONE.split("."))
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 2, 1)


async def dns_datagram(asking: socket.socket, octets: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(asking, octets)
    return await loop.sock_recv(asking, 512)


async def dns_stream(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], octets: bytes) -> bytes:
    reader, writer = streams
    writer.write(struct.pack(">H", len(octets)) + octets)
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


async def ask_dns_on_and_on(port: int, enough) -> tuple[Counter[str], Counter[str]]:
    """One socket for datagrams and one connection, each kept for the whole time, and new connections: each question is
    sent once. What was asked, and what came to nothing."""
    asked, failed = Counter(), Counter()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.setblocking(False)
        datagrams.connect(("127.0.0.1", port))
        kept = await asyncio.open_connection("127.0.0.1", port)
        while not enough(asked):
            new = await asyncio.open_connection("127.0.0.1", port)
            ways = {
                "udp": lambda octets: dns_datagram(datagrams, octets),
                "tcp, kept": lambda octets: dns_stream(kept, octets),
                "tcp, new": lambda octets, new=new: dns_stream(new, octets),
            }
            for number, (way, ask_by) in enumerate(ways.items(), 7 + asked.total()):
                octets = zone_question(number & 0xFFFF)
                asked[way] += 1
                try:
                    async with asyncio.timeout(10):
                        answer = await ask_by(octets)
                    assert (answer[:2], answer[3] & 0xF) == (octets[:2], 0)
                except (OSError, EOFError, AssertionError) as error:
                    failed[f"{way}: {error!r}"] += 1
            new[1].close()
            await asyncio.sleep(PAUSE)
        kept[1].close()
    return asked, failed


async def test_no_question_over_dns_is_lost_while_processes_and_program_are_replaced(database_dsn, tmp_path):
    await asyncio.to_thread(write_book, ["--dsn", database_dsn], tmp_path)
    zone = {"resolver__dns_zone": ZONE, "resolver__dns_port": 0}
    with RunningNode(*arguments(database_dsn, tmp_path, **zone)) as node:
        node.ready()
        port = int(node.hear(r"answering DNS on port (\d+)")[1])
        renewed = asyncio.Event()
        asking = asyncio.create_task(
            ask_dns_on_and_on(port, lambda asked: renewed.is_set() and min(asked.values()) > LEAST)
        )
        assert await asyncio.to_thread(control.order, tmp_path, "renew") == {"failed": ""}
        done = await asyncio.to_thread(filament, "upgrade", "--data-directory", str(tmp_path))
        assert "Every process of the node is new" in done.stderr
        renewed.set()
        asked, failed = await asking
        assert failed == {}
        assert set(asked) == {"udp", "tcp, kept", "tcp, new"}
        assert node.pid_of("worker 2", 3)


def test_a_program_that_would_not_start_is_left_alone(database_dsn, tmp_path):
    file = tmp_path / "node.toml"
    file.write_text("")
    line = arguments(database_dsn, tmp_path / "node", workers=1)
    with RunningNode(*line, "--config", str(file)) as node:
        _, status = node.ready()
        file.write_text("[resolver]\nnonsense = 1\n")
        given = ["--data-directory", str(tmp_path / "node"), "--lang", "zh"]
        assert "继续运行原程序" in filament("upgrade", *given, code=1).stderr
        assert ask(f"{status}/readyz")[0] == 200
        assert node.process.poll() is None
