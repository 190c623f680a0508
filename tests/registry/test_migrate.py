import asyncio

import asyncpg
import pytest

from registry import migrate
from registry.start_errors import SchemaMismatch


async def connected(dsn):
    return await asyncpg.connect(dsn)


async def test_many_nodes_may_migrate_one_database_at_once(empty_dsn):
    applied = await asyncio.gather(*(migrate.migrate(empty_dsn) for _ in range(5)))
    names = [migration.name for migration in migrate.migrations()]
    assert sorted(applied, key=len) == [[], [], [], [], names]


async def test_a_migrated_schema_is_this_programs(database_dsn):
    connection = await connected(database_dsn)
    await migrate.check(connection, exact_suffixes=False)
    await connection.close()


async def test_an_empty_database_is_refused_with_advice(empty_dsn):
    connection = await connected(empty_dsn)
    with pytest.raises(SchemaMismatch, match="holds no registry; run `filament migrate`"):
        await migrate.check(connection, exact_suffixes=False)
    await connection.close()


async def test_an_older_schema_is_refused_with_advice(database_dsn):
    connection = await connected(database_dsn)
    await connection.execute("DELETE FROM schema_migration")
    with pytest.raises(SchemaMismatch, match="older than this program: 0001 registry"):
        await migrate.check(connection, exact_suffixes=False)
    await connection.close()


async def test_a_newer_schema_is_refused_with_advice(database_dsn):
    connection = await connected(database_dsn)
    await connection.execute("INSERT INTO schema_migration VALUES (9999, 'later', '', now())")
    with pytest.raises(SchemaMismatch, match="newer than this program: it has 9999 later; upgrade"):
        await migrate.check(connection, exact_suffixes=False)
    with pytest.raises(SchemaMismatch, match="newer than this program"):
        await migrate.migrate(database_dsn)
    await connection.close()


async def test_a_running_program_goes_on_when_a_later_one_has_prepared_the_schema_for_itself(database_dsn):
    connection = await connected(database_dsn)
    await connection.execute("INSERT INTO schema_migration VALUES (9999, 'pre_later', '', now())")
    await migrate.check(connection, exact_suffixes=False)
    await connection.close()


async def test_what_the_former_program_could_not_bear_is_done_when_it_is_gone(empty_dsn, monkeypatch):
    ours = migrate.migrations()
    await migrate.migrate(empty_dsn)
    later = [
        migrate.Migration(9998, "pre_add", "CREATE TABLE added ()"),
        migrate.Migration(9999, "post_drop", "DROP TABLE added"),
    ]
    monkeypatch.setattr(migrate, "migrations", lambda: [*ours, *later])
    assert (await migrate.migrate(empty_dsn, post=False))[-1] == "pre_add"
    connection = await connected(empty_dsn)
    await migrate.check(connection, exact_suffixes=False)
    await connection.execute("SELECT FROM added")
    assert await migrate.migrate(empty_dsn) == ["post_drop"]
    await connection.close()


def test_every_migration_after_the_first_says_when_it_is_safe():
    assert all(one.name.startswith(("pre_", "post_")) for one in migrate.migrations()[1:])


async def test_a_migration_of_another_text_is_refused(database_dsn):
    connection = await connected(database_dsn)
    await connection.execute("UPDATE schema_migration SET sha256 = 'x'")
    with pytest.raises(SchemaMismatch, match="applied with another text"):
        await migrate.check(connection, exact_suffixes=False)
    await connection.close()


async def test_the_rule_for_suffixes_cannot_be_changed_later(database_dsn):
    with pytest.raises(SchemaMismatch, match="made with exact_suffixes = false"):
        await migrate.migrate(database_dsn, exact_suffixes=True)


async def test_every_column_says_what_it_holds(database_dsn):
    connection = await connected(database_dsn)
    silent = await connection.fetch("""
        SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0
          AND c.relname <> 'schema_migration' AND col_description(c.oid, a.attnum) IS NULL""")
    await connection.close()
    assert silent == []


async def test_every_unique_key_of_the_handle_tables_holds_the_suffix(database_dsn):
    connection = await connected(database_dsn)
    keys = await connection.fetch("""
        SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i
        WHERE i.indisunique AND i.indrelid IN ('handle'::regclass, 'handle_history'::regclass)""")
    triggers = await connection.fetchval("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal")
    await connection.close()
    assert len(keys) == 2
    assert all("suffix" in key["definition"] for key in keys)
    assert triggers == 0
