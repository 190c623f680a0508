"""What the supervisor starts: `python -m resolver.worker`, with one end of a pair of sockets as its standard input.

The first line says what to be, a resolver or the registry; from then on a line a second says how it is. The end of the
stream is the end of the supervisor, and so is ours: no process of a node outlives it.
"""

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import uvloop

from resolver.logs import set_up
from resolver.settings import Settings

log = logging.getLogger(__name__)

REPORT_INTERVAL: Final = 1.0  # Seconds.
UNREADY_INTERVAL: Final = 0.1  # Seconds while something is wrong: whoever waits for us is told at once.
PARENT_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG of prctl(2).
MAX_ORDER: Final = 1 << 20  # Octets of the line of orders: all settings, with long lists of administrators.

Unready = Callable[[], list[tuple[str, Mapping[str, Any]]]]


class Post:
    """The line to the supervisor. Whoever runs here says when it has started, and how it is from then on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._reporting: asyncio.Task[None] | None = None
        self.name = ""
        self.apply: Callable[[Settings], None] | None = None

    async def orders(self) -> dict[str, Any]:
        orders = dict(json.loads(await self._reader.readline()))
        self.name = orders["name"]
        return orders

    async def hear(self) -> None:
        """Takes up other settings whenever they come, and returns when the supervisor has ended."""
        with contextlib.suppress(ConnectionError):
            while line := await self._reader.readline():
                settings = msgspec.convert(json.loads(line)["settings"], Settings)
                set_up(settings.status, self.name)
                if self.apply is not None:
                    self.apply(settings)
                log.info("settings are read again")

    def started(self, unready: Unready, notices: Unready = list) -> None:
        self._reporting = asyncio.create_task(self._report(unready, notices))

    async def _report(self, unready: Unready, notices: Unready) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                reasons = unready()
                self._writer.write(json.dumps({"reasons": reasons, "notices": notices()}).encode() + b"\n")
                await self._writer.drain()
                await asyncio.sleep(UNREADY_INTERVAL if reasons else REPORT_INTERVAL)


async def _resolver(settings: Settings, orders: Mapping[str, Any], stop: asyncio.Event, post: Post) -> None:
    from resolver.node import Node, serve

    def started(node: Node) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, node.reload)
        post.apply = node.apply
        post.started(node.unready, node.notices)

    await serve(settings, stop, worker=orders["worker"], predecessor=orders.get("predecessor"), started=started)


async def _registry(settings: Settings, orders: Mapping[str, Any], stop: asyncio.Event, post: Post) -> None:
    from registry.api import Limit, serve

    def limited(limit: Limit) -> None:
        post.apply = lambda settings: limit(settings.registry)

    predecessor = orders.get("predecessor")
    await serve(settings.registry, stop, predecessor=predecessor, started=post.started, limited=limited)


PROGRAMS: Final[Mapping[str, Callable[[Settings, Mapping[str, Any], asyncio.Event, Post], Awaitable[None]]]] = {
    "resolver": _resolver,
    "registry": _registry,
}


async def _work(channel: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=channel, limit=MAX_ORDER)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, log.debug, "nothing to read again")
    post = Post(reader, writer)
    orders = await post.orders()
    settings = msgspec.convert(orders["settings"], Settings)
    set_up(settings.status, orders["name"])
    leaving = asyncio.create_task(post.hear())
    leaving.add_done_callback(lambda _: stop.set())
    try:
        await PROGRAMS[orders["program"]](settings, orders, stop, post)
    finally:
        leaving.cancel()
        writer.close()


def main() -> None:
    if sys.platform == "linux":
        # At once, as systemd does it: whoever is started in the supervisor's place finds its ports free. The end of the
        # stream says the same to whoever was born too late for this.
        ctypes.CDLL(None, use_errno=True).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
    channel = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # our own children are not to hold the line
    os.close(nothing)
    uvloop.run(_work(channel))


if __name__ == "__main__":
    main()
