import dataclasses
from dataclasses import dataclass

import pytest

from registry.settings import InvalidSettings, RegistrySettings, read_file, read_section, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    port: int = setting(1, "port", "端口", low=0, high=65535)
    names: tuple[str, ...] = setting((), "names", "名称")
    secret: str = setting("", "secret", "机密", secret=True)


def read(table=None, environment=None, overrides=None):
    return read_section(Section, "part", table or {}, "node.toml", environment or {}, overrides or {})


def test_a_setting_is_taken_from_the_nearest_place_that_has_it():
    table = {"port": 2}
    environment = {"FILAMENT_PART_PORT": "3"}
    assert [read(*where)[0].port for where in ((None,), (table,), (table, environment))] == [1, 2, 3]
    section, origins, faults = read(table, environment, {"port": 4})
    assert (section.port, origins["port"], faults) == (4, "command line", [])


def test_a_setting_says_where_it_came_from():
    _, origins, _ = read({"port": 2}, {"FILAMENT_PART_NAMES": "a, b"})
    assert origins == {"port": "node.toml", "names": "FILAMENT_PART_NAMES", "secret": "default"}


def test_a_list_in_the_environment_is_written_with_commas():
    assert read(environment={"FILAMENT_PART_NAMES": "a, b,"})[0].names == ("a", "b")


def test_a_secret_may_lie_in_a_file_of_its_own(tmp_path):
    (tmp_path / "secret").write_text("hidden\n")
    assert read(environment={"FILAMENT_PART_SECRET_FILE": str(tmp_path / "secret")})[0].secret == "hidden"


def test_every_fault_is_reported_at_once_with_its_place():
    _, _, faults = read({"port": 70_000, "names": 5, "prot": 1, "secret": 7})
    assert [str(fault) for fault in faults] == [
        "node.toml: [part] has no setting 'prot'",
        "node.toml: [part] port = 70000: not between 0 and 65535",
        "node.toml: [part] names = 5: Expected `array`, got `int`",
        "node.toml: [part] secret = …: Expected `str`, got `int`",
    ]
    assert [fault.text("zh") for fault in faults[:2]] == [
        "node.toml：[part] 中没有配置项 'prot'",
        "node.toml：[part] port = 70000：不在 0 与 65535 之间",
    ]


def registry_faults(dsn):
    return read_section(RegistrySettings, "registry", {"dsn": dsn}, "node.toml", {}, {})[2]


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "postgresql://",
        "postgres://filament:p%40ss@db.example:5433/filament?sslmode=require",
        "postgresql://filament@/filament?host=/var/run/postgresql",
        "postgresql:///filament?host=%2Ftmp%2F%E5%BA%93",
        "postgresql://db1:5432,db2:5433,[::1]:5434/filament?target_session_attrs=read-write",
    ],
)
def test_a_dsn_that_libpq_would_take_is_taken(dsn):
    assert registry_faults(dsn) == []


@pytest.mark.parametrize(
    "dsn",
    ["nonsense", "mysql://a/hush", "postgresql:/hush", "postgresql://u:hush@a:99999/b", "postgresql://u:hush@a:port/b"],
)
def test_a_dsn_that_no_server_can_be_behind_is_refused_without_being_shown(dsn):
    (fault,) = registry_faults(dsn)
    assert str(fault) == "node.toml: [registry] dsn: not written postgresql://user:password@host/database"
    assert "应写作" in fault.text("zh")
    assert "hush" not in str(fault)


def test_a_file_that_is_no_toml_is_refused_with_its_line(tmp_path):
    path = tmp_path / "node.toml"
    path.write_text("[part\n")
    with pytest.raises(InvalidSettings, match="line 1"):
        read_file(path)


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(InvalidSettings, match=r"absent\.toml"):
        read_file(tmp_path / "absent.toml")


@pytest.mark.parametrize("entry", dataclasses.fields(RegistrySettings), ids=lambda entry: entry.name)
def test_every_setting_is_explained_in_both_languages(entry):
    assert entry.metadata["en"].strip().endswith(".")
    assert entry.metadata["zh"].strip().endswith("。")
