"""Rivals as their packagers ship them: fetched into a cache directory of ours, so that nothing is installed.

Debian's packages are unpacked beside each other and find their libraries through LD_LIBRARY_PATH; FastAPI has an
environment of its own with hashed requirements. What cannot be had raises Absent, and the comparison says so.
"""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

REQUIREMENTS: Final = Path(__file__).parent / "requirements.txt"
FETCH_SECONDS: Final = 300  # A package mirror that is slower than this is as good as none.


class Absent(Exception):
    """A rival that cannot be had on this machine, and why."""


def cache_directory() -> Path:
    directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "filament-bench"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def debian_package(name: str, *more: str) -> Path:
    """The root below which the package's files are, with what it needs and the machine lacks. Raises Absent."""
    root = cache_directory() / "debian" / name
    if not (root / ".complete").exists():
        needed = _needed(name, *more)
        if not needed:
            return Path("/")
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        run("apt-get", "download", *needed, directory=root)
        for package in root.glob("*.deb"):
            run("dpkg", "-x", package.name, ".", directory=root)
            package.unlink()
        (root / ".complete").touch()
    return root


def environment_of(root: Path) -> dict[str, str]:
    """What a program below `root` has to be started with."""
    libraries = ":".join(str(path) for path in root.glob("usr/lib/*-linux-gnu*"))
    return {**os.environ, "LD_LIBRARY_PATH": libraries} if root != Path("/") else dict(os.environ)


def python_of_rivals() -> Path:
    """The interpreter of an environment with FastAPI and uvicorn. Raises Absent."""
    wanted = sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    environment = cache_directory() / f"python-{wanted}"
    python = environment / "bin" / "python"
    if not (environment / ".complete").exists():
        shutil.rmtree(environment, ignore_errors=True)
        run(sys.executable, "-m", "venv", str(environment), directory=Path.cwd())
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
        run(str(python), *install, "-r", str(REQUIREMENTS), directory=Path.cwd())
        (environment / ".complete").touch()
    return python


def run(*command: str, directory: Path) -> str:
    """What a command that ended well printed. Raises Absent."""
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True, timeout=FETCH_SECONDS)
    except FileNotFoundError:
        raise Absent(f"there is no {command[0]} here") from None
    except subprocess.TimeoutExpired:
        raise Absent(f"{' '.join(command[:3])} took longer than {FETCH_SECONDS} s") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines()
        raise Absent(f"{' '.join(command[:3])}: {said[-1] if said else error.returncode}") from None
    return done.stdout


def _needed(*names: str) -> list[str]:
    """The packages that an installation would bring: those named, and what they need and is not there."""
    plan = run("apt-get", "install", "--simulate", "--no-install-recommends", *names, directory=Path.cwd())
    return [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
