"""An upstream, its registry and an edge, on loopback, with wires between them that can be cut and held."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from registry.api import create_app
from registry.handle import Handle
from registry.settings import RegistrySettings
from registry.store import Store
from registry.tokens import Tokens, Wanted
from registry.transaction import begin
from registry.value import HandleValue
from resolver.node import Node, running
from resolver.other_nodes import EdgeSettings
from resolver.settings import ResolverSettings, Settings
from resolver.wire.message import Message
from resolver.wire.stream import MessageStream
from tests.resolver.http.lab import lab
from tests.resolver.native import query
from tests.resolver.patience import PATIENT

DEADLINE = 60.0
INTERVAL = 0.05


class Wire:
    """Carries connections to a port, unless it is cut; while it is held, octets wait in it."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self.carried = 0
        self._target = port
        self._whole = True
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def laid(self) -> AsyncIterator["Wire"]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.hold(False)
            self.cut()
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=DEADLINE)

    def cut(self) -> None:
        self._whole = False
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        self._whole = True

    def hold(self, held: bool) -> None:
        (self._flowing.clear if held else self._flowing.set)()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not self._whole:
            writer.transport.abort()
            return
        self.carried += 1
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, back}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pour(reader, back))
                group.create_task(self._pour(there, writer))
        finally:
            self._writers -= {writer, back}
            writer.transport.abort()
            back.transport.abort()

    async def _pour(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while octets := await reader.read(1 << 16):
                await self._flowing.wait()
                writer.write(octets)
                await writer.drain()
        except OSError:
            pass
        writer.transport.abort()


@dataclass
class Pair:
    """Both nodes; `store` writes in the upstream's book."""

    store: Store
    upstream: Node
    edge: Node
    native: Wire
    registry: Wire

    async def write(self, name: str, text: str, **fields) -> None:
        """Registers a handle, or replaces it."""
        handle, values = Handle.from_text(name), (HandleValue(1, "DESC", text.encode(), **fields),)
        async with begin(self.store, "test") as transaction:
            there = await transaction.lock(handle)
            if there is None:
                await transaction.create(handle, values)
            else:
                await transaction.replace(there, values)

    async def delete(self, name: str) -> None:
        async with begin(self.store, "test") as transaction:
            await transaction.delete(await transaction.lock(Handle.from_text(name)))

    async def ask(self, name: str, *types: str, **fields) -> Message:
        return await asked(self.edge, query(name, *types, **fields))

    async def heard(self) -> None:
        """Waits until the edge knows of all that was committed before this call."""
        now = asyncio.get_running_loop().time()
        async with asyncio.timeout(DEADLINE):
            while self.edge.resolver._heard_at < now:  # noqa: ASYNC110  # nobody is told
                await asyncio.sleep(0.01)


async def asked(node: Node, request: Message) -> Message:
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", node.native_port)
        writer.write(request.to_wire())
        stream = MessageStream()
        while (message := stream.take()) is None:
            received = await reader.read(1 << 16)
            assert received, "no answer"
            stream.feed(received)
        writer.close()
        await writer.wait_closed()
        return message


async def until(condition, what: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110  # what is waited for happens in another task
            await asyncio.sleep(0.01)
    assert condition(), what


@asynccontextmanager
async def paired(dsn: str, directory: Path, **settings) -> AsyncIterator[Pair]:
    """`settings` are those of the edge's resolver."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(lab(dsn, directory / "upstream", plain_authentication=True))
        store = Store(RegistrySettings(dsn=dsn, plain_authentication=True, data_directory=str(directory)), "test")
        stack.push_async_callback(store.close)
        await store.open()
        issued = await Tokens(store).issue(Wanted("edge", frozenset({"read"}), None), by="test")
        runner = web.AppRunner(create_app(store))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        native = await stack.enter_async_context(Wire(upstream.native_port).laid())
        registry = await stack.enter_async_context(Wire(runner.addresses[0][1]).laid())
        edge = EdgeSettings(
            upstream=(f"127.0.0.1:{native.port}",),
            address=f"http://127.0.0.1:{upstream.port}",
            registry=f"http://127.0.0.1:{registry.port}",
            token=issued.token,
            interval=INTERVAL,
        )
        own = RegistrySettings(data_directory=str(directory / "edge"))
        ours = ResolverSettings(listen=("127.0.0.1",), port=0, native_port=0, **PATIENT | settings)
        node = await stack.enter_async_context(running(Settings(own, ours, edge=edge)))
        await until(lambda: not node.unready(), f"the edge is not ready: {node.unready()}")
        yield Pair(store, upstream, node, native, registry)
