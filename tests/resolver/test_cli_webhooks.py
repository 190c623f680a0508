"""`filament webhook` on a database of the test."""

import json

import pytest

from tests.resolver.test_cli import filament

URL = "https://example.com/hear"


@pytest.fixture
def book(database_dsn, tmp_path):
    filament("enterprise", "add", "化纤厂", "--prefix", "88.168.1", "--dsn", database_dsn)
    return ("--dsn", database_dsn, "--data-directory", str(tmp_path))


async def test_a_webhook_is_added_listed_replayed_and_removed(book):
    (added,) = json.loads(filament("webhook", "add", URL, "--prefix", "88.168.1", *book, "--output", "json").stdout)
    assert added["secret"].startswith("whsec_")
    number = str(added["number"])
    (listed,) = json.loads(filament("webhook", "list", *book, "--output", "json").stdout)
    assert (listed["prefix"], listed["url"], listed["stopped"]) == ("88.168.1", URL, False)
    assert "重新投递" in filament("webhook", "replay", number, "--from", "oldest", *book, "--lang", "zh").stderr
    (again,) = json.loads(filament("webhook", "list", "--prefix", "88.168.1", *book, "--output", "json").stdout)
    assert again["cursor"] != listed["cursor"]
    assert "removed" in filament("webhook", "remove", number, *book).stderr
    assert json.loads(filament("webhook", "list", *book, "--output", "json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "english", "chinese"),
    [
        (("add", "http://10.0.0.1/"), "is not public", "不是公网地址"),
        (("add", URL, "--prefix", "99.9"), "no prefix of this node", "不是本节点的前缀"),
        (("remove", "7"), "no webhook 7", "没有编号为 7 的 webhook"),
    ],
)
async def test_what_cannot_be_done_is_said_in_both_languages(book, arguments, english, chinese):
    assert english in filament("webhook", *arguments, *book, code=1).stderr
    assert chinese in filament("webhook", *arguments, *book, "--lang", "zh", code=1).stderr
