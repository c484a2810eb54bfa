"""OTLP requests for tests: written as JSON, and the same as protobuf."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
BOTH = [JSON, PROTOBUF]
_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
TIME = 1_795_497_598_000_000_000  # 2 s before the gateway's clock
RESOURCE = {
    "service.name": "com.demo", "service.version": "1.4.2", "app.build_id": "142",
    "app.installation.id": "install-1", "device.manufacturer": "Google",
    "device.model.identifier": "shiba", "device.model.name": "Pixel 8",
    "os.name": "Android", "os.version": "15",
    "telemetry.sdk.name": "opentelemetry", "telemetry.sdk.version": "1.45.2",
}  # fmt: skip


def any_value(value: Any) -> dict[str, Any]:
    """An AnyValue of JSON."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            special = math.isinf(value) or math.isnan(value)
            return {"doubleValue": _SPECIAL[str(value)] if special else value}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode()}
        case list():
            return {"arrayValue": {"values": [any_value(one) for one in value]}}
        case dict():
            return {"kvlistValue": {"values": pairs(value)}}
    return {"stringValue": value}


def pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def record(name: str = "order.completed", /, **fields: Any) -> dict[str, Any]:
    """One log record; `attributes` and `body` are plain values, a field of None is left out."""
    given = {"timeUnixNano": str(TIME), "eventName": name, **fields}
    given["attributes"] = pairs(fields.get("attributes", {}))
    if "body" in fields:
        given["body"] = any_value(fields["body"])
    return {key: value for key, value in given.items() if value is not None}


def resource_logs(*records: Any, resource: dict[str, Any] | None = None) -> dict[str, Any]:
    scope = {"name": "demo.scope", "version": "0.1"}
    return {
        "resource": {"attributes": pairs(RESOURCE if resource is None else resource)},
        "scopeLogs": [{"scope": scope, "logRecords": list(records)}],
    }


def encoded(content_type: str, *logs: dict[str, Any]) -> bytes:
    """An export request."""
    body = {"resourceLogs": list(logs)}
    if content_type == JSON:
        return json.dumps(body).encode()
    request = json_format.ParseDict(body, ExportLogsServiceRequest(), max_recursion_depth=1_000)
    return bytes(request.SerializeToString())
