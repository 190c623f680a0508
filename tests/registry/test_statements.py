"""Every SQL statement of the code keeps the rules under which the tables of handles can be distributed by Citus.

The statements are the constants of the modules; that there are no others is held here, too. The distribution column is
`suffix`: a statement may not change it, every unique key of a table that has it contains it, nothing is left to
triggers, an upsert calls no volatile function where it updates, and no aggregate over distributed rows stands beside
a scalar subquery. Rows are held by name, no row of another table is looked up among them, and none of them is the first
of some for a row of another table; what differs there has a statement of its own (`registry.row_locks`).
"""

import ast
import importlib
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = (ROOT / "registry" / "schema.sql").read_text()
MIGRATIONS = sorted((ROOT / "registry" / "migrations").glob("*.sql"))
MODULES = sorted([*ROOT.glob("registry/**/*.py"), *ROOT.glob("resolver/**/*.py")])
STATEMENT = re.compile(r"\s*(WITH|SELECT|INSERT INTO|UPDATE|DELETE FROM|COPY|MERGE)\s")
VERB = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|COPY|MERGE)\b")
RUNNING = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "prepare", "cursor"}
# Of a session, not of a table.
HARMLESS = re.compile(r"SET LOCAL \w+ = \w+|SELECT")
VOLATILE = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|random|nextval|setval|gen_random_uuid"
    r"|pg_current_xact_id|txid_current)\s*\(|\bcurrent_(timestamp|time|date)\b|\blocaltime(stamp)?\b",
    re.IGNORECASE,
)
AGGREGATE = re.compile(r"\b(count|sum|min|max|avg|array_agg|string_agg|jsonb_agg|bool_or|bool_and)\s*\(")
# The log of changes is one for all shards, so it stays on the coordinator, and with it what is sealed from it.
OF_COORDINATOR = {"change_log", "sealed_change", "transfer"}
# The two that run into billions of rows; the others that could be are one table on the coordinator, or copied to all.
DISTRIBUTED = ("handle", "handle_history")
# Run where the whole book is on one server, and elsewhere in the other form beside them.
OF_ONE_SERVER = {
    "registry.archive.HANDLES": "HANDLES_THERE",
    "registry.chunk_changes.LOCK": "THERE",
    "registry.merge.LOCK_CHANGED": "CHANGED",
    "registry.merge.LOCK_LINKED": "LINKED",
    "registry.search.LOCK_ROWS": "ROWS",
    "registry.transaction.HOLD": "HOLD_ONE",
    "registry.undoing.WRITTEN": "WRITTEN_THERE",
    "registry.undoing.BEFORE": "BEFORE_THERE",
}
# Of the server's own files, which a cluster has many of: each is backed up by itself.
OF_BACKUPS = {"registry.backups.SAMPLED", "registry.restoring.COUNTED", "registry.restoring.AS_SAMPLED"}


def constants() -> dict[str, str]:
    """Every statement by the name of its constant; composed ones as they are composed."""
    found = {}
    for path in MODULES:
        tree = ast.parse(path.read_text())
        names = [
            target.id
            for node in tree.body
            for target in (node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)])
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name)
        ]
        if not any(
            "SELECT" in text or "INSERT" in text or "UPDATE" in text or "DELETE" in text for text in texts(tree)
        ):
            continue
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name in names:
            value = getattr(module, name, None)
            if isinstance(value, str) and STATEMENT.match(value):
                found[f"{module.__name__}.{name}"] = value
    return found


def texts(tree: ast.AST) -> list[str]:
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


STATEMENTS = constants()


def breaking(is_broken: Callable[[str], object]) -> list[str]:
    return [name for name, sql in STATEMENTS.items() if is_broken(sql)]


def clauses_of_update(sql: str) -> list[str]:
    """What stands behind each SET, up to what can follow it."""
    return re.findall(r"\bSET\s+(.*?)(?=\bWHERE\b|\bFROM\b|\bRETURNING\b|$)", sql, re.DOTALL)


def selected(sql: str) -> list[tuple[str, str]]:
    """Of each SELECT the list of what it selects, and the table that comes first behind it."""
    found = []
    for begin in re.finditer(r"\bSELECT\b", sql):
        depth, at = 0, begin.end()
        while at < len(sql) and depth >= 0 and not (depth == 0 and re.match(r"\bFROM\b", sql[at : at + 5])):
            depth += {"(": 1, ")": -1}.get(sql[at], 0)
            at += 1
        table = re.match(r"FROM\s+(\w+)", sql[at:])
        found.append((sql[begin.end() : at], table[1] if table else ""))
    return found


def tables() -> dict[str, str]:
    return dict(re.findall(r"^CREATE (?:UNLOGGED )?TABLE (\w+) \((.*?)^\)", SCHEMA, re.DOTALL | re.MULTILINE))


def distributable() -> list[str]:
    return [name for name, body in tables().items() if "suffix text" in body and name not in OF_COORDINATOR]


def test_the_catalogue_holds_the_statements_of_the_code():
    assert {"registry.store.FETCH", "registry.transaction.INSERT", "registry.upkeep.TRIM"} <= STATEMENTS.keys()
    assert len(STATEMENTS) > 150


def test_no_statement_is_written_where_it_is_run():
    written = [
        argument.value
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RUNNING
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]
    assert [sql for sql in written if not HARMLESS.fullmatch(sql)] == []


