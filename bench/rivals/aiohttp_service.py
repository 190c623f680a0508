"""The job as a plain aiohttp application: a route, cachetools' TTLCache, orjson for each answer."""

import gc
import sys
from typing import Any

import orjson
import uvloop
from aiohttp import web
from cachetools import TTLCache

from bench.rivals.job import TTL, name, record


def service(keys: int) -> web.Application:
    records: TTLCache[str, dict[str, Any]] = TTLCache(2 * keys, TTL)
    for number in range(keys):
        records[name(number)] = record(number)
    gc.freeze()

    async def resolve(request: web.Request) -> web.Response:
        found = records.get(request.match_info["handle"])
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    application = web.Application()
    application.router.add_get("/api/handles/{handle:.+}", resolve)
    return application


if __name__ == "__main__":
    web.run_app(
        service(int(sys.argv[1])),
        host="127.0.0.1",
        port=int(sys.argv[2]),
        access_log=None,
        loop=uvloop.new_event_loop(),
    )
