"""A foreign client as judge: an environment of its own, the integration tests that it ships, and their outcomes."""

import asyncio
import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from tests.resolver.http.lab import ADMINISTRATOR, SECRET

ROOT = Path(__file__).parents[2]
RUNNER = Path(__file__).with_name("run_client_tests.py")
INSTALLING = 300.0  # Seconds; a cold package cache and two cores.
RUNNING = 300.0
VALUES = {
    "user": ADMINISTRATOR,
    "password": SECRET.decode(),
    "HTTPS_verify": False,
    "url_extension_REST_API": "/api/handles/",
    "handle_for_read_tests": "88.118.1/READ",
    "handle_globally_resolvable": "88.118.1/READ",
    "handle_for_read_tests_with_10320LOC": "88.118.1/READLOC",
    "handle_for_read_tests_without_10320LOC": "88.118.1/READNOLOC",
    "handle_to_be_created": "88.118.1/PYNEW",
    "handle_to_be_modified": "88.118.1/PYMOD",
    "handle_to_be_modified_with_10320LOC": "88.118.1/PYMODLOC",
    "handle_to_be_modified_without_10320LOC": "88.118.1/PYMODNOLOC",
    "reverselookup_username": "",
    "reverselookup_password": "",
    "reverselookup_baseuri": "",
    "reverselookup_baseuri_wrong": "",
    "reverselookup_url_extension": "",
}


async def outcomes(package: str, modules: Collection[str], port: int) -> Mapping[str, str]:
    """What became of each test of the client, run against a node."""
    python = await asyncio.to_thread(environment, package)
    url = f"https://127.0.0.1:{port}"
    values = VALUES | {"handle_server_url_read": url, "handle_server_url_write": url}
    order = json.dumps({"package": package, "modules": list(modules), "values": values})
    run = await asyncio.to_thread(
        subprocess.run,
        [python, RUNNER],
        input=order.encode(),
        capture_output=True,
        timeout=RUNNING,
        check=False,
    )
    assert run.returncode == 0, run.stderr.decode()[-4000:]
    return json.loads(run.stdout)


def environment(package: str) -> Path:
    """The interpreter of an environment with exactly the packages of its hashed list; made when that changed."""
    requirements = ROOT / "requirements" / f"{package}.txt"
    directory = ROOT / ".judges" / package
    directory.parent.mkdir(exist_ok=True)
    complete = directory / "complete"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    with (directory.parent / f"{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Tests run in several processes.
        if not complete.exists() or complete.read_text() != digest:
            shutil.rmtree(directory, ignore_errors=True)
            _install(directory, requirements)
            complete.write_text(digest)
    return directory / "bin" / "python"


def _install(directory: Path, requirements: Path) -> None:
    """Without dependencies: the list is complete, and names what the client's metadata does not."""
    python, listed = directory / "bin" / "python", ["--require-hashes", "--no-deps", "-r", str(requirements)]
    if uv := shutil.which("uv"):
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(directory)])
        _run([uv, "pip", "install", "--quiet", "--python", str(python), *listed])
    else:
        _run([sys.executable, "-m", "venv", str(directory)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
              "--ignore-requires-python", *listed])  # fmt: skip


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, timeout=INSTALLING, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr.decode()[-4000:]}"
