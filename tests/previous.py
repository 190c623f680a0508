"""The previous program against the present schema: its own tests, in its own tree, with our migrations in place of its.

`python -m tests.previous [REVISION] [TESTS…]`: without a revision, what stood before the newest migration was added. A
migration whose name begins with pre_ has to be safe under it; what begins with post_ is left out, as it is while an
upgrade is under way.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MIGRATIONS = Path("registry") / "migrations"
# What these look at is the folder of migrations itself.
ABOUT_MIGRATIONS = ("tests/registry/test_schema.py", "tests/registry/test_migrate.py", "tests/test_architecture.py")
WRITES_AND_READS = ("tests/registry/test_registration.py",)


class NoHistory(Exception):
    """The tree is no clone, or one without its history."""


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoHistory(done.stderr.strip())
    return done.stdout.strip()


def before_the_newest_migration() -> str:
    """The commit before the one that added it. Raises NoHistory."""
    newest = max((ROOT / MIGRATIONS).glob("[0-9]*.sql"))
    added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", str(newest.relative_to(ROOT)))
    if not added:
        raise NoHistory(f"{newest.name} is in no commit yet")
    return git("rev-parse", f"{added}^")


def run(revision: str, tests: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """The tests of a revision over our schema. Raises NoHistory."""
    with tempfile.TemporaryDirectory(prefix="filament-previous-") as made:
        tree = Path(made)
        archive = tree / "tree.tar"
        git("archive", f"--output={archive}", revision)
        shutil.unpack_archive(archive, tree)
        shutil.rmtree(tree / MIGRATIONS)
        shutil.copytree(ROOT / MIGRATIONS, tree / MIGRATIONS, ignore=shutil.ignore_patterns("*_post_*"))
        left_out = [f"--deselect={name}" for name in ABOUT_MIGRATIONS]
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "--timeout=0", *left_out, *tests],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def main() -> int:
    revision = sys.argv[1] if len(sys.argv) > 1 else before_the_newest_migration()
    done = run(revision, sys.argv[2:] or ["tests/registry", "tests/resolver", "tests/journeys"])
    print(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
