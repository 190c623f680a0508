"""Which registry and which node: copies are told from the original, and a return is no stranger."""

import asyncio
import hashlib

import asyncpg
import pytest

from registry import identity
from registry.identity import Tenure, held, recognise
from registry.migrate import migrate
from registry.setting_rules import hosts_of, primary_among
from registry.start_errors import AnotherBook, IdentityTaken

NODE = hashlib.sha256(b"a key").digest()


async def test_a_data_directory_knows_its_registry_again_and_refuses_another(database_dsn, empty_dsn, tmp_path):
    await recognise(database_dsn, tmp_path)
    await recognise(database_dsn, tmp_path)
    await migrate(empty_dsn)
    with pytest.raises(AnotherBook) as refused:
        await recognise(empty_dsn, tmp_path)
    assert identity.BOOK_FILE in refused.value.text("en")
    assert "注册库" in refused.value.text("zh")
    (tmp_path / identity.BOOK_FILE).unlink()
    await recognise(empty_dsn, tmp_path)


async def test_a_second_node_with_the_same_key_is_refused_and_one_with_another_is_not(
    database_dsn, tmp_path, monkeypatch
):
    monkeypatch.setattr(identity, "LETTING_GO", 0.0)
    first = Tenure(database_dsn, NODE, tmp_path / "node-key.pem")
    await first.take()
    async with held(first):
        with pytest.raises(IdentityTaken, match=r"since .*node-key\.pem"):
            await Tenure(database_dsn, NODE, tmp_path / "node-key.pem").take()
        other = Tenure(database_dsn, hashlib.sha256(b"another key").digest(), tmp_path / "node-key.pem")
        await other.take()
        await other.release()
    monkeypatch.undo()
    successor = Tenure(database_dsn, NODE, tmp_path / "node-key.pem")
    await successor.take()
    await successor.release()


async def test_an_identity_is_held_again_after_its_connection_broke(database_dsn, tmp_path):
    tenure = Tenure(database_dsn, NODE, tmp_path / "node-key.pem")
    await tenure.take()
    connection = await asyncpg.connect(database_dsn)
    holding = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND database = oid"
    holding = holding.replace("oid", "(SELECT oid FROM pg_database WHERE datname = current_database())")
    async with held(tenure):
        former = await connection.fetchval(holding)
        await connection.execute("SELECT pg_terminate_backend($1)", former)
        async with asyncio.timeout(30):
            while (await connection.fetchval(holding)) in (None, former):  # noqa: ASYNC110  # it happens in Postgres
                await asyncio.sleep(0.02)
    await connection.close()


@pytest.mark.parametrize(
    ("dsn", "hosts"),
    [
        ("postgresql://u:p@a/d", []),
        ("postgresql://u:p,w@a,b:5433/d?target_session_attrs=primary", [("a", 5432), ("b", 5433)]),
        ("postgresql://[::1]:5434,b/d", [("::1", 5434), ("b", 5432)]),
    ],
)
def test_the_hosts_of_a_dsn_are_those_that_libpq_tries(dsn, hosts):
    assert hosts_of(dsn) == hosts


@pytest.mark.parametrize(
    ("dsn", "chosen"),
    [
        ("postgresql://u:p@a/d", "postgresql://u:p@a/d"),
        ("postgresql://a,b/d", "postgresql://a,b/d?target_session_attrs=primary"),
        ("postgresql://a,b/d?sslmode=require", "postgresql://a,b/d?sslmode=require&target_session_attrs=primary"),
        ("postgresql://a,b/d?target_session_attrs=any", "postgresql://a,b/d?target_session_attrs=any"),
    ],
)
def test_of_several_hosts_the_primary_is_written_to(dsn, chosen):
    assert primary_among(dsn) == chosen
