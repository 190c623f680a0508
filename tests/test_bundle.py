"""The offline bundle and the Debian package made of it, really made and really installed where there is no network.

What dpkg installs goes into a directory (DPKG_ROOT), which changes nothing on the machine of the tests.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
VERSION = version("filament-node")
WITHOUT_NETWORK = ("unshare", "--net")

pytestmark = [pytest.mark.judge, pytest.mark.timeout(900)]  # Wheels are fetched, and the environment is made twice.


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    surroundings: Mapping[str, str] = {**os.environ, "PYTHON": sys.executable, **environment}
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, env=surroundings
    )


def cut_off(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs where there is no interface but loopback, which is down."""
    return run(*WITHOUT_NETWORK, *command, **environment)


@pytest.fixture(scope="module")
def network_can_be_cut():
    if os.geteuid() or shutil.which("unshare") is None or cut_off("true").returncode:
        pytest.skip("only root may make a namespace without a network here")
    interfaces = cut_off("cat", "/proc/net/dev").stdout.splitlines()[2:]
    assert [line.partition(":")[0].strip() for line in interfaces] == ["lo"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    made = run(DEPLOY / "bundle" / "make.sh", tmp_path_factory.mktemp("dist"))
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip().splitlines()[-1])


@pytest.fixture
def bundle(archive, tmp_path) -> Path:
    shutil.unpack_archive(archive, tmp_path, filter="data")
    (directory,) = tmp_path.iterdir()
    return directory


def test_a_bundle_installs_without_a_network(bundle, network_can_be_cut, tmp_path):
    done = cut_off(bundle / "install.sh", tmp_path / "opt")
    assert done.returncode == 0, done.stdout + done.stderr
    filament = tmp_path / "opt" / "current" / "bin" / "filament"
    assert VERSION in cut_off(filament, "--version").stdout
    settings = bundle / "deploy" / "node.toml"
    assert cut_off(filament, "config", "check", "--config", settings).returncode == 0
    imported = cut_off(filament.with_name("python"), "-I", "-c", "import resolver.node, registry.__main__")
    assert imported.returncode == 0, imported.stderr
    again = cut_off(bundle / "install.sh", tmp_path / "opt")  # What is there already is left alone.
    assert (again.returncode, again.stdout) == (0, "")


@pytest.mark.parametrize(
    "changed", ["requirements.txt", "wheels/filament_node-*.whl", "deploy/systemd/filament.service"]
)
def test_a_bundle_that_was_changed_on_its_way_is_refused_in_both_languages(bundle, changed, tmp_path):
    (path,) = bundle.glob(changed)
    with path.open("ab") as file:
        file.write(b"\n")
    done = run(bundle / "install.sh", tmp_path / "opt")
    assert done.returncode == 2
    assert "damaged" in done.stderr
    assert "已损坏" in done.stderr
    assert not (tmp_path / "opt").exists()


def test_a_bundle_for_another_python_is_refused_by_name(bundle, tmp_path):
    (bundle / "FITS").write_text("cp39-linux-riscv64\n")
    sums = subprocess.run(["sha256sum", "FITS"], cwd=bundle, capture_output=True, text=True, check=True).stdout
    others = [line for line in (bundle / "SHA256SUMS").read_text().splitlines() if not line.endswith("./FITS")]
    (bundle / "SHA256SUMS").write_text("\n".join([*others, sums.strip(), ""]))
    done = run(bundle / "install.sh", tmp_path / "opt")
    assert done.returncode == 2
    assert "cp39-linux-riscv64" in done.stderr
    assert not (tmp_path / "opt").exists()


@pytest.fixture(scope="module")
def package(archive, tmp_path_factory) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not here")
    made = run(DEPLOY / "deb" / "build.sh", archive, tmp_path_factory.mktemp("deb"))
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


def test_a_package_holds_the_units_the_settings_and_who_may_read_them(package):
    listed = {
        words[5]: (words[0], words[1])
        for words in (line.split() for line in run("dpkg-deb", "--contents", package).stdout.splitlines())
    }
    units = {f"./usr/lib/systemd/system/{unit.name}" for unit in (DEPLOY / "systemd").iterdir()}
    assert units <= listed.keys()
    assert listed["./etc/filament/node.toml"] == ("-rw-r-----", "root/root")
    assert {owner for _, owner in listed.values()} == {"root/root"}
    fields = run("dpkg-deb", "--field", package).stdout
    assert f"\nVersion: {VERSION}\n" in fields
    assert f"python3 (>= {sys.version_info.major}.{sys.version_info.minor})" in fields
    assert "@" not in fields.replace("maintainers@", "")


def test_a_package_installs_without_a_network_and_goes_again(package, network_can_be_cut, tmp_path):
    root = tmp_path / "root"
    for directory in ("var/lib/dpkg/updates", "var/lib/dpkg/info", "etc", "tmp"):
        (root / directory).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    dpkg = ("dpkg", f"--root={root}", "--force-script-chrootless", "--force-depends")
    done = cut_off(*dpkg, "--install", package)
    assert done.returncode == 0, done.stdout + done.stderr
    program = root / "opt/filament/current/bin/filament"
    assert VERSION in cut_off(program, "--version").stdout
    group = next(line for line in (root / "etc/group").read_text().splitlines() if line.startswith("filament:"))
    settings = root / "etc/filament/node.toml"
    assert settings.stat().st_gid == int(group.split(":")[2])
    assert 'data_directory = "/var/lib/filament/node"' in settings.read_text()
    assert (root / "etc/filament/environment").stat().st_mode & 0o777 == 0o640

    book = root / "var/lib/filament"
    book.mkdir(parents=True)
    done = cut_off(*dpkg, "--purge", "filament")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (root / "opt/filament").exists()
    assert not (root / "etc/filament").exists()
    assert book.exists()
    assert "is left" in done.stderr
