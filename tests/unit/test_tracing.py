"""One trace from a phone's POST over the record's header to the chunk that stores it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from gateway.contract.trace_context import TraceContext, read
from gateway.tracing import OtelTraces, Share
from sinks.brake import Brake
from sinks.chunk_writer import ChunkWriter
from sinks.metrics import Metrics
from sinks.rows import read_event
from sinks.sink import Polled
from sinks.tracing import OtelChunkTraces
from sinks.window import IdWindow
from tests.builders import RECEIVED_MS, make_batch, make_event
from tests.fakes_sink import FakeGraveyard, FakeSink, make_chunk, make_patience
from tests.gateway_app import GatewayUnderTest
from tests.records import Record

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
IDS = [f"0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e{number:02x}" for number in range(3)]


class Spans:
    """A provider that keeps what ends."""

    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))

    def ended(self) -> list[ReadableSpan]:
        return list(self._kept.get_finished_spans())


class Traced:
    """A gateway that traces."""

    def __init__(self, folder: Path, percent: float = 0.0, per_second: float = 100.0) -> None:
        self.spans = Spans()
        traces = OtelTraces(self.spans.provider, Share(percent, per_second), lambda: 0.5)
        self.gateway = GatewayUnderTest(folder, traces=traces)

    def post(self, *events: Any, **headers: str) -> Any:
        return self.gateway.post(make_batch(*events), **headers)

    def marks(self) -> list[list[tuple[str, bytes]]]:
        return [one.headers for one in self.gateway.publisher.of("app-events")]


async def store(spans: Spans, records: Sequence[Record], sink: FakeSink | None = None) -> None:
    """The chunk of these records, as the sink stores it."""
    polled = [
        Polled(offset, one.key, one.value, RECEIVED_MS, tuple(one.headers))
        for offset, one in enumerate(records)
    ]
    writer = ChunkWriter(
        read_event, sink or FakeSink(), FakeGraveyard(), Brake(100, 1.0), Metrics(),
        make_patience(), OtelChunkTraces(spans.provider, "telemetry-clickhouse"),
    )  # fmt: skip
    await writer.store(make_chunk(0, len(polled)), polled, IdWindow(1000))


async def test_a_phones_trace_goes_on_to_the_chunk(tmp_path: Path) -> None:
    traced = Traced(tmp_path)
    chunks = Spans()

    traced.post(make_event(event_id=IDS[0]), make_event(event_id=IDS[1]), traceparent=SAMPLED)
    traced.post(make_event(event_id=IDS[2]))
    await store(chunks, traced.gateway.publisher.of("app-events"))

    (post,) = traced.spans.ended()
    assert post.parent is not None
    assert (f"{post.parent.trace_id:032x}", f"{post.parent.span_id:016x}") == (TRACE, SPAN)
    assert post.start_time == RECEIVED_MS * 1_000_000
    assert (
        dict(post.attributes or {}).items()
        >= {
            "telemetry.protocol": "native",
            "telemetry.kept": "kafka",
            "messaging.batch.message_count": 2,
        }.items()
    )
    mark = f"00-{TRACE}-{post.context.span_id:016x}-01".encode()
    assert traced.marks() == [[("traceparent", mark)], [("traceparent", mark)], []]
    (chunk,) = chunks.ended()
    assert chunk.parent is None
    assert [link.context.span_id for link in chunk.links] == [post.context.span_id]
    assert [link.context.trace_id for link in chunk.links] == [post.context.trace_id]
    assert dict(chunk.attributes or {})["messaging.batch.message_count"] == 3


def test_a_trace_that_the_phone_has_not_sampled_is_not_followed(tmp_path: Path) -> None:
    traced = Traced(tmp_path)

    traced.post(make_event(), traceparent=NOT_SAMPLED)

    assert traced.spans.ended() == []
    assert traced.marks() == [[]]


def test_a_share_of_the_others_begins_a_trace(tmp_path: Path) -> None:
    traced = Traced(tmp_path, percent=51)

    traced.post(make_event())

    (post,) = traced.spans.ended()
    assert post.parent is None
    assert len(traced.marks()[0]) == 1


def test_phones_cannot_have_more_traced_than_allowed(tmp_path: Path) -> None:
    traced = Traced(tmp_path, per_second=2)

    for _ in range(5):
        traced.post(make_event(), traceparent=SAMPLED)
    traced.gateway.clock_ms += 1000
    traced.post(make_event(), traceparent=SAMPLED)

    assert len(traced.spans.ended()) == 3


def test_a_post_that_is_not_kept_is_an_error(tmp_path: Path) -> None:
    traced = Traced(tmp_path)
    traced.gateway.publisher.fail_next = 1

    assert traced.post(make_event(), traceparent=SAMPLED).status_code == 503

    (post,) = traced.spans.ended()
    assert post.status.status_code is StatusCode.ERROR


def test_a_dead_letter_keeps_the_headers_that_it_has(tmp_path: Path) -> None:
    traced = Traced(tmp_path)

    traced.post(make_event(), {"type": "app_open"}, traceparent=SAMPLED)

    (letter,) = traced.gateway.publisher.of("app-events-dead")
    assert "traceparent" not in dict(letter.headers)


def test_without_tracing_a_traceparent_changes_nothing(gateway: GatewayUnderTest) -> None:
    gateway.post(make_batch(make_event()), traceparent=SAMPLED)

    assert [one.headers for one in gateway.publisher.records] == [[]]


async def test_a_chunk_that_fails_ends_its_span_with_the_error(tmp_path: Path) -> None:
    traced, chunks, sink = Traced(tmp_path), Spans(), FakeSink()
    traced.post(make_event(), traceparent=SAMPLED)
    sink.fail_next = [RuntimeError("a bug")]

    with pytest.raises(RuntimeError, match="a bug"):
        await store(chunks, traced.gateway.publisher.of("app-events"), sink)

    (chunk,) = chunks.ended()
    assert chunk.status.status_code is StatusCode.ERROR


class TestTraceContext:
    @given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
    def test_is_read_as_it_is_written(self, trace_id: int, span_id: int, sampled: bool) -> None:
        context = TraceContext(trace_id, span_id, sampled)

        assert read(context.to_header()) == context

    @pytest.mark.parametrize(
        "header",
        [
            b"",
            b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
            b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            SAMPLED.encode() + b"-more",
            SAMPLED.encode() + b"\n",
        ],
    )
    def test_what_the_standard_calls_invalid_is_none(self, header: bytes) -> None:
        assert read(header) is None

    def test_a_later_version_may_say_more(self) -> None:
        later = b"01" + SAMPLED.encode()[2:] + b"-more"

        assert read(later) == read(SAMPLED.encode())

    @given(st.binary())
    def test_anything_else_breaks_nothing(self, header: bytes) -> None:
        assert read(header) is None or header[2:3] == b"-"
