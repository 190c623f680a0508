"""Traces, as a collector of OpenTelemetry receives them over HTTP; and nothing of it where nobody wants them."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from registry import spans
from tests.resolver.http.lab import PREFIX, Client, basic, lab

TRACE = "0af7651916cd43dd8448eb211c80319c"
ASKER = "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{ASKER}-01"}
NAME = f"{PREFIX}/READ"


class Collector:
    """Takes what the exporter sends."""

    def __init__(self) -> None:
        self.address = ""
        self.spans: list[Span] = []
        self.programs: set[str] = set()

    async def take(self, request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for resource in sent.resource_spans:
            named = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.programs.add(named["service.name"])
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with TestServer(app) as server:
        collector.address = str(server.make_url("/v1/traces"))
        yield collector


async def ask(port: int, *asked: str, method: str = "GET", tls: bool = False, **more) -> list[int]:
    with closing(Client(port, tls=tls)) as client:
        return [(await asyncio.to_thread(client.ask, method, path, **more)).status for path in asked]


async def test_a_miss_and_its_read_belong_to_the_trace_of_the_request_and_a_kept_answer_has_no_span(
    database_dsn, tmp_path
):
    async with collecting() as collector:
        async with lab(database_dsn, tmp_path, traces=collector.address) as node:
            path = f"/api/handles/{NAME}"
            assert await ask(node.port, *[path] * 8, headers=PARENT) == [200] * 8
            assert node.metrics.counts.ready > 0
        (miss,) = [span for span in collector.named("miss") if span.trace_id.hex() == TRACE]
        (read,) = [span for span in collector.named("database") if span.trace_id.hex() == TRACE]
        assert miss.parent_span_id.hex() == ASKER
        assert read.parent_span_id == miss.span_id
        assert {one.key: one.value.string_value for one in miss.attributes} == {"handle": NAME}
        assert miss.start_time_unix_nano <= read.start_time_unix_nano
        assert read.end_time_unix_nano <= miss.end_time_unix_nano
        assert collector.programs == {"filament-resolver"}
    assert not spans.are_wanted()


async def test_a_write_is_a_span_that_says_by_whom(database_dsn, tmp_path):
    async with collecting() as collector:
        async with lab(database_dsn, tmp_path, traces=collector.address) as node:
            record = {"values": [{"index": 1, "type": "URL", "data": {"format": "string", "value": "http://x.org"}}]}
            given = {"headers": {**PARENT, **basic()}, "body": record}
            assert await ask(node.port, f"/api/handles/{PREFIX}/NEW", method="PUT", tls=True, **given) == [201]
        written = [span for span in collector.named("write") if span.trace_id.hex() == TRACE]
        assert [one.value.string_value for span in written for one in span.attributes] == ["301:0.NA/88.118.1"]


async def test_a_read_for_several_is_of_the_first_and_linked_to_the_others(tmp_path):
    async with collecting() as collector, spans.exporting(collector.address, "test"):
        begun = []
        for _ in range(3):
            with spans.span("miss"):
                begun.append(spans.current())
        with spans.after("database", [None, *begun], handles=3):
            pass
        with spans.after("database", [None], handles=1):
            pass
        await asyncio.to_thread(spans._tracing.provider.force_flush)
        first, alone = collector.named("database")
        assert first.parent_span_id == begun[0].span_id.to_bytes(8, "big")
        assert [link.span_id for link in first.links] == [one.span_id.to_bytes(8, "big") for one in begun[1:]]
        assert not alone.parent_span_id


async def test_a_collector_that_is_away_holds_nobody_up_and_is_named_in_the_log(database_dsn, tmp_path, caplog):
    async with lab(database_dsn, tmp_path, traces="http://127.0.0.1:9/v1/traces") as node:
        assert await ask(node.port, f"/api/handles/{NAME}") == [200]
    assert {record.name.partition(".")[0] for record in caplog.records if record.levelname == "ERROR"} == {
        "opentelemetry"
    }
    caplog.clear()


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_nothing_of_the_extra_is_imported_where_no_traces_are_wanted():
    done = python(
        "import sys, resolver.node, registry.api, resolver.supervisor\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.')], sys.modules.keys()"
    )
    assert done.returncode == 0, done.stderr


def test_without_the_extra_a_collector_is_refused_with_what_to_install():
    done = python(
        "import sys\n"
        "sys.modules['opentelemetry'] = None\n"
        "from resolver.settings import load\n"
        "from registry.settings import InvalidSettings\n"
        "try:\n"
        "    load(environment={'FILAMENT_REGISTRY_TRACES': 'http://127.0.0.1:4318/v1/traces'})\n"
        "except InvalidSettings as error:\n"
        "    print(*error.texts('en'), *error.texts('zh'))\n"
    )
    assert "pip install 'filament-node[opentelemetry]'" in done.stdout, done.stderr
    assert "链路追踪需安装扩展" in done.stdout
