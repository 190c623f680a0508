"""Running PostgreSQL's programs when we are root, which they refuse to be.

No user is created and no directory changes its mode: a child becomes `postgres` or `nobody`, and where these cannot
reach the data directory (below a home of mode 0700), a user namespace shows our own uid to the child as 65534.
"""

import contextlib
import os
import pwd
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.embedded_errors import ProgramFailed, RootNotDropped

# In order of preference: the first leaves the cluster to the same owner that a distribution's packages give it.
ACCOUNTS = ("postgres", "nobody")
NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")
ENTER = ("/bin/sh", "-c", 'cd -- "$1"', "sh")


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a child runs as: `switched` children change to uid and gid, and `wrapper` stands before their command."""

    uid: int
    gid: int
    switched: bool = False
    wrapper: tuple[str, ...] = ()

    def run(self, *command: str) -> str:
        """What the program printed; ProgramFailed with its last words when it refuses."""
        done = self._run(*command)
        if done.returncode != 0:
            raise ProgramFailed(
                "program-failed", program=command[0], status=done.returncode, output=done.stdout[-2000:]
            )
        return done.stdout

    def can(self, *command: str) -> bool:
        try:
            return self._run(*command).returncode == 0
        except OSError:  # the kernel lets us neither change to this uid nor start this program
            return False

    def launch(self, *command: str, output: int) -> subprocess.Popen[bytes]:
        """A long-lived child, in a session of its own: the terminal's Ctrl-C is for us, and we stop it in our order."""
        return subprocess.Popen(
            [*self.wrapper, *command], stdout=output, stderr=output, start_new_session=True, **self._surroundings()
        )

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.wrapper, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            **self._surroundings(),
        )

    def _surroundings(self) -> Mapping[str, Any]:
        switch = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switched else {}
        # Our own working directory may be closed to the child; PG* variables would redirect it to another server.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {"stdin": subprocess.DEVNULL, "cwd": "/", "env": environment | {"LC_ALL": "C"}, **switch}

    def give(self, path: Path) -> None:
        """Make the account the owner of path and of all below it."""
        if path.stat().st_uid == self.uid:
            return
        for directory, _, names in os.walk(path):
            for name in (".", *names):
                os.chown(Path(directory, name), self.uid, self.gid, follow_symlinks=False)


def account_for(directory: Path, cluster: Path) -> Account:
    """Who runs the server of a cluster in directory; a cluster keeps the owner that it has, where that is possible."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    for account in _candidates(cluster):
        if account.can(*ENTER, str(directory.parent)):
            return account
    raise RootNotDropped("root-not-dropped", directory=str(directory))


def _candidates(cluster: Path) -> Iterator[Account]:
    with contextlib.suppress(FileNotFoundError):
        owner = cluster.stat()
        if owner.st_uid != 0:
            yield Account(owner.st_uid, owner.st_gid, switched=True)
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            yield Account(entry.pw_uid, entry.pw_gid, switched=True)
    yield Account(0, 0, wrapper=NAMESPACE)
