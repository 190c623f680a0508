"""Where and of what a figure was measured: without this, two figures cannot be compared.

A machine that has other work when a measurement begins makes figures worthless that look like any others: they are
marked as such, on standard error, in the file that is kept and in the report.
"""

import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("aiohttp", "asyncpg", "msgspec", "orjson", "uvloop")
WATCHED: Final = 0.5  # seconds
BUSY: Final = 0.25  # Cores in use by others; an idle system uses a hundredth of one.
_TICK: Final = os.sysconf("SC_CLK_TCK")
_IDLE: Final = slice(3, 5)  # Of the CPU times in /proc/stat: idle, and waiting for a disk.


def surroundings() -> dict[str, Any]:
    """The machine, how busy it is just now, the commit and the versions. Takes half a second."""
    used = cores_in_use(WATCHED)
    if used > BUSY:
        print(f"{used:.1f} cores are busy before the start: the figures are marked as such", file=sys.stderr)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "cores_in_use_before": round(used, 2),
        "busy": used > BUSY,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def cores_in_use(seconds: float) -> float:
    """How many cores worked, over the seconds that follow; nothing is known where there is no /proc/stat."""
    before = _cpu_times()
    time.sleep(seconds)
    took = [after - one for one, after in zip(before, _cpu_times(), strict=True)]
    return (sum(took) - sum(took[_IDLE])) / _TICK / seconds


def commit() -> str:
    """The commit that is measured, with a '+' when the work tree differs from it."""
    root = Path(__file__).parents[1]
    try:
        name = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain", "-uno"], cwd=root, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.stdout.decode().strip() + ("+" if changed.stdout else "")


def keep(name: str, figures: dict[str, Any]) -> Path:
    """Writes the figures of a run among the results, under its day and commit."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{datetime.now(UTC):%Y%m%d}-{commit()}.json"
    path.write_bytes(orjson.dumps(_short(figures), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return path


def _short(figures: Any) -> Any:
    """Lists of numbers on one line each: a histogram has hundreds of pairs."""
    if isinstance(figures, dict):
        return {name: _short(one) for name, one in figures.items()}
    if isinstance(figures, list) and any(isinstance(one, dict) for one in figures):
        return [_short(one) for one in figures]
    return orjson.Fragment(orjson.dumps(figures)) if isinstance(figures, list | tuple) else figures


def _cpu_times() -> list[int]:
    try:
        first, *_ = Path("/proc/stat").read_text("ascii").splitlines()
    except OSError:
        return [0] * 8
    return [int(word) for word in first.split()[1:9]]  # guests' times are in user time already


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
