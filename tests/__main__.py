"""`make test`: formatting, lint, types, contracts between modules, then every test. Stops at the first that fails."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# A file at a time, in the order of tests/conftest.py: the longest first, and not those with the most tests.
SHARED = ("-n", str(os.cpu_count() or 1), "--dist", "loadfile", "--no-loadscope-reorder")
EXAMPLES = "--hypothesis-profile=gate"
STEPS = (
    ("formatting", [BIN / "ruff", "format", "--check", "--quiet", "."]),
    ("lint", [BIN / "ruff", "check", "--quiet", "."]),
    ("types", [BIN / "mypy"]),
    ("contracts", [BIN / "lint-imports"]),
    ("tests", [sys.executable, "-m", "pytest", "-q", *SHARED, EXAMPLES]),
)


def main() -> int:
    for name, command in STEPS:
        started = time.monotonic()
        print(f"── {name}", flush=True)
        extra = sys.argv[1:] if name == "tests" else []
        code = subprocess.run([str(part) for part in command] + extra, cwd=ROOT, check=False).returncode
        print(f"── {name}: {'passed' if code == 0 else 'FAILED'} in {time.monotonic() - started:.0f} s", flush=True)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
