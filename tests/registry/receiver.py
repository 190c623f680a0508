"""A subscriber of webhooks: a real HTTP server that can be told to refuse, to be slow and to die."""

import asyncio

import orjson
from aiohttp import web


class Receiver:
    """Keeps what it took; `status` is what it answers, and it answers only while `gate` is open."""

    def __init__(self):
        self.messages = []  # (headers, body) of every attempt
        self.taken = []  # events of those it answered well
        self.status = 204
        self.headers = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.port = 0
        self._arrived = asyncio.Condition()
        self._runner = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hear"

    async def start(self):
        app = web.Application()
        app.router.add_post("/hear", self._hear)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self):
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def attempts(self, count):
        """When so many messages have come."""
        await self._when(lambda: len(self.messages) >= count)

    async def events(self, count):
        """Events taken, each once, in the order in which they came first; when there are so many."""
        await self._when(lambda: len(self._once()) >= count)
        return list(self._once().values())

    def _once(self):
        return {event["id"]: event for event in self.taken}

    async def _when(self, so):
        async with asyncio.timeout(60), self._arrived:
            await self._arrived.wait_for(so)

    async def _hear(self, request):
        body = await request.read()
        async with self._arrived:
            self.messages.append((dict(request.headers), body))
            self._arrived.notify_all()
        await self.gate.wait()
        if self.status // 100 == 2:
            async with self._arrived:
                self.taken.extend(orjson.loads(body))
                self._arrived.notify_all()
        return web.Response(status=self.status, headers=self.headers)
