"""What the operator's tools ask, on a port of its own: is it alive, is it ready and why not, what are its figures.

A page (`/`) says it to a reader. Alive (`/healthz`) is the process itself. Ready (`/readyz`) is every part of the node,
each reason named, so that the answer tells at night what to look at. Whoever puts the node together says what is wrong
through a `Source`; how the promises stand is read from the book.
"""

import os
import platform
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final, Protocol

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

from registry.language import Catalogue, Language, preferred, text
from registry.promises import Standing
from resolver.listeners.http.pages.response import page_response
from resolver.listeners.processes import ProcessCollector, in_huge_pages
from resolver.listeners.promised import PromiseCollector, Promised
from resolver.listeners.status_page import status_page

REASONS: Final[Catalogue] = {
    "starting": ("{part} is starting", "{part} 正在启动"),
    "restarting": ("{part} ended and is being started again", "{part} 已退出，正在重新启动"),
    "silent": ("{part} has said nothing for {seconds:.0f} s", "{part} 已 {seconds:.0f} 秒没有报告"),
    "database": ("{part} cannot reach the database", "{part} 无法访问数据库"),
    "schema": (
        "{part}: the schema of the database is not this program's: {detail}",
        "{part}：数据库结构与程序不符：{detail}",
    ),
    "change_log": (
        "{part} has not read the change log for {seconds:.1f} s",
        "{part} 已 {seconds:.1f} 秒未读到变更日志",
    ),
    "upstream": ("{part} cannot reach the upstream node", "{part} 无法访问上游节点"),
    "feed": (
        "{part} has not heard all of the upstream's changes for {seconds:.1f} s",
        "{part} 已 {seconds:.1f} 秒未完整收到上游的变更",
    ),
    "edge": (
        "{part} is an edge: it keeps the answers of {address} and has no registry of its own",
        "{part} 是边缘节点：缓存 {address} 的解析结果，没有自己的注册库",
    ),
    "overload": (
        "{part} is overloaded: what it does not hold is refused at once",
        "{part} 过载：未缓存的标识立即返回繁忙",
    ),
    "stopping": ("{part} is stopping", "{part} 正在停止"),
}
MEASUREMENTS: Final = "text/plain; version=0.0.4; charset=utf-8"
PACKAGES: Final = ("aiohttp", "asyncpg", "uvloop")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a part of the node is not ready: a rule of REASONS, the part, and the rule's other culprits."""

    rule: str
    part: str
    culprit: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """Whoever knows the state of the node."""

    def reasons(self) -> list[Reason]:
        """Why the node is not ready; nothing when it is."""

    def notices(self) -> list[Reason]:
        """What the operator should know though the node may be ready."""

    def processes(self) -> Mapping[str, int]:
        """The number of each process of the node, by name."""

    def restarts(self) -> Mapping[str, int]:
        """How often each process was started again after it had ended by itself."""


def create_app(source: Source, promised: Promised) -> web.Application:
    """The application of the status port."""
    app = web.Application()
    handlers = _Handlers(source, promised)
    app.router.add_get("/", handlers.page)
    app.router.add_get("/healthz", handlers.health)
    app.router.add_get("/readyz", handlers.readiness)
    app.router.add_get("/metrics", handlers.measurements)
    app.router.add_get("/version", handlers.version)
    return app


class _Handlers:
    def __init__(self, source: Source, promised: Promised) -> None:
        self._source = source
        self._promised = promised

    async def page(self, request: web.Request) -> web.StreamResponse:
        language = preferred(request.headers.get("Accept-Language"))
        reasons = [_sentence(reason, language) for reason in self._source.reasons()]
        notices = [_sentence(notice, language) for notice in self._source.notices()]
        return page_response(200, status_page(reasons, notices, await self._promised.look(), language), language)

    async def health(self, request: web.Request) -> web.StreamResponse:
        return _json({"alive": True})

    async def readiness(self, request: web.Request) -> web.StreamResponse:
        language = preferred(request.headers.get("Accept-Language"))
        reasons = _told(self._source.reasons(), language)
        processes = self._source.processes()
        form = {
            "ready": not reasons,
            "reasons": reasons,
            "notices": _told(self._source.notices(), language),
            "processes": sorted(processes),
            "hugePages": in_huge_pages(processes),
        }
        return _json(form, 503 if reasons else 200, {"Vary": "Accept-Language"})

    async def measurements(self, request: web.Request) -> web.StreamResponse:
        directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        body = exposition(self._source, directory, await self._promised.look())
        return web.Response(body=body, headers={"Content-Type": MEASUREMENTS})

    async def version(self, request: web.Request) -> web.StreamResponse:
        return _json(versions())


def exposition(source: Source, directory: str | None, seen: Standing | None = None) -> bytes:
    """Everything measured, in the text form of Prometheus; of all processes when they share a directory."""
    registry = CollectorRegistry()
    if directory is None:
        registry.register(_Ours())
    else:
        MultiProcessCollector(registry, path=directory)  # type: ignore[no-untyped-call]  # the library has no types here
    registry.register(ProcessCollector(source.processes()))
    registry.register(_State(source))
    if seen is not None:
        registry.register(PromiseCollector(seen, datetime.now(UTC)))
    return generate_latest(registry)


def _sentence(reason: Reason, language: Language) -> str:
    return text(REASONS, reason.rule, language, part=reason.part, **reason.culprit)


def versions() -> dict[str, str]:
    known = {"version": version("filament-node"), "python": platform.python_version()}
    known |= {package: version(package) for package in PACKAGES}
    commit = os.environ.get("FILAMENT_COMMIT")  # set by whoever builds an image; a wheel does not know
    return known | ({"commit": commit} if commit else {})


class _Ours(Collector):
    """What this one process measured, without what prometheus-client adds by itself: `filament_process_…` says that."""

    def collect(self) -> Iterable[Metric]:
        return (family for family in REGISTRY.collect() if family.name.startswith("filament_"))


class _State(Collector):
    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterable[Metric]:
        ready = GaugeMetricFamily("filament_ready", "1 when every part of the node is ready.")
        ready.add_metric([], 0.0 if self._source.reasons() else 1.0)
        build = GaugeMetricFamily("filament_build_info", "Versions; always 1.", labels=["version", "python"])
        build.add_metric([version("filament-node"), platform.python_version()], 1.0)
        again = CounterMetricFamily(
            "filament_process_restarts", "Starts of a process after it had ended by itself.", labels=["process"]
        )
        for name, count in self._source.restarts().items():
            again.add_metric([name], count)
        return (ready, build, again)


def _told(reasons: Iterable[Reason], language: Language) -> list[dict[str, str]]:
    return [
        {
            "name": reason.rule,
            "part": reason.part,
            "message": _sentence(reason, language),
        }
        for reason in reasons
    ]


def _json(form: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(form) + b"\n",
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
