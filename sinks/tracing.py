"""Spans of chunks, by OpenTelemetry: the extra `tracing`. Imported only where it is switched on.

A chunk has records of many POSTs, so its span has links to theirs and no parent. A chunk without a
traced record has no span.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind

from gateway.contract.trace_context import TRACEPARENT, TraceContext, read
from gateway.runtime import version
from sinks.sink import Chunk, Polled

MOST_LINKS = 128


class OtelChunkTraces:
    """The port `ChunkTraces` over a provider of spans."""

    def __init__(self, provider: TracerProvider, group: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("telemetry-sink", version())
        self._group = group

    @contextmanager
    def span(self, chunk: Chunk, records: Sequence[Polled]) -> Iterator[None]:
        links = [Link(_span_context(one)) for one in _traced(records)][:MOST_LINKS]
        if not links:
            yield
            return
        with self._tracer.start_as_current_span(
            f"store {chunk.topic}",
            context=trace.set_span_in_context(trace.INVALID_SPAN),
            kind=SpanKind.CONSUMER,
            links=links,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.destination.name": chunk.topic,
                "messaging.destination.partition.id": str(chunk.partition),
                "messaging.consumer.group.name": self._group,
                "messaging.batch.message_count": len(records),
            },
        ):
            yield

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        self._provider.shutdown()


def exported(url: str) -> TracerProvider:
    """Spans go to this OTLP/HTTP address, from a thread of their own."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": "telemetry-sink", "service.version": version()}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=5)))
    return provider


def _traced(records: Sequence[Polled]) -> list[TraceContext]:
    """Each POST once."""
    found: dict[bytes, TraceContext] = {}
    for record in records:
        for name, value in record.headers:
            if name == TRACEPARENT and value not in found:
                context = read(value)
                if context is not None and context.is_sampled:
                    found[value] = context
    return list(found.values())


def _span_context(context: TraceContext) -> trace.SpanContext:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=flags)
