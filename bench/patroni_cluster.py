"""Three Postgres under Patroni and one etcd on the loopback interface, with the configuration that is shipped.

Patroni and etcd are given as programs, because neither is a dependency of the node. As root, everything runs as an
account that Postgres accepts; `Account` says how.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import asyncpg

from bench.ports import free_port
from registry.postgres_programs import find_binaries
from registry.unprivileged import NAMESPACE, Account

CONFIGURATION: Final = Path(__file__).parents[1] / "deploy" / "patroni" / "patroni.yml"
PATIENCE: Final = 120.0  # Seconds for a member to be copied and to run, on a machine that is busy.
LOOK_INTERVAL: Final = 0.2
MEMBERS: Final = ("db1", "db2", "db3")
Found = TypeVar("Found")
PASSWORD: Final = "known-to-all"  # noqa: S105  # of servers that live for a minute on the loopback interface


@dataclass(slots=True)
class Member:
    """One Postgres and its Patroni; `patroni` is None while it is dead."""

    name: str
    port: int
    rest_port: int
    directory: Path
    patroni: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """Both at once, as when the machine loses its power."""
        if self.patroni is not None:
            self.patroni.kill()
            self.patroni.wait()
            self.patroni = None
        with suppress(OSError, ValueError):
            os.kill(int((self.directory / "postmaster.pid").read_text().split("\n", 1)[0]), signal.SIGKILL)


class Cluster:
    """What runs in a directory, from `start` to `stop`."""

    def __init__(self, directory: Path, patroni: Path, etcd: Path) -> None:
        self.members = {name: Member(name, free_port(), free_port(), directory / name / "cluster") for name in MEMBERS}
        self._directory = directory
        self._python = patroni
        self._etcd = etcd
        self._etcd_port = free_port()
        self._account = _account(patroni, directory)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log = (directory / "log").open("ab")

    @property
    def dsn(self) -> str:
        """All three, for the database and the role of the node."""
        hosts = ",".join(f"127.0.0.1:{member.port}" for member in self.members.values())
        return f"postgresql://filament:{PASSWORD}@{hosts}/filament"

    def dsn_from(self, first: str) -> str:
        """As `dsn`, with this one before the others."""
        members = sorted(self.members.values(), key=lambda member: member.name != first)
        return f"postgresql://filament:{PASSWORD}@{','.join(f'127.0.0.1:{one.port}' for one in members)}/filament"

    async def start(self) -> None:
        """Returns when all three run and the database of the node is there."""
        self._start_etcd()
        for name in self.members:
            self.revive(name)  # Not in a thread, which would go on when we are told to stop.
        await self.is_whole()
        leader = self.members[await self.leader()]
        connection = await asyncpg.connect(f"postgresql://postgres:{PASSWORD}@127.0.0.1:{leader.port}/postgres")
        try:
            await connection.execute(f"CREATE ROLE filament LOGIN PASSWORD '{PASSWORD}'")
            await connection.execute("CREATE DATABASE filament OWNER filament")
        finally:
            await connection.close()

    async def stop(self) -> None:
        for member in self.members.values():
            await asyncio.to_thread(member.kill)
        for process in self._processes:
            process.kill()
            await asyncio.to_thread(process.wait)
        self._log.close()
        for number in processes_that_name(self._directory):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def revive(self, name: str) -> None:
        """Starts a member that is dead."""
        member = self.members[name]
        member.directory.parent.mkdir(exist_ok=True)
        self._account.give(member.directory.parent)
        command = [str(self._python), "-m", "patroni", str(self._configuration())]
        member.patroni = self._launch(command, self._environment(member))

    async def states(self) -> Mapping[str, Mapping[str, Any]]:
        """What Patroni says of each member; nothing while no member answers."""
        for member in self.members.values():
            with suppress(aiohttp.ClientError, TimeoutError):
                async with _session() as session, session.get(f"{_rest(member)}/cluster") as response:
                    return {one["name"]: one for one in (await response.json())["members"]}
        return {}

    async def leader(self) -> str:
        """Who leads, once anybody does."""
        return await _awaited(
            lambda states: next((n for n, one in states.items() if one["role"] == "leader"), ""), self
        )

    async def is_whole(self) -> None:
        """Returns when one leads, two follow it, and one of them would lose nothing."""

        def whole(states: Mapping[str, Mapping[str, Any]]) -> bool:
            roles = sorted(one["role"] for one in states.values())
            running = all(one["state"] in ("running", "streaming") for one in states.values())
            return running and roles == ["leader", "replica", "sync_standby"]

        await _awaited(whole, self)

    async def switch_over(self) -> str:
        """Has the synchronous replica lead, as it is done before care of a machine; says who leads now."""
        states = await self.states()
        by_role = {one["role"]: name for name, one in states.items()}
        order = {"leader": by_role["leader"], "candidate": by_role["sync_standby"]}
        leader = self.members[by_role["leader"]]
        async with _session(PATIENCE) as session, session.post(f"{_rest(leader)}/switchover", json=order) as response:
            if response.status != 200:
                raise RuntimeError(await response.text())
        return order["candidate"]

    def _configuration(self) -> Path:
        """The shipped file where the account can read it."""
        copied = self._directory / "patroni.yml"
        if not copied.exists():
            copied.write_bytes(CONFIGURATION.read_bytes())
        return copied

    def _environment(self, member: Member) -> dict[str, str]:
        ours = f"127.0.0.1:{member.port}"
        rest = f"127.0.0.1:{member.rest_port}"
        given = {
            "NAME": member.name,
            "ETCD3_HOSTS": f"127.0.0.1:{self._etcd_port}",
            "RESTAPI_LISTEN": rest,
            "RESTAPI_CONNECT_ADDRESS": rest,
            "POSTGRESQL_LISTEN": ours,
            "POSTGRESQL_CONNECT_ADDRESS": ours,
            "POSTGRESQL_DATA_DIR": str(member.directory),
            "POSTGRESQL_BIN_DIR": str(find_binaries("system")),
            "SUPERUSER_USERNAME": "postgres",
            "REPLICATION_USERNAME": "replicator",
            "REWIND_USERNAME": "rewind",
        } | {f"{role}_PASSWORD": PASSWORD for role in ("SUPERUSER", "REPLICATION", "REWIND")}
        return {f"PATRONI_{name}": value for name, value in given.items()}

    def _start_etcd(self) -> None:
        directory = self._directory / "etcd"
        directory.mkdir()
        self._account.give(directory)
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, free_port()))
        command = [str(self._etcd), "--data-dir", str(directory), "--listen-client-urls", client]
        command += ["--advertise-client-urls", client, "--listen-peer-urls", peer]
        command += ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
        self._processes.append(self._launch(command, {}))

    def _launch(self, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        assigned = [f"{name}={value}" for name, value in environment.items()]
        return self._account.launch("env", *assigned, *command, output=self._log.fileno())


@asynccontextmanager
async def a_cluster(directory: Path, patroni: Path, etcd: Path) -> AsyncIterator[Cluster]:
    """`patroni` is the interpreter of an environment that has it, `etcd` the program."""
    cluster = Cluster(directory, patroni, etcd)
    try:
        await cluster.start()
        yield cluster
    finally:
        await cluster.stop()


def processes_that_name(directory: Path) -> list[int]:
    """Those whose command line does: a Postgres that Patroni had just begun to make, copy or start is not known yet by
    any file of its own."""
    return [
        int(process.parent.name)
        for process in Path("/proc").glob("[0-9]*/cmdline")
        if int(process.parent.name) != os.getpid() and os.fsencode(directory) in _octets(process)
    ]


def _octets(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""  # It has ended.


def _account(python: Path, directory: Path) -> Account:
    """Whom Postgres lets run it, and who can run this interpreter: one below the home of root only root can."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    directory.chmod(0o755)
    postgres = Account(65534, 65534, switched=True)
    return postgres if postgres.can(str(python), "--version") else Account(0, 0, wrapper=NAMESPACE)


def _rest(member: Member) -> str:
    return f"http://127.0.0.1:{member.rest_port}"


def _session(total: float = 5.0) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=total))


async def _awaited(find: Callable[[Mapping[str, Mapping[str, Any]]], Found], cluster: Cluster) -> Found:
    async with asyncio.timeout(PATIENCE):
        while not (found := find(await cluster.states())):  # noqa: ASYNC110  # Patroni is asked and tells nobody
            await asyncio.sleep(LOOK_INTERVAL)
    return found
