"""Spans of POSTs, by OpenTelemetry: the extra `tracing`. Imported only where it is switched on.

A phone's trace goes on when the phone has sampled it; of other POSTs a share begins one. Both
together are bounded per second: what phones say of themselves must not fill anybody's disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from gateway.contract.record import Run
from gateway.contract.topics import APP_EVENTS
from gateway.contract.trace_context import TRACEPARENT, TraceContext, read
from gateway.ingest.tracing import Arrived
from gateway.publish.publisher import Outcome, Settle
from gateway.runtime import version

_TRACEPARENT = TRACEPARENT.encode()
_NS = 1_000_000  # of a millisecond


class Share(Struct, frozen=True):
    """Which POSTs are traced."""

    percent: float  # of those that no phone traces
    per_second: float  # at most, all together


class OtelTraces:
    """The port `Traces` over a provider of spans."""

    def __init__(self, provider: TracerProvider, share: Share, chance: Callable[[], float]) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("telemetry-gateway", version())
        self._share = share
        self._chance = chance
        self._left = share.per_second
        self._second = 0

    def follow(
        self, arrived: Arrived, runs: Sequence[Run], settle: Settle
    ) -> tuple[Sequence[Run], Settle]:
        parent = read(arrived.head.headers.get(_TRACEPARENT, b""))
        if not self._wanted(parent, arrived.received_ms):
            return runs, settle
        span = self._begin(arrived, runs, parent)
        own = span.get_span_context()
        header = TraceContext(own.trace_id, own.span_id, is_sampled=True).to_header()
        return [_marked(one, header) for one in runs], partial(self._end, span, settle)

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        self._provider.shutdown()

    def _wanted(self, parent: TraceContext | None, now_ms: int) -> bool:
        if not (parent and parent.is_sampled) and self._chance() * 100 >= self._share.percent:
            return False
        second = now_ms // 1000
        if second != self._second:
            self._second, self._left = second, self._share.per_second
        self._left -= 1
        return self._left >= 0

    def _begin(self, arrived: Arrived, runs: Sequence[Run], parent: TraceContext | None) -> Span:
        span = self._tracer.start_span(
            f"POST {arrived.protocol}",
            context=_context_of(parent),
            kind=SpanKind.SERVER,
            start_time=arrived.received_ms * _NS,
            attributes={
                "http.request.method": "POST",
                "telemetry.protocol": arrived.protocol,
                "telemetry.request_id": arrived.request_id,
                "messaging.system": "kafka",
                "messaging.operation.type": "send",
                "messaging.destination.name": APP_EVENTS.name,
                "messaging.batch.message_count": _events(runs),
            },
        )
        assert isinstance(span, Span)  # noqa: S101  # the provider samples all
        return span

    def _end(self, span: Span, settle: Settle, outcome: Outcome) -> None:
        if outcome.kept is None:
            span.set_status(StatusCode.ERROR, outcome.reason)
        else:
            span.set_attribute("telemetry.kept", str(outcome.kept))
        span.end()
        settle(outcome)


def exported(url: str) -> TracerProvider:
    """Spans go to this OTLP/HTTP address, from a thread of their own."""
    provider = TracerProvider(
        resource=Resource.create(
            {"service.name": "telemetry-gateway", "service.version": version()}
        ),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=5)))
    return provider


def _context_of(parent: TraceContext | None) -> Context:
    empty = trace.set_span_in_context(trace.INVALID_SPAN)
    if parent is None:
        return empty
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    remote = trace.SpanContext(parent.trace_id, parent.span_id, is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(trace.NonRecordingSpan(remote))


def _marked(run: Run, header: bytes) -> Run:
    """Dead letters keep the headers that they have."""
    if run.topic != APP_EVENTS.name:
        return run
    return Run(run.topic, run.key, run.values, [*run.headers, (TRACEPARENT, header)])


def _events(runs: Sequence[Run]) -> int:
    return sum(len(one.values) for one in runs if one.topic == APP_EVENTS.name)
