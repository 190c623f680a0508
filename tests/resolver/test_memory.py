"""Huge pages are asked for where the system has them, and what is free is given back."""

import os

import pytest

from resolver import memory
from resolver.memory import ask_for_huge_pages, give_back_memory, huge_octets


def test_memory_in_huge_pages_is_read_in_octets(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "smaps_rollup").write_text("Rss:   4096 kB\nAnonHugePages:      2048 kB\n", "ascii")
    assert huge_octets(7, tmp_path) == 2 << 20


def test_a_process_that_is_gone_or_not_ours_has_no_figure(tmp_path):
    assert huge_octets(7, tmp_path) is None


@pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="Linux only")
def test_asking_changes_nothing_that_is_held():
    held = [bytes((number,)) * 400 for number in range(256)] + [os.urandom(400) for _ in range(100_000)]
    before = hash(tuple(held))
    ask_for_huge_pages()
    give_back_memory()
    assert hash(tuple(held)) == before
    assert huge_octets() is not None


def test_nothing_is_asked_for_where_the_system_is_set_not_to_give_it(tmp_path, monkeypatch):
    enabled = tmp_path / "enabled"
    enabled.write_text("always madvise [never]\n", "ascii")
    monkeypatch.setattr(memory, "ENABLED", enabled)
    monkeypatch.setattr(memory, "PROC", tmp_path)  # where there is nothing to read
    ask_for_huge_pages()


def test_small_mappings_and_those_of_files_are_left_alone(tmp_path, monkeypatch):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "maps").write_text(
        "7f0000000000-7f0004000000 rw-p 00000000 00:00 0 \n"
        "7f0010000000-7f0010800000 rw-p 00000000 00:00 0 \n"  # a thread's stack
        "7f0020000000-7f0024000000 r--p 00000000 00:00 0 \n"
        "7f0030000000-7f0034000000 rw-p 00000000 08:01 17 /usr/lib/a.so\n"
        "7ffd00000000-7ffd04000000 rw-p 00000000 00:00 0 [stack]\n"
        "560000000000-560002000000 rw-p 00000000 00:00 0 [heap]\n",
        "ascii",
    )
    monkeypatch.setattr(memory, "PROC", tmp_path)
    mappings = [(first, end - first) for first, end in memory._anonymous()]
    assert mappings == [(0x7F0000000000, 64 << 20), (0x560000000000, 32 << 20)]
