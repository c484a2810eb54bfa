"""Spans of a real gateway, and the mark on its records in a real Kafka."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from pathlib import Path
from uuid import uuid4

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.builders import make_batch, make_event
from tests.http_serving import Serving, answer
from tests.kafka import KafkaUnderTest, read_topic, wait_until
from tests.processes import GatewayProcess, add_key

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector:
    """Takes spans over OTLP/HTTP."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str]] = []  # trace, span

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        told = ExportTraceServiceRequest.FromString(body)
        self.spans += [
            (one.trace_id.hex(), one.span_id.hex())
            for resource in told.resource_spans
            for scope in resource.scope_spans
            for one in scope.spans
        ]
        answer(request, 200, [("Content-Type", "application/x-protobuf")], b"")


async def test_a_phones_trace_is_on_the_record_and_at_the_collector(
    hub: KafkaUnderTest, tmp_path: Path
) -> None:
    collector = Collector()
    serving = Serving(collector.take)
    event_id = str(uuid4())
    add_key("demo", tmp_path)
    gateway = GatewayProcess(
        hub.bootstrap, tmp_path, tracing_url=f"{serving.url}/v1/traces", tracing_percent=0
    )
    try:
        gateway.wait_until_ready()
        body = make_batch(make_event(event_id=event_id))
        status, _ = gateway.post(body, {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
        gateway.post(make_batch(make_event(event_id=str(uuid4()))))
        code = gateway.stop()  # what is left is sent
        wait_until(lambda: bool(collector.spans), 10, "the span")
    finally:
        serving.close()
        if not gateway.is_dead():
            gateway.kill()

    assert (status, code) == (200, 0)
    records = await read_topic(hub.bootstrap, "app-events")
    (record,) = [one for one in records if event_id.encode() in (one.value or b"")]
    ((trace, span),) = collector.spans
    assert trace == TRACE
    assert list(record.headers) == [("traceparent", f"00-{TRACE}-{span}-01".encode())]