def test_an_upsert_updates_with_nothing_volatile():
    def is_broken(sql: str) -> bool:
        upserts = re.findall(r"DO UPDATE\s+SET\s+(.*?)(?=\bWHERE\b|\bRETURNING\b|$)", sql, re.DOTALL)
        return any(VOLATILE.search(updated) for updated in upserts)

    assert is_broken("INSERT INTO handle VALUES ($1) ON CONFLICT (suffix) DO UPDATE SET updated_at = now()")
    assert breaking(is_broken) == []


def test_no_statement_changes_a_suffix():
    def is_broken(sql: str) -> bool:
        changed = r"(^|,)\s*\(?\s*suffix\s*(,[^)]*\))?\s*="
        return any(re.search(changed, updated) for updated in clauses_of_update(sql))

    assert is_broken("UPDATE handle SET state = 1, suffix = $1 WHERE prefix_id = $2")
    assert breaking(is_broken) == []


def breaking_there(is_broken: Callable[[str], object]) -> list[str]:
    return [name for name in breaking(is_broken) if name not in OF_ONE_SERVER.keys() | OF_BACKUPS]


def test_what_is_of_one_server_has_another_form_beside_it():
    for name, other in OF_ONE_SERVER.items():
        module, _, _ = name.rpartition(".")
        assert isinstance(getattr(importlib.import_module(module), other), str)
        assert name in STATEMENTS


def test_rows_that_are_distributed_are_held_by_name():
    table = rf"\b(FROM|JOIN) ({'|'.join(DISTRIBUTED)})\b"

    def is_broken(sql: str) -> bool:
        is_named = re.search(r"WHERE prefix_id = \$\d AND suffix = \$\d\s+FOR UPDATE\s*$", sql)
        return bool(re.search(table, sql) and re.search(r"\bFOR (NO KEY )?(UPDATE|SHARE)\b", sql) and not is_named)

    assert is_broken("SELECT FROM unnest($1::text[]) AS a (suffix) JOIN handle USING (suffix) FOR UPDATE OF handle")
    assert not is_broken("SELECT FROM handle WHERE prefix_id = $1 AND suffix = $2 FOR UPDATE")
    assert breaking_there(is_broken) == []


def test_no_row_of_another_table_is_looked_up_among_distributed_rows():
    is_broken = re.compile(rf"\bEXISTS\s*\(\s*SELECT\s*(1\s+)?FROM ({'|'.join(DISTRIBUTED)})\b").search
    assert is_broken(
        "SELECT FROM prefix AS p WHERE NOT EXISTS (SELECT FROM handle AS h WHERE h.prefix_id = p.prefix_id)"
    )
    assert breaking_there(is_broken) == []


def test_no_table_of_the_coordinator_is_looked_at_from_distributed_rows():
    local = "|".join(tables().keys() - set(DISTRIBUTED))
    is_broken = re.compile(
        rf"FROM ({'|'.join(DISTRIBUTED)}) AS h\b.*\bEXISTS \(\s*SELECT FROM ({local})\b", re.DOTALL
    ).search
    assert is_broken(STATEMENTS["registry.archive.HANDLES"])
    assert breaking_there(is_broken) == []


def test_no_distributed_row_is_the_first_of_some_for_a_row_of_another_table():
    lateral = re.compile(r"\bLATERAL\s*\((.*?)\)\s*AS\b", re.DOTALL)

    def is_broken(sql: str) -> bool:
        return any(re.search(rf"\bFROM ({'|'.join(DISTRIBUTED)})\b", body) for body in lateral.findall(sql))

    assert is_broken("SELECT FROM prefix AS p CROSS JOIN LATERAL (SELECT FROM handle LIMIT 1) AS h")
    assert breaking_there(is_broken) == []


def test_nothing_is_taken_at_random_of_distributed_rows():
    assert breaking_there(re.compile(r"\bTABLESAMPLE\b").search) == []


def test_nobody_is_notified():
    assert breaking(re.compile(r"\b(LISTEN|NOTIFY|pg_notify)\b").search) == []


def test_no_aggregate_over_distributed_rows_stands_beside_a_scalar_subquery():
    distributed = set(distributable())

    def is_broken(sql: str) -> bool:
        return any(
            table in distributed and "(SELECT" in columns and AGGREGATE.search(re.sub(r"\(SELECT.*", "", columns))
            for columns, table in selected(sql)
        )

    assert is_broken("SELECT count(*), (SELECT max(number) FROM dictionary) FROM handle")
    assert not is_broken("SELECT prefix_id, (SELECT count(*) FROM handle) FROM prefix")
    assert breaking(is_broken) == []


def test_every_unique_key_of_a_distributed_table_contains_the_suffix():
    bodies = tables()
    assert {"handle", "handle_history"} <= set(distributable())
    for name in distributable():
        keys = re.findall(r"(?:PRIMARY KEY|UNIQUE) \(([^)]*)\)", bodies[name])
        keys += re.findall(rf"CREATE UNIQUE INDEX \w+ ON {name} \(([^)]*)\)", SCHEMA)
        assert keys, name
        assert all("suffix" in key.split(", ") for key in keys), name
        assert not re.search(r"^\s+\w+ [^,\n]*(PRIMARY KEY|UNIQUE)", bodies[name], re.MULTILINE), name


def test_the_suffix_of_a_distributed_table_is_compared_octet_by_octet():
    assert all('suffix text COLLATE "C" NOT NULL' in tables()[name] for name in distributable())


def test_nothing_is_left_to_triggers():
    trigger = re.compile(r"\bCREATE\s+(OR REPLACE\s+)?((CONSTRAINT\s+)?TRIGGER|RULE)\b")
    scripts = [ROOT / "registry" / "schema.sql", *MIGRATIONS]
    assert [path.name for path in scripts if trigger.search(path.read_text())] == []
