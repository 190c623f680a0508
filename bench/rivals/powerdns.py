"""PowerDNS over its Postgres back end, asked for TXT records: once with its caches, once without any.

With caches it is asked for few names, so that its packet cache answers all of them; without, for any name of the table.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from bench.generator import Plan, Target, measure
from bench.pools import dns_query, write_pool
from bench.ports import free_port
from bench.rivals import job
from bench.rivals.processes import Server, Task, running
from bench.rivals.programs import debian_package, environment_of
from bench.rivals.tables import POWERDNS

PACKAGES: Final = ("pdns-server", "pdns-backend-pgsql")
SCHEMA: Final = "usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql"
FEW: Final = 20_000  # Names that are asked for, all of them in the packet cache from the beginning.
KEPT: Final = {"cache-ttl": 86400, "query-cache-ttl": 86400, "max-packet-cache-entries": 2_000_000}
NOT_KEPT: Final = {"cache-ttl": 0, "query-cache-ttl": 0, "negquery-cache-ttl": 0}


def schema() -> Path:
    """The tables as the package has them. Raises Absent."""
    return debian_package(*PACKAGES) / SCHEMA


@asynccontextmanager
async def powerdns_cached(task: Task) -> AsyncIterator[Server]:
    async with _powerdns(task, KEPT) as server:
        pool = write_pool(task.directory / "dns-all.pool", (dns_query(job.domain_name(one)) for one in range(FEW)))
        await measure(Plan(pool, (Target("dns", server.port, 1, 16),), once=True))
        yield server


@asynccontextmanager
async def powerdns_uncached(task: Task) -> AsyncIterator[Server]:
    async with _powerdns(task, NOT_KEPT) as server:
        yield server


@asynccontextmanager
async def _powerdns(task: Task, caches: Mapping[str, int]) -> AsyncIterator[Server]:
    root = debian_package(*PACKAGES)
    port = free_port()
    directory = task.directory / f"powerdns-{port}"
    directory.mkdir()
    where = parse_qs(urlsplit(task.dsn).query)
    settings = {
        "launch": "gpgsql",
        "gpgsql-host": where["host"][0],
        "gpgsql-port": where["port"][0],
        "gpgsql-user": "postgres",
        "gpgsql-dbname": POWERDNS,
        "module-dir": str(next(root.glob("usr/lib/*/pdns"))),
        "config-dir": str(directory),
        "socket-dir": str(directory),
        "local-address": "127.0.0.1",
        "local-port": port,
        "receiver-threads": 1,
        "daemon": "no",
        "guardian": "no",
        "loglevel": 3,
        **caches,
    }
    command = [str(root / "usr/sbin/pdns_server"), *(f"--{name}={value}" for name, value in settings.items())]
    async with running(command, port, environment_of(root), directory) as pid:
        yield Server(pid, port)
