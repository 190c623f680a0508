"""A node as a person starts it, `filament …` in a process of its own, and its log."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.resolver.patience import PATIENT

DEADLINE = 60.0  # Two cores, and other tests on them.


class RunningNode:
    """Started with its block, and stopped with it, whatever happened."""

    __test__ = False

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.log: list[str] = []
        self.output: list[str] = []
        self._heard = threading.Condition()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FILAMENT_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "resolver.cli", *arguments],
            env=clean | {"PYTHONUTF8": "1", "LC_ALL": "en_GB.UTF-8", **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        )  # fmt: skip
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.output), (self.process.stderr, self.log))
        ]

    def __enter__(self) -> Self:
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()

    def hear(self, pattern: str, count: int = 1, *, output: bool = False) -> re.Match[str]:
        """The nth line of the log, or of the output, that matches, once it is there."""
        lines = self.output if output else self.log
        with self._heard:

            def found() -> list[re.Match[str]]:
                return [match for line in lines if (match := re.search(pattern, line))]

            said = self._heard.wait_for(lambda: len(found()) >= count or self._silent(), DEADLINE)
            assert said, f"{pattern!r} was not said within {DEADLINE} s:\n" + "\n".join(lines)
            assert len(found()) >= count, f"{pattern!r} was never said:\n" + "\n".join(lines)
            return found()[count - 1]

    def end(self) -> int:
        """The exit code, once it has ended."""
        code = self.process.wait(DEADLINE)
        for reader in self._readers:
            reader.join(DEADLINE)
        return code

    def pid_of(self, part: str, count: int = 1) -> int:
        return int(self.hear(rf"{part} is process (\d+)", count)[1])

    def ready(self) -> tuple[str, str]:
        """The addresses of the resolvers and of the status port, once the node has said that it is up."""
        up = self.hear(r"The node is up: (http://\S+) \(status: (http://\S+)/readyz\)")
        return up[1], up[2]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def _silent(self) -> bool:
        return not any(reader.is_alive() for reader in self._readers)

    def _read(self, stream, lines: list[str]) -> None:
        for line in stream:
            with self._heard:
                lines.append(line.rstrip("\n"))
                self._heard.notify_all()
        with self._heard:
            self._heard.notify_all()


def arguments(dsn: str | None, data: Path, workers: int = 2, **overrides: object) -> list[str]:
    """`up` on ports that nobody else has."""
    given = {
        "resolver.listen": "127.0.0.1",
        "resolver.port": 0,
        "resolver.native_port": 0,
        "resolver.workers": workers,
        "registry.port": 0,
        "status.port": 0,
        **{f"resolver.{name}": value for name, value in PATIENT.items()},
        **{name.replace("__", "."): value for name, value in overrides.items()},
    }
    line = ["up", "--data-directory", str(data), *(("--dsn", dsn) if dsn else ())]
    for name, value in given.items():
        line += ["--set", f"{name}={value}"]
    return line


def ask(url: str, **headers: str) -> tuple[int, dict]:
    """Status and JSON of one request, over a connection of its own."""
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  # our own node's address
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:  # noqa: S310  # as above
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def text_of(url: str) -> str:
    with urllib.request.urlopen(url, timeout=DEADLINE) as response:  # noqa: S310  # our own node's address
        return response.read().decode()


def until(condition, what: str, deadline: float = DEADLINE):
    """What the condition gives, once it is true."""
    ends = time.monotonic() + deadline
    while not (outcome := condition()):
        assert time.monotonic() < ends, f"{what} did not come within {deadline} s"
        time.sleep(0.02)
    return outcome


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
