"""What takes time, told to OpenTelemetry as spans: misses, reads of the database, questions to other nodes, writes.

As with logs, what is told is the process's, and whoever works tells it without being handed anything. The SDK is an
extra: it is imported when `exporting` begins, and where nobody wants traces a span is one look at a variable. A kept
answer has no span at all. How many traces are taken, and what stands in each, say the SDK's own variables
(OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES); a trace that a client began (W3C Trace Context) goes on in ours.
"""

import asyncio
import contextlib
import importlib.util
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from importlib.metadata import version
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol, Self

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext

Attribute = str | int

WAITING: Final = 4096  # Spans that wait to be sent; more are dropped, and the SDK says so.
PATIENCE: Final = 3.0  # Seconds for a collector to take some; it stands beside the node, and a stop waits for it.
MAX_LINKS: Final = 32  # Of a read to those who asked for its names; each costs some fifty octets.


class Open(Protocol):
    """A span that ends when it is told to, and is the current one only within `here`."""

    def here(self) -> AbstractContextManager[object]: ...
    def end(self) -> None: ...


class _Nothing:
    """In place of every span, where nobody wants any."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def here(self) -> Self:
        return self

    def end(self) -> None:
        return None


class _Tracing:
    """The SDK, imported."""

    def __init__(self, collector: str, program: str) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create({"service.name": program, "service.version": version("filament-node")})
        exporter = OTLPSpanExporter(collector, timeout=PATIENCE)
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=WAITING))
        self.tracer = self.provider.get_tracer("filament")
        self.trace = trace
        self.propagator = TraceContextTextMapPropagator()


class _Begun:
    __slots__ = ("_span", "_tracing")

    def __init__(self, tracing: _Tracing, span: "Span") -> None:
        self._tracing = tracing
        self._span = span

    def here(self) -> AbstractContextManager[object]:
        current: AbstractContextManager[object] = self._tracing.trace.use_span(self._span)
        return current

    def end(self) -> None:
        self._span.end()


_NOTHING: Final = _Nothing()
_tracing: _Tracing | None = None


def are_installed() -> bool:
    """Whether the extra is there."""
    try:
        return importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def are_wanted() -> bool:
    return _tracing is not None


@asynccontextmanager
async def exporting(collector: str, program: str) -> AsyncIterator[None]:
    """Sends spans to an OTLP collector over HTTP while the block runs; to none when its address is empty."""
    global _tracing  # the process's, as loggers are
    if not collector:
        yield
        return
    former, tracing = _tracing, await asyncio.to_thread(_Tracing, collector, program)
    _tracing = tracing
    try:
        yield
    finally:
        _tracing = former
        await asyncio.to_thread(tracing.provider.shutdown)


def span(name: str, **attributes: Attribute) -> AbstractContextManager[object]:
    """What the block does, as a part of what it is done in."""
    if _tracing is None:
        return _NOTHING
    return _tracing.tracer.start_as_current_span(name, attributes=attributes)


def begin(name: str, **attributes: Attribute) -> Open:
    """As `span`, for what goes on in calls."""
    if _tracing is None:
        return _NOTHING
    return _Begun(_tracing, _tracing.tracer.start_span(name, attributes=attributes))


def current() -> "SpanContext | None":
    """The span that is being worked at, for who goes on with it elsewhere."""
    if _tracing is None:
        return None
    context = _tracing.trace.get_current_span().get_span_context()
    return context if context.is_valid else None


def after(name: str, begun: Iterable["SpanContext | None"], **attributes: Attribute) -> AbstractContextManager[object]:
    """A span of work that several wait for: a part of the first of these, and linked to the others."""
    if _tracing is None:
        return _NOTHING
    known = [*islice(filter(None, begun), MAX_LINKS)]
    trace = _tracing.trace
    parent = trace.set_span_in_context(trace.NonRecordingSpan(known[0] if known else trace.INVALID_SPAN_CONTEXT))
    links = [trace.Link(other) for other in known[1:]]
    return _tracing.tracer.start_as_current_span(name, context=parent, links=links, attributes=attributes)


def asked_by(headers: Mapping[str, str]) -> AbstractContextManager[object]:
    """What the block does is a part of the trace that a request names in `traceparent`."""
    if _tracing is None or "traceparent" not in headers:
        return _NOTHING
    carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
    return _attached(_tracing, carrier)


@contextlib.contextmanager
def _attached(tracing: _Tracing, carrier: dict[str, str]) -> Iterator[None]:
    remote = tracing.trace.get_current_span(tracing.propagator.extract(carrier))
    with tracing.trace.use_span(remote):
        yield
