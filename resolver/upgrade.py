"""A supervisor replaced by a newer one in place: the same process, its children and its Postgres, another program.

exec(2) keeps the number of the process, so systemd and the children notice nothing; what has to outlive it is left open
and told in the environment. The newer program then replaces every child (`renewal`). One that does not even start is
found out beforehand, by a trial.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

VARIABLE: Final = "FILAMENT_ESTATE"
TRIAL: Final = "--check"  # of `filament up`: everything is looked at, and nothing started
TRIAL_TIMEOUT: Final = 60.0  # Seconds for a program to be imported and to look at its settings, on a busy machine.


@dataclass(frozen=True, slots=True)
class Kept:
    """A child: its name, its process, and our end of the line to it."""

    name: str
    process: int
    channel: int


@dataclass(frozen=True, slots=True)
class Postgres:
    """The node's own Postgres: its process, the lock on its directory, and where it listens and comes from."""

    process: int
    lock: int
    socket: str
    programs: str


@dataclass(frozen=True, slots=True)
class Estate:
    """What one program leaves to the next. Numbers are those of open files."""

    children: tuple[Kept, ...]
    addresses: tuple[str, ...]
    port: int
    native_port: int
    registry_port: int
    status: int
    measurements: str
    measurements_lock: int
    postgres: Postgres | None = None
    dns_port: int = 0  # None; an older program does not say.


class TrialFailed(Exception):
    """The program in our place would not start; the text is what it said."""


def program() -> list[str]:
    """How this program was started. A script is named by where it is, so that a newer one there is found."""
    script = Path(sys.argv[0])
    if script.suffix != ".py" and os.access(script, os.X_OK) and script.is_file():
        return [str(script.absolute()), *sys.argv[1:]]
    return [sys.executable, *sys.orig_argv[1:]]


async def try_out(words: list[str]) -> None:
    """Raises TrialFailed."""
    environment = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    trial = await asyncio.create_subprocess_exec(
        *words, TRIAL, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env=environment,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(trial.communicate(), TRIAL_TIMEOUT)
    except TimeoutError:
        trial.kill()
        raise TrialFailed(f"no answer within {TRIAL_TIMEOUT:g} s") from None
    if trial.returncode:
        raise TrialFailed(said.decode(errors="replace").strip()[-2000:])


def become(words: list[str], estate: Estate) -> None:
    """Never returns: from here on the process is the other program. Raises OSError when it cannot."""
    for descriptor in _descriptors(estate):
        os.set_inheritable(descriptor, True)
    os.environ[VARIABLE] = msgspec.json.encode(estate).decode()
    os.execv(words[0], words)  # noqa: S606  # our own program, from its own words


def left_to_us() -> Estate | None:
    """What a former program of this process left, once."""
    told = os.environ.pop(VARIABLE, None)
    if told is None:
        return None
    estate = msgspec.json.decode(told, type=Estate)
    for descriptor in _descriptors(estate):
        os.set_inheritable(descriptor, False)
    return estate


def _descriptors(estate: Estate) -> list[int]:
    descriptors = [child.channel for child in estate.children] + [estate.status, estate.measurements_lock]
    return descriptors + ([estate.postgres.lock] if estate.postgres is not None else [])
