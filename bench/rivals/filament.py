"""The node itself, as one worker: once with all answers kept, once with a cache too small to keep any for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bench import pools
from bench.batch import Asker, request_of
from bench.generator import Plan, Target, measure
from bench.nodes import BenchNode, a_node
from bench.rivals import job
from bench.rivals.processes import Server, Task

CACHE_MEGABYTES: Final = 2048  # Nothing is evicted.
LITTLE: Final = 1  # MiB: a thousandth of the answers that are asked for.
KEPT_SECONDS: Final = 86_400.0
UDP_RATE: Final = 1 << 34  # Octets a second to one network: the bound against floods is not what is measured.
AT_ONCE: Final = 10_000
TRIES: Final = 5  # Of a batch: where the database is slow, some of its names are refused as busy.


@asynccontextmanager
async def node_cached(task: Task) -> AsyncIterator[Server]:
    settings = {"cache_megabytes": CACHE_MEGABYTES, "found_ttl": KEPT_SECONDS, "native_udp_rate": UDP_RATE}
    directory = task.directory / "node"
    directory.mkdir(exist_ok=True)
    async with a_node(task.dsn, directory, **settings) as node:
        await _warm(node, task.keys)
        await _warm_natively(node, task)
        yield Server(node.process.pid, node.port, node.native_port)


@asynccontextmanager
async def node_uncached(task: Task) -> AsyncIterator[Server]:
    directory = task.directory / "node-uncached"
    directory.mkdir(exist_ok=True)
    async with a_node(task.dsn, directory, cache_megabytes=LITTLE) as node:
        yield Server(node.process.pid, node.port, node.native_port)


async def _warm(node: BenchNode, keys: int) -> None:
    """Resolves every name once, in batches; that one of them is not found ends the measurement."""
    _, asker = await asyncio.get_running_loop().create_connection(Asker, "127.0.0.1", node.port)
    for start in range(0, keys, AT_ONCE):
        names = [job.name(number) for number in range(start, min(start + AT_ONCE, keys))]
        for _ in range(TRIES):
            answer = await asker.ask(request_of(names))
            if b'"found":%d,' % len(names) in answer[-200:]:
                break
        else:
            raise RuntimeError(f"not all names were found: {answer[-80:]!r}")
    asker.transport.close()


async def _warm_natively(node: BenchNode, task: Task) -> None:
    """Asks for every name once more: the native octets of an answer are made when they are first asked for."""
    pool = pools.write_pool(
        task.directory / "every-name.pool", (pools.native(job.name(number)) for number in range(task.keys))
    )
    measured = await measure(Plan(pool, (Target("tcp", node.native_port, 16, 16),), once=True))
    if measured.right != task.keys:
        raise RuntimeError(f"{measured.right} of {task.keys} names were answered natively")
