"""registry/schema.sql is the schema as it stands, for reading; the migrations are how it came about."""

from pathlib import Path

import asyncpg

SCHEMA = Path(__file__).resolve().parents[2] / "registry" / "schema.sql"

COLUMNS = """
SELECT c.relname, c.relpersistence, c.reloptions, a.attname, format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid) AS default, l.collname,
       col_description(c.oid, a.attnum) AS comment
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname, a.attname
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
COMMENTS = """
SELECT relname, obj_description(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1
"""


async def catalogue(dsn):
    connection = await asyncpg.connect(dsn)
    try:
        return [
            [tuple(row) for row in await connection.fetch(sql)] for sql in (COLUMNS, CONSTRAINTS, INDEXES, COMMENTS)
        ]
    finally:
        await connection.close()


async def test_the_migrations_lead_to_the_schema_that_is_written_down(database_dsn, empty_dsn):
    connection = await asyncpg.connect(empty_dsn)
    await connection.execute(SCHEMA.read_text())
    await connection.close()
    for written, migrated in zip(await catalogue(empty_dsn), await catalogue(database_dsn), strict=True):
        assert written == migrated
