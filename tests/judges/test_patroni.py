"""Patroni, with the shipped configuration, gives another Postgres the lead while a node is read and written, and takes
the former leader back."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bench.failover import STALEST, Outcome, a_node, kill_leader
from bench.patroni_cluster import Cluster, a_cluster
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
