"""`filament trace` and `recall` on a database of the test."""

import csv
import json

import pytest

from tests.resolver.test_cli import filament


@pytest.fixture
def book(database_dsn):
    dsn = ("--dsn", database_dsn)
    filament("enterprise", "add", "化纤厂", "--prefix", "88.168.1", *dsn)
    filament("register", "88.168.1/Batch", "LOT=7", *dsn)
    for name in ("A", "B"):
        filament("register", f"88.168.1/{name}", "MADE_FROM=88.168.1/Batch", f"GRADE=A{name}", *dsn)
    return dsn


async def test_a_chain_is_shown_level_by_level(book):
    (up,) = json.loads(filament("trace", "88.168.1/A", *book, "--output", "json").stdout)
    assert up == {"level": 1, "handle": "88.168.1/Batch", "relation": "MADE_FROM", "via": "88.168.1/A"}
    down = json.loads(filament("trace", "88.168.1/Batch", "--direction", "forward", *book, "--output", "json").stdout)
    assert [one["handle"] for one in down] == ["88.168.1/A", "88.168.1/B"]
    some = filament("trace", "88.168.1/Batch", "--direction", "forward", "--limit", "1", *book, "--lang", "zh")
    assert "还有更多" in some.stderr


async def test_a_recall_list_is_written(book, tmp_path):
    file = tmp_path / "recall.csv"
    done = filament("recall", "88.168.1/batch", "--field", "GRADE", "--file", str(file), *book)
    assert "2 identifiers" in done.stderr
    rows = list(csv.reader(file.read_text("utf-8").splitlines()))
    assert rows == [
        ["handle", "level", "relation", "via", "GRADE"],
        ["88.168.1/A", "1", "MADE_FROM", "88.168.1/Batch", "AA"],
        ["88.168.1/B", "1", "MADE_FROM", "88.168.1/Batch", "AB"],
    ]
    assert filament("recall", "88.168.1/batch", *book, "--lang", "zh").stdout.startswith("标识,层级")


async def test_a_circle_is_refused_in_both_languages(book):
    line = ("register", "88.168.1/Batch", "PART_OF=88.168.1/A", "--overwrite", *book)
    assert "lead back" in filament(*line, code=1).stderr
    assert "循环" in filament(*line, "--lang", "zh", code=1).stderr
