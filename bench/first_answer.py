"""Seconds from a fresh clone to the first answer of the demo: what a newcomer waits for, with packages in a cache."""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

from bench.surroundings import keep, surroundings

ROOT = Path(__file__).parents[1]
DEADLINE = 900  # Seconds; a machine without a package cache fetches for minutes.


def one_run(directory: Path, port_base: int) -> dict[str, float]:
    """Clones, makes the environment, runs the demo twice until its answers are there, and stops it each time."""
    clone = directory / "filament"
    started = time.monotonic()
    _run("git", "clone", "--quiet", str(ROOT), str(clone), directory=directory)
    cloned = time.monotonic()
    _run("make", "--quiet", "environment", directory=clone)
    made = time.monotonic()
    _demo(clone, port_base)
    first = time.monotonic()
    _demo(clone, port_base)
    second = time.monotonic()
    return {
        "clone": cloned - started,
        "environment": made - cloned,
        "demo_first": first - made,
        "demo_second": second - first,
        "clone_to_first_answer": first - started,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port-base", type=int, default=28_500)
    parser.add_argument("--keep", action="store_true", help="write the figures to bench/results")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"surroundings": surroundings(), "rounds": []}
    for _ in range(arguments.rounds):
        directory = Path(tempfile.mkdtemp(prefix="filament-newcomer-"))
        directory.chmod(0o755)
        try:
            seconds = {name: round(value, 2) for name, value in one_run(directory, arguments.port_base).items()}
        finally:
            shutil.rmtree(directory)
        figures["rounds"].append(seconds)
        print(orjson.dumps(seconds).decode(), flush=True)
    figures["median"] = {
        name: statistics.median(one[name] for one in figures["rounds"]) for name in figures["rounds"][0]
    }
    print(orjson.dumps({"median": figures["median"]}).decode())
    if arguments.keep:
        print(keep("first-answer", figures), file=sys.stderr)


def _demo(clone: Path, port_base: int) -> None:
    program = clone / ".venv" / "bin" / "filament"
    _run(str(program), "demo", "--exit-after-check", "--port-base", str(port_base), directory=clone)


def _run(*command: str, directory: Path) -> None:
    subprocess.run(command, cwd=directory, check=True, capture_output=True, timeout=DEADLINE)


if __name__ == "__main__":
    main()
