"""A running node is backed up, restored to a moment, copied off the site and proved, by commands that people type."""

import asyncio
import json
import os
import signal
from datetime import UTC, datetime

import asyncpg
import pytest

from registry import backups
from registry.embedded import postgres_directory, running_dsn
from tests.resolver.running_node import RunningNode, arguments
from tests.resolver.test_cli import filament


def registered(name: str, data) -> None:
    filament("register", name, "SPEC=a", "--direct", "--data-directory", str(data))


async def fetch(data, statement: str):
    connection = await asyncpg.connect(running_dsn(postgres_directory(data)))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def names_in(data) -> set[str]:
    lines = filament("export", "--data-directory", str(data)).stdout.splitlines()
    return {json.loads(line)["handle"] for line in lines}


@pytest.mark.timeout(400)  # six clusters are started
async def test_a_node_is_restored_to_a_moment_with_its_keys_and_the_backup_is_proved(tmp_path):
    data, repository, off_site, key = (tmp_path / name for name in ("node", "backups", "off site", "off-site.key"))
    given = ["--data-directory", str(data)]
    await asyncio.to_thread(filament, "enterprise", "add", "甲", "--prefix", "88.168.1", *given)
    with RunningNode(*arguments(None, data, workers=1)) as node:
        node.ready()
        await asyncio.to_thread(registered, "88.168.1/BEFORE", data)
        await asyncio.to_thread(filament, "backup", "key", str(key))
        with RunningNode("backup", "follow", str(repository), *given) as following:
            receiving = "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'pg_receivewal'"
            while not await fetch(data, receiving):  # noqa: ASYNC110  # it happens in Postgres
                await asyncio.sleep(0.1)
            made = await asyncio.to_thread(
                filament, "backup", "make", str(repository), "--copy-to", str(off_site), "--public-key", f"{key}.pub",
                "--keep", "3", *given,
            )  # fmt: skip
            assert "Encrypted copy" in made.stderr
            await asyncio.to_thread(registered, "88.168.1/BETWEEN", data)
            moment = await fetch(data, "SELECT clock_timestamp()")
            await asyncio.to_thread(registered, "88.168.1/AFTER", data)
            written = await fetch(data, "SELECT pg_current_wal_flush_lsn()::text")
            flushed = f"SELECT count(*) FROM pg_stat_replication WHERE flush_lsn >= '{written}'"
            while not await fetch(data, flushed):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.1)
            following.signal(signal.SIGTERM)
            await asyncio.to_thread(following.end)
        proved = await asyncio.to_thread(filament, "backup", "verify", str(repository), "--lang", "zh", *given)
        assert "可以恢复" in proved.stderr

    restored = ["restore", str(repository), "--data-directory"]
    await asyncio.to_thread(filament, *restored, str(tmp_path / "then"), "--until", moment.isoformat())
    await asyncio.to_thread(filament, *restored, str(tmp_path / "last"))
    until_then = {"88.168.1/BEFORE", "88.168.1/BETWEEN"}
    assert names_in(tmp_path / "then") & {*until_then, "88.168.1/AFTER"} == until_then
    assert names_in(tmp_path / "last") >= {*until_then, "88.168.1/AFTER"}
    assert (tmp_path / "then" / "node-key.pem").read_bytes() == (data / "node-key.pem").read_bytes()

    (sealed,) = off_site.iterdir()
    filament("backup", "unseal", str(sealed), str(tmp_path / "opened"), "--key", str(key))
    filament("backup", "verify", str(tmp_path / "opened"))
    (backup,) = backups.all_in(tmp_path / "opened")
    archive = tmp_path / "opened" / "base" / backup.name / "base.tar.gz"
    with archive.open("r+b") as file:
        file.seek(-9, os.SEEK_END)
        file.write(b"x")
    refused = filament("backup", "verify", str(tmp_path / "opened"), code=1)
    assert "its sum differs" in refused.stderr
    refused = filament(*restored, str(tmp_path / "last"), "--lang", "zh", code=1)
    assert "备份或恢复失败" in refused.stderr


def test_only_the_newest_backups_and_the_log_that_they_need_are_kept(tmp_path):
    for number, segment in ((1, "000000010000000000000002"), (2, "000000010000000000000005")):
        directory = tmp_path / "base" / f"2026112{number}T000000Z"
        directory.mkdir(parents=True)
        description = {"name": directory.name, "registry": "", "made_at": datetime.now(UTC).isoformat()}
        description |= {"first_segment": segment, "sums": {}, "registered": {}, "sample": []}
        (directory / "backup.json").write_text(json.dumps(description))
    (tmp_path / "wal").mkdir()
    for number in (2, 4, 5, 6):
        (tmp_path / "wal" / f"00000001000000000000000{number}").touch()
    assert backups.prune(tmp_path, 1) == ["20261121T000000Z"]
    assert [backup.name for backup in backups.all_in(tmp_path)] == ["20261122T000000Z"]
    assert {file.name[-1] for file in (tmp_path / "wal").iterdir()} == {"5", "6"}
