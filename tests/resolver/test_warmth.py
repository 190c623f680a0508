"""What a worker was asked for most is held by the next one before anybody asks."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.handle import MAX_HANDLE, HandleKey
from resolver import warmth
from resolver.node import running
from resolver.ranking import Ranking
from resolver.warmth import CHECK, HEAD, read_names, write_names
from tests.resolver.cores import DEADLINE, Core
from tests.resolver.test_node import asking, settings, until_ready

NAMES = [HandleKey(b"88.1/A"), HandleKey("88.1/涤纶".encode()), HandleKey(b"88.1/" + b"\n" * 30)]


@pytest.fixture
async def book(database_dsn):
    core = Core(database_dsn)
    await core.store.open()
    for number in range(10):
        await core.register(f"0.NA/88.{number}")
    await core.store.close()
    return database_dsn


def file(directory):
    return directory / "names-0.warm"


async def ask(node, *names):
    async with asking(node) as session:
        for name in names:
            async with session.get(f"/api/handles/{name}") as response:
                assert response.status == 200


async def until_kept(node, *names):
    async with asyncio.timeout(DEADLINE):
        for name in names:
            while node.resolver.peek_fresh(node.resolver.store.key_of(name.encode())) is None:  # noqa: ASYNC110  # nobody is told
                await asyncio.sleep(0.01)


async def test_a_restarted_node_holds_what_the_former_was_asked_for_before_anybody_asks(book, tmp_path):
    names = [f"0.NA/88.{number}" for number in range(5)]
    async with running(settings(book, tmp_path)) as node:
        await until_ready(node)
        await ask(node, *names)
    async with running(settings(book, tmp_path)) as node:
        await until_kept(node, *names)
        misses = node.metrics.counts.misses
        await ask(node, *names)
        assert node.metrics.counts.misses == misses == 0


async def test_names_that_are_gone_since_do_no_harm(book, tmp_path):
    write_names(file(tmp_path), [HandleKey(b"0.NA/GONE"), HandleKey(b"9.9/FOREIGN"), HandleKey(b"0.NA/88.1")])
    async with running(settings(book, tmp_path)) as node:
        await until_kept(node, "0.NA/88.1")
        await ask(node, "0.NA/88.1")
    assert HandleKey(b"0.NA/88.1") in read_names(file(tmp_path))


async def test_a_node_that_stops_before_it_is_warm_loses_no_name(tmp_path):
    write_names(file(tmp_path), NAMES)
    async with running(settings("postgresql://nobody@127.0.0.1:1/none", tmp_path)):
        await asyncio.sleep(0)
    assert read_names(file(tmp_path)) == NAMES


async def test_the_names_are_written_while_the_node_runs(book, tmp_path, monkeypatch):
    monkeypatch.setattr(warmth, "WRITE_INTERVAL", 0.05)
    short = settings(book, tmp_path)
    short = replace(short, resolver=replace(short.resolver, found_ttl=1.0))
    async with running(short) as node:
        await until_ready(node)
        async with asyncio.timeout(DEADLINE):
            while not file(tmp_path).exists():
                await ask(node, "0.NA/88.7")
        assert HandleKey(b"0.NA/88.7") in read_names(file(tmp_path))


@given(st.lists(st.binary(min_size=1, max_size=40).map(HandleKey), unique=True))
def test_names_that_were_written_are_read(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("names") / "names"
    write_names(path, names)
    assert read_names(path) == names


def test_a_file_that_is_cut_or_changed_anywhere_is_left_aside(tmp_path, caplog):
    path = tmp_path / "names"
    write_names(path, NAMES)
    octets = path.read_bytes()
    damaged = [octets[:end] for end in range(len(octets))]
    damaged += [octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :] for place in range(len(octets))]
    for others in (*damaged, b"", b"names\n" * 1000):
        path.write_bytes(others)
        caplog.clear()
        assert read_names(path) == []
        assert len(caplog.records) == 1


def test_lengths_that_lie_give_no_name(tmp_path):
    path = tmp_path / "names"
    for length in (0, 7, MAX_HANDLE + 1, 0xFFFF):
        said = HEAD + length.to_bytes(2, "big") + b"88.1/A"
        path.write_bytes(said + warmth.zlib.crc32(said).to_bytes(CHECK, "big"))
        assert all(0 < len(name) <= MAX_HANDLE for name in read_names(path))


def test_nothing_is_written_in_place_of_names_when_there_is_none(tmp_path):
    write_names(tmp_path / "names", NAMES)
    write_names(tmp_path / "names", [])
    assert read_names(tmp_path / "names") == NAMES


def test_a_directory_that_cannot_be_written_is_reported_and_nothing_more(tmp_path, caplog):
    write_names(tmp_path / "nowhere" / "names", NAMES)
    assert "cannot be written" in caplog.text
    (tmp_path / "names").mkdir()
    assert read_names(tmp_path / "names") == []


def test_a_ranking_names_first_what_was_used_most_and_no_more_than_its_limit():
    ranking = Ranking(3)
    for number, used in enumerate((0, 1000, 3, 900, 100_000, 0)):
        ranking.see(HandleKey(b"%d" % number), used)
    assert ranking.take() == [b"4", b"1", b"3"]
    assert ranking.take() == []
