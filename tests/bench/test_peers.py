"""The comparison with rivals: all have the same job, turns are paired, and what cannot be had is said."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg
import orjson
import pytest

from bench.nodes import Client, a_node
from bench.ports import free_port
from bench.rivals import job
from bench.rivals.comparison import compared, summed
from bench.rivals.contest import FIGURES, GROUPS, Figure
from bench.rivals.processes import Task, hold, pin, release, running, tree
from bench.rivals.programs import Absent, run
from bench.rivals.services import aiohttp_application
from bench.rivals.tables import SERVICE, database, fill

RATIO = Figure("ours to theirs", "本节点 / 对手", "ours", "theirs", 2, 3)
ALONE = Figure("ours", "本节点", "ours", "", 500, 1000)


def a_run(name, turn, rate, **more):
    times = {"50": 100.0, "99": 900.0}
    whole = {"identifier_rate": rate, "identifiers_per_cpu_second": 2 * rate, "percentiles_us": times}
    rest = dict.fromkeys(("wrong", "lost", "again", "generator_cpu", "server_cpu", "postgres_cpu"), 0)
    return {"name": name, "name_zh": name, "round": turn, "wrong_sample": "", **rest, **whole, **more}


def test_a_ratio_is_that_of_two_measurements_of_one_round():
    runs = [a_run("ours", turn, rate) for turn, rate in enumerate((100.0, 900.0, 40.0))]
    runs += [a_run("theirs", turn, rate) for turn, rate in enumerate((50.0, 300.0, 10.0))]
    figure, alone = compared(runs, (RATIO, ALONE))
    assert (figure["min"], figure["median"], figure["max"], figure["pairs"]) == (2.0, 3.0, 4.0, 3)
    assert figure["median_per_cpu_second"] == 3.0
    assert (alone["min"], alone["median"], alone["max"]) == (40.0, 100.0, 900.0)


def test_a_figure_without_its_rival_has_no_value():
    (figure,) = compared([a_run("ours", 0, 100.0)], (RATIO,))
    assert "median" not in figure
    assert figure["pairs"] == 0


def test_wrong_answers_of_every_round_are_counted():
    runs = [a_run("ours", 0, 1.0), a_run("ours", 1, 1.0, wrong=3, wrong_sample="HTTP/1.1 500")]
    assert summed(runs)[0]["wrong"] == 3
    assert summed(runs)[0]["wrong_sample"] == "HTTP/1.1 500"
    assert compared(runs, (ALONE,))[0]["wrong"] == 3


def test_every_figure_names_two_who_take_part_in_the_same_group():
    groups = [{one.name for one in group} for group in GROUPS]
    for figure in FIGURES:
        assert any({figure.of, figure.to or figure.of} <= names for names in groups), figure.name


async def test_the_node_answers_the_job_as_its_rivals_do(empty_dsn, tmp_path):
    await fill(empty_dsn, 100, None)
    rival = Task(100, 100, empty_dsn, tmp_path)
    async with a_node(empty_dsn, tmp_path) as node, aiohttp_application(rival) as plain:
        for port in (node.port, plain.port):
            client = await Client.connect(port)
            assert await client.ask(job.name(42)) == (200, job.body(42))
            assert (await client.ask(job.name(100)))[0] == 404
            client.close()
    service = await asyncpg.connect(database(empty_dsn, SERVICE))
    held = await service.fetchval("SELECT record FROM resource WHERE handle = $1", job.name(42))
    await service.close()
    rest = await asyncpg.connect(empty_dsn)
    await rest.execute(f"DROP DATABASE {SERVICE}")
    await rest.close()
    assert orjson.loads(held) == job.record(42)


def test_a_text_of_the_name_system_holds_the_whole_record():
    assert "".join(job.txt(7)).replace("'", '"').encode() == job.body(7)
    assert all(len(part) <= 255 for part in job.txt(7))


async def test_a_server_that_ends_at_once_is_absent_with_its_last_words(tmp_path):
    command = (sys.executable, "-c", "raise SystemExit('no such option')")
    with pytest.raises(Absent, match="no such option"):
        async with running(command, free_port(), os.environ, tmp_path):
            pass


def test_a_program_that_is_not_there_makes_its_rival_absent(tmp_path):
    with pytest.raises(Absent, match="there is no filament-nothing here"):
        run("filament-nothing", directory=tmp_path)


async def test_a_held_server_is_stopped_and_a_released_one_goes_on(tmp_path):
    port = free_port()
    script = f"import socket; s = socket.create_server(('127.0.0.1', {port}))\nwhile True: s.accept()[0].sendall(b'!')"
    async with running((sys.executable, "-c", script), port, os.environ, tmp_path) as pid:
        pin(pid, {min(os.sched_getaffinity(0))})
        assert os.sched_getaffinity(pid) == {min(os.sched_getaffinity(0))}
        hold(pid)
        async with asyncio.timeout(10):
            while state_of(pid) != "T":  # noqa: ASYNC110  # the kernel tells us no event
                await asyncio.sleep(0)
        release(pid)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.readexactly(1) == b"!"
        writer.close()
    assert tree(pid) == []


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]


async def test_descendants_are_part_of_a_server(tmp_path):
    process = await asyncio.create_subprocess_exec("sh", "-c", "sleep 60 & wait", start_new_session=True)
    try:
        async with asyncio.timeout(10):
            while len(tree(process.pid)) < 2:  # noqa: ASYNC110  # the kernel tells us no event
                await asyncio.sleep(0)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
