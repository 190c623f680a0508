"""The Postgres that Filament ships, on a host of its own.

`python -m bench.distant_postgres DIRECTORY ADDRESS [PRIMARY]`
It listens on the address and believes everybody in its network of 256; with a primary it is first copied from there,
and follows it then. It says so when it is ready, and ends with its standard input.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Final

import asyncpg

from registry.embedded import EmbeddedPostgres
from registry.postgres_programs import find_binaries

READY: Final = "ready"
SETTINGS: Final = {"shared_buffers": "64MB", "logging_collector": "off"}


async def serve(directory: Path, address: str, primary: str) -> None:
    if primary:
        await asyncio.to_thread(_copy, directory, primary)
    async with EmbeddedPostgres(directory, settings={**SETTINGS, "listen_addresses": address}) as server:
        if not primary:
            await _let_in(server.dsn, directory / "cluster" / "pg_hba.conf", address)
        print(READY, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def _let_in(dsn: str, rules: Path, address: str) -> None:
    network = f"{address.rpartition('.')[0]}.0/24"
    with rules.open("a") as file:
        file.write(f"host all all {network} trust\nhost replication all {network} trust\n")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()
    while not await _lets_in(address):  # noqa: ASYNC110  # that the rules were read is told to nobody
        await asyncio.sleep(0.05)


async def _lets_in(address: str) -> bool:
    try:
        await (await asyncpg.connect(host=address, user="postgres", database="postgres")).close()
    except asyncpg.InvalidAuthorizationSpecificationError:
        return False
    return True


def _copy(directory: Path, primary: str) -> None:
    directory.mkdir(mode=0o700)
    words = ("-h", primary, "-p", "5432", "-U", "postgres", "-D", str(directory / "cluster"), "-X", "stream")
    program = find_binaries() / "pg_basebackup"
    subprocess.run([str(program), *words, "--checkpoint=fast", "--write-recovery-conf"], check=True)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2], "".join(sys.argv[3:])))
