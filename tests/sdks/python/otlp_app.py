"""OpenTelemetry's SDK and its exporter of logs, with events by the names of its mobile SDKs."""

import time
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from tests.sdks.python.task import (
    DEVICE,
    IS_LIFE,
    KEY,
    ORDERS,
    PROPERTIES,
    SESSION_SECONDS,
    URL,
    until_told,
)

resource = Resource.create(
    {
        "service.name": "com.example.demo",
        "service.version": "1.4.2",
        "app.installation.id": DEVICE,
        "device.manufacturer": "Google",
        "device.model.identifier": "Pixel 8",
        "os.name": "Android",
        "os.version": "15",
    }
)
exporter = OTLPLogExporter(endpoint=f"{URL}/v1/logs", headers={"authorization": f"Bearer {KEY}"})
provider = LoggerProvider(resource=resource)
provider.add_log_record_processor(BatchLogRecordProcessor(exporter, schedule_delay_millis=200))
logger = provider.get_logger("demo")


def emit(name: str, **attributes: Any) -> None:
    logger.emit(
        LogRecord(
            timestamp=time.time_ns(),
            severity_number=SeverityNumber.INFO,
            attributes={"session.id": f"session-{SESSION_SECONDS}", **attributes},
            event_name=name,
        )
    )


if IS_LIFE:
    emit("session.start")
    emit("device.app.lifecycle", **{"android.app.state": "foreground"})
    emit("device.app.lifecycle", **{"android.app.state": "background"})
    crashed = {"exception.type": "LookupError", "exception.message": "no cart"}
    emit("app.crash", **crashed, **{"exception.stacktrace": "at com.example.Cart.open(Cart.kt:42)"})
    emit("session.end")
for order in ORDERS:
    emit(order, **PROPERTIES)
until_told()
provider.shutdown()
