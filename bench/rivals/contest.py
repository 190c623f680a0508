"""Who is compared with whom, at what, and the bar that the comparison has to reach."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from bench.generator import Protocol
from bench.rivals.filament import node_cached, node_uncached
from bench.rivals.nginx import nginx
from bench.rivals.powerdns import powerdns_cached, powerdns_uncached
from bench.rivals.processes import Server, Task
from bench.rivals.redis import redis
from bench.rivals.services import aiohttp_application, fastapi_cached, fastapi_uncached
from bench.rivals.udp_lookup import udp_lookup

Start = Callable[[Task], AbstractAsyncContextManager[Server]]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server and a way to ask it: which requests, over how many connections, how many at once on each."""

    name: str
    chinese: str
    start: Start
    pool: str
    protocol: Protocol
    connections: int = 64
    in_flight: int = 1

    def port_of(self, server: Server) -> int:
        return server.native_port if self.protocol in ("tcp", "udp") else server.port


@dataclass(frozen=True, slots=True)
class Figure:
    """Identifiers a second of one contestant, as a ratio to another's of the same round or by themselves."""

    name: str
    chinese: str
    of: str
    to: str
    bar: float
    stretch: float


# 256 datagrams are on their way at once: eight sockets with 32 each.
CACHED: Final = (
    Contestant("nginx, static body", "nginx 静态应答", nginx, "static", "http"),
    Contestant("node, HTTP", "本节点 HTTP", node_cached, "http", "http"),
    Contestant("FastAPI, dictionary", "FastAPI 字典缓存", fastapi_cached, "http", "http"),
    Contestant("aiohttp, TTLCache, orjson", "aiohttp 应用 + TTLCache + orjson", aiohttp_application, "http", "http"),
    Contestant("Redis, GET", "Redis GET", redis, "redis", "redis"),
    Contestant("PowerDNS, packet cache", "PowerDNS 报文缓存", powerdns_cached, "dns-few", "dns", 8, 32),
    Contestant("C loop, UDP look-up", "C 循环 UDP 查表", udp_lookup, "native", "udp", 8, 32),
    Contestant("node, native UDP", "本节点原生 UDP", node_cached, "native", "udp", 8, 32),
    Contestant("node, native TCP, 16 in flight", "本节点原生 TCP（16 个并发）", node_cached, "native", "tcp", 64, 16),
    Contestant("node, batches of 1,000", "本节点批量（每批 1,000）", node_cached, "batch", "http", 4),
)
UNCACHED: Final = (
    Contestant("node, HTTP, uncached", "本节点 HTTP，无缓存", node_uncached, "http-rows", "http"),
    Contestant("FastAPI and asyncpg, uncached", "FastAPI + asyncpg，无缓存", fastapi_uncached, "http-rows", "http"),
    Contestant(
        "PowerDNS and Postgres, uncached", "PowerDNS + Postgres，无缓存", powerdns_uncached, "dns-rows", "dns", 8, 8
    ),
)
GROUPS: Final = (CACHED, UNCACHED)

FIGURES: Final = (
    Figure("cached HTTP to nginx's static body", "缓存命中 HTTP / nginx 静态应答",
           "node, HTTP", "nginx, static body", 0.8, 1.0),
    Figure("cached HTTP to FastAPI", "缓存命中 HTTP / FastAPI",
           "node, HTTP", "FastAPI, dictionary", 20, 30),
    Figure("cached HTTP to a plain aiohttp application", "缓存命中 HTTP / 普通 aiohttp 应用",
           "node, HTTP", "aiohttp, TTLCache, orjson", 6, 10),
    Figure("native UDP to PowerDNS's packet cache", "原生 UDP / PowerDNS 报文缓存",
           "node, native UDP", "PowerDNS, packet cache", 2, 3),
    Figure("native UDP to a C loop doing the same look-up", "原生 UDP / 同样查表的 C 循环",
           "node, native UDP", "C loop, UDP look-up", 0.6, 0.8),
    Figure("native TCP, 16 in flight, to nginx one in flight", "原生 TCP（16 个并发）/ nginx（1 个并发）",
           "node, native TCP, 16 in flight", "nginx, static body", 3, 5),
    Figure("batch of 1,000, identifiers a second", "每批 1,000 个，每秒标识数",
           "node, batches of 1,000", "", 500_000, 1_000_000),
    Figure("uncached HTTP to FastAPI and asyncpg", "未缓存 HTTP / FastAPI + asyncpg",
           "node, HTTP, uncached", "FastAPI and asyncpg, uncached", 4, 7),
    Figure("uncached HTTP to PowerDNS and Postgres", "未缓存 HTTP / PowerDNS + Postgres",
           "node, HTTP, uncached", "PowerDNS and Postgres, uncached", 1.5, 4),
)  # fmt: skip
