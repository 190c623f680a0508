"""A registry that is loaded once and kept, and the names that measurements ask it for."""

import asyncio
import subprocess
import sys

import orjson

from bench.chosen import chosen
from bench.identifiers import records
from bench.registry_load import registry_in

ROWS = 25_000  # Two loads of one chunk.


def command(directory, *more):
    return [sys.executable, "-m", "bench.registry_load", "--directory", str(directory), *more]


def run(directory, *more, rows=ROWS):
    return subprocess.run(command(directory, "--rows", str(rows), *more), capture_output=True, text=True, check=False)


async def test_a_registry_is_loaded_once_counted_and_kept(tmp_path):
    done = await asyncio.to_thread(run, tmp_path)
    assert done.returncode == 0, done.stderr
    whole = orjson.loads(done.stdout.splitlines()[-1])["whole"]
    assert (whole["count"]["rows"], whole["count"]["enterprises"]) == (ROWS, 28)
    again = await asyncio.to_thread(run, tmp_path)
    assert [next(iter(orjson.loads(line))) for line in again.stdout.splitlines()] == ["search", "whole"]
    other = await asyncio.to_thread(run, tmp_path, rows=ROWS + 1)
    assert "name another directory" in other.stderr
    async with registry_in(tmp_path) as (store, rows):
        names = chosen(rows, 300)
        assert len(set(names)) == 300
        found = await store.fetch_many([store.key_of(name.encode()) for name in names])
        assert len(found) == 300


def test_a_disk_that_is_too_small_is_refused_with_the_figures(tmp_path):
    refused = run(tmp_path, rows=10**12)
    assert refused.returncode != 0
    assert "must be free" in refused.stderr


def test_names_are_chosen_among_the_registered_and_from_many_consignments():
    there = {record.handle for record in records(20_000)}
    names = chosen(20_000, 150, each=1)
    assert len(set(names)) == 150
    assert there.issuperset(names)
