"""Settings of a node: every fault at once, every origin known, every setting in the file that is shipped."""

import dataclasses
import tomllib
from pathlib import Path

import pytest

from registry.settings import InvalidSettings
from resolver.settings import SECTIONS, Settings, load
from resolver.settings_file import node_toml


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path | None = None, environment=None, overrides=None) -> list[str]:
    with pytest.raises(InvalidSettings) as refused:
        load(path, environment or {}, overrides)
    assert all(max(text) >= "\u4e00" for text in refused.value.texts("zh"))  # every fault can be said in Chinese
    return refused.value.texts("en")


def test_without_any_source_every_setting_has_its_default():
    settings, origins = load(None, {})
    assert settings == Settings()
    assert set(origins.values()) == {"default"}


def test_the_file_that_names_every_setting_changes_nothing(tmp_path):
    settings, origins = load(write(tmp_path, node_toml()), {})
    assert settings == Settings()
    assert "default" not in origins.values()


def test_the_file_names_every_setting_of_every_table_and_explains_it_in_both_languages():
    text = node_toml()
    tables = tomllib.loads(text)
    assert {name: set(table) for name, table in tables.items()} == {
        name: {entry.name for entry in dataclasses.fields(kind)} for name, kind in SECTIONS.items()
    }
    for kind in SECTIONS.values():
        for entry in dataclasses.fields(kind):
            assert f"# {entry.metadata['en']}\n# {entry.metadata['zh']}\n{entry.name} = " in text


def test_the_shipped_file_is_the_one_that_the_fields_make():
    shipped = Path(__file__).parents[2] / "deploy" / "node.toml"
    assert shipped.read_text(encoding="utf-8") == node_toml()


def test_the_environment_overlays_the_file_and_the_command_line_both(tmp_path):
    path = write(tmp_path, "[resolver]\nport = 1\nworkers = 2\nreaders = 3\n")
    environment = {"FILAMENT_RESOLVER_PORT": "4", "FILAMENT_RESOLVER_WORKERS": "5"}
    settings, origins = load(path, environment, {"resolver.port": 6})
    assert (settings.resolver.port, settings.resolver.workers, settings.resolver.readers) == (6, 5, 3)
    assert origins["resolver.port"] == "command line"
    assert origins["resolver.workers"] == "FILAMENT_RESOLVER_WORKERS"
    assert origins["resolver.readers"] == str(path)
    assert origins["resolver.keepalive"] == "default"


def test_a_secret_can_be_read_from_the_file_that_the_environment_names(tmp_path):
    secret = tmp_path / "dsn"
    secret.write_text("postgresql://u:p@h/d\n", encoding="utf-8")
    settings, _ = load(None, {"FILAMENT_REGISTRY_DSN_FILE": str(secret)})
    assert settings.registry.dsn == "postgresql://u:p@h/d"


def test_lists_are_written_with_commas_where_only_text_can_be_written():
    settings, _ = load(None, {"FILAMENT_RESOLVER_LISTEN": "127.0.0.1, ::1"})
    assert settings.resolver.listen == ("127.0.0.1", "::1")


def test_every_fault_of_every_source_is_reported_at_once(tmp_path):
    path = write(
        tmp_path,
        '[resolver]\nport = 70000\nlisten = ["nowhere"]\nprot = 1\n[status]\nlog_level = "loud"\n[resolvr]\nport = 1\n',
    )
    found = faults(path, {"FILAMENT_REGISTRY_CONNECTIONS": "many"}, {"resolver.nothing": 1})
    for culprit in (
        "[resolver] port = 70000",
        "'nowhere'",
        "'prot'",
        "'loud'",
        "[resolvr]",
        "CONNECTIONS",
        "resolver.nothing",
    ):
        assert [fault for fault in found if culprit in fault], culprit
    assert len(found) == 7
    assert all(fault.startswith((str(path), "FILAMENT_", "command line")) for fault in found)


def test_a_secret_is_not_shown_in_a_fault():
    secret = "postgresql://user:hush@host"
    assert "hush" not in " ".join(faults(None, {}, {"registry.dsn": [secret]}))


@pytest.mark.parametrize(
    ("overrides", "culprit"),
    [
        ({"resolver.certificate": "/dev/null"}, "together"),
        ({"resolver.client_ca": "/no/such/file"}, "/no/such/file"),
        ({"resolver.listen": ""}, "names no address"),
        ({"resolver.public_address": "example.com"}, "example.com"),
        ({"status.log_format": "xml"}, "xml"),
        ({"registry.administrators": "300"}, "index:handle"),
        ({"registry.administrators": "x:0.NA/1"}, "index:handle"),
        ({"registry.trusted_proxies": "front"}, "front"),
        ({"resolver.missing_ttl": "-1"}, "missing_ttl"),
    ],
)
def test_a_contradiction_is_a_fault(overrides, culprit):
    assert culprit in " ".join(faults(None, {}, overrides))


def test_a_table_that_is_a_value_is_a_fault(tmp_path):
    assert faults(write(tmp_path, "resolver = 3\n")) == [f"{tmp_path / 'node.toml'}: [resolver] is not a table"]


def test_a_file_that_is_no_toml_or_not_there_is_a_fault(tmp_path):
    assert "node.toml" in faults(write(tmp_path, "[resolver\n"))[0]
    assert "No such file" in faults(tmp_path / "absent.toml")[0]
