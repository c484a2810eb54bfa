"""The real OpenTelemetry SDK and its exporter over this gateway, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from requests.adapters import BaseAdapter

from tests.gateway_app import KEY, GatewayUnderTest
from tests.otlp import RESOURCE, TIME


class Wire(BaseAdapter):
    """What the exporter sends goes to the gateway; what that answers comes back."""

    def __init__(self, gateway: GatewayUnderTest) -> None:
        super().__init__()
        self._gateway = gateway
        self.copies = 1  # of each request that arrive
        self.statuses: list[int] = []

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        body = request.body
        assert isinstance(body, bytes)
        headers = {name: str(value) for name, value in request.headers.items()}
        for _ in range(self.copies):
            sent = self._gateway.http.post("/v1/logs", content=body, headers=headers)
            self.statuses.append(sent.status_code)
        response = requests.Response()
        response.status_code = sent.status_code
        response.reason = sent.reason_phrase
        response.headers.update(sent.headers)
        response._content = sent.content
        response.request, response.url = request, request.url or ""
        return response

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def wire(gateway: GatewayUnderTest) -> Wire:
    return Wire(gateway)


@pytest.fixture(params=list(Compression), ids=lambda one: one.value)
def provider(wire: Wire, request: pytest.FixtureRequest) -> Iterator[LoggerProvider]:
    session = requests.Session()
    session.mount("http://", wire)
    exporter = OTLPLogExporter(
        endpoint="http://gw.example/v1/logs",
        headers={"authorization": f"Bearer {KEY}"},
        compression=request.param,
        session=session,
    )
    provider = LoggerProvider(resource=Resource.create(RESOURCE))
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    yield provider
    provider.shutdown()


def emit(provider: LoggerProvider, name: str, **attributes: Any) -> None:
    provider.get_logger("demo").emit(
        LogRecord(
            timestamp=TIME,
            severity_number=SeverityNumber.INFO,
            body="said",
            attributes=attributes,
            event_name=name,
        )
    )


def test_what_it_logs_becomes_events(
    gateway: GatewayUnderTest, wire: Wire, provider: LoggerProvider
) -> None:
    emit(provider, "session.start", **{"session.id": "s-1"})
    emit(provider, "device.app.lifecycle", **{"android.app.state": "foreground"})
    emit(provider, "order.completed", items=["a", "b"], price=9.99)

    assert provider.force_flush()
    assert wire.statuses == [200]
    rows = gateway.rows()
    assert [one["event_type"] for one in rows] == ["session_start", "app_open", "track"]
    assert {one["device_id"] for one in rows} == {"install-1"}
    assert rows[2]["properties"] | {"items": ["a", "b"], "price": 9.99} == rows[2]["properties"]


def test_a_request_whose_answer_was_lost_makes_no_second_events(
    gateway: GatewayUnderTest, wire: Wire, provider: LoggerProvider
) -> None:
    wire.copies = 2
    emit(provider, "order.completed")
    emit(provider, "order.completed", number=2)

    assert provider.force_flush()
    assert wire.statuses == [200, 200]
    ids = [one["event_id"] for one in gateway.rows()]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2
