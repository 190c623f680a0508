"""Patroni, with the shipped configuration, gives another Postgres the lead while a node is read and written, and takes
the former leader back."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bench.failover import STALEST, Outcome, a_node, kill_leader
from bench.patroni_cluster import PATIENCE, Cluster, a_cluster, processes_that_name
from registry.embedded_errors import ProgramsNotFound
from registry.postgres_programs import find_binaries
from tests.judges.judge import INSTALLING, ROOT, environment


@pytest.fixture(scope="module")
def etcd() -> Path:
    """Unpacked from Debian's package and not installed, so that no service starts."""
    program = ROOT / ".judges" / "etcd" / "usr" / "bin" / "etcd"
    if not program.exists() and shutil.which("apt-get") and shutil.which("dpkg"):
        program.parents[2].mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as name:
            fetch = ["apt-get", "download", "-q", "etcd-server"]
            subprocess.run(fetch, cwd=name, capture_output=True, timeout=INSTALLING, check=False)
            for package in Path(name).glob("*.deb"):
                subprocess.run(["dpkg", "-x", str(package), str(program.parents[2])], timeout=INSTALLING, check=True)
    if not program.exists():
        pytest.skip("etcd cannot be had: etcd-server")
    return program


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short, because the names of sockets are, and where another account may enter."""
    name = Path(tempfile.mkdtemp(prefix="filament-patroni-"))
    yield name
    shutil.rmtree(name, ignore_errors=True)


@pytest.fixture
async def cluster(etcd: Path, directory: Path) -> AsyncIterator[Cluster]:
    try:
        programs = find_binaries("system")
    except ProgramsNotFound:
        pytest.skip("Patroni needs pg_rewind and pg_basebackup of an installed Postgres")
    if not (programs / "pg_rewind").is_file():
        pytest.skip("Patroni needs pg_rewind")
    patroni = await asyncio.to_thread(environment, "patroni")
    async with a_cluster(directory, patroni, etcd) as cluster:
        yield cluster


def assert_nothing_was_lost(outcome: Outcome) -> None:
    assert outcome.lost_writes == 0, outcome
    assert outcome.kept_reads_failed == 0, outcome
    assert outcome.other_reads_failed == 0, outcome
    assert min(outcome.kept_reads, outcome.other_reads, outcome.writes) > 0, outcome
    assert outcome.stalest_seconds < STALEST, outcome


@pytest.mark.judge
@pytest.mark.timeout(600)
async def test_no_acknowledged_write_is_lost_and_kept_answers_never_stop(cluster: Cluster, directory: Path):
    async with a_node(cluster, directory / "node") as url:
        before = await cluster.leader()
        assert_nothing_was_lost(await kill_leader(cluster, url))
        assert await cluster.leader() != before
        await cluster.is_whole()


@pytest.mark.parametrize("begun", ["--listen-peer-urls", "-m\0patroni", "initdb"])
async def test_a_measurement_that_is_told_to_end_while_it_begins_leaves_no_process(
    etcd: Path, directory: Path, begun: str
):
    patroni = await asyncio.to_thread(environment, "patroni")
    command = (sys.executable, "-m", "bench.failover", "--patroni", str(patroni), "--etcd", str(etcd))
    measuring = await asyncio.create_subprocess_exec(*command, env=os.environ | {"TMPDIR": str(directory)}, cwd=ROOT)
    async with asyncio.timeout(PATIENCE):
        while not any(begun in line for line in lines_that_name(directory)):  # noqa: ASYNC110  # others begin
            await asyncio.sleep(0.01)
        measuring.send_signal(signal.SIGTERM)
        assert await measuring.wait() == 1
    assert lines_that_name(directory) == []


def lines_that_name(directory: Path) -> list[str]:
    numbers = processes_that_name(directory)
    files = [Path(f"/proc/{number}/cmdline") for number in numbers]
    return [file.read_bytes().decode(errors="replace") for file in files if file.exists()]
