"""Bodies of other vendors' SDKs: 50 events of one kind each, as a device writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from msgspec import Struct

EVENTS = 50
SENT_AT = "2026-11-24T05:20:00.000Z"
MILLISECONDS = 1_795_497_548_000
NAMES = ("Order Completed", "Product Viewed", "Product Added", "Coupon Applied")
JSON = "application/json"
WRITE_KEY = "a-write-key"  # stands where the key will be
DEVICE = "a-device"


def _time(number: int) -> str:
    """Of the event of this number: no two are of the same millisecond."""
    return f"2026-11-24T05:19:{8 + number:02d}.{number:03d}Z"


def _properties(number: int) -> dict[str, Any]:
    return {"price": number / 4}  # one, as a native event of the other benches has


def segment() -> Any:
    context = {
        "app": {"name": "Demo", "version": "1.4.2", "build": "142", "namespace": "com.demo"},
        "device": {"id": "DEV-1", "manufacturer": "Google", "model": "Pixel 8"},
        "os": {"name": "Android", "version": "15"},
        "network": {"wifi": True, "cellular": False},
        "library": {"name": "analytics-react-native", "version": "2.24.1"},
        "locale": "en-US",
        "timezone": "Europe/Berlin",
    }
    calls = [
        {
            "type": "track", "event": NAMES[number % 4], "messageId": str(uuid4()),
            "anonymousId": DEVICE, "timestamp": _time(number), "context": context,
            "properties": _properties(number),
        }
        for number in range(EVENTS)
    ]  # fmt: skip
    return {"batch": calls, "sentAt": SENT_AT, "writeKey": WRITE_KEY}


def posthog() -> Any:
    properties = {
        "$session_id": str(uuid4()), "$app_version": "1.4.2", "$app_build": "142",
        "$os_name": "Android", "$os_version": "15", "$device_manufacturer": "Google",
        "$device_model": "Pixel 8", "$locale": "en-US", "$timezone": "Europe/Berlin",
        "$lib": "posthog-react-native", "$lib_version": "4.78.0", "$network_wifi": True,
    }  # fmt: skip
    events = [
        {
            "event": NAMES[number % 4], "uuid": str(uuid4()), "distinct_id": DEVICE,
            "timestamp": _time(number), "properties": {**properties, **_properties(number)},
        }
        for number in range(EVENTS)
    ]  # fmt: skip
    return {"batch": events, "sent_at": SENT_AT, "api_key": WRITE_KEY}


def amplitude() -> Any:
    events = [
        {
            "event_type": NAMES[number % 4], "insert_id": str(uuid4()),
            "event_id": number, "time": MILLISECONDS + number, "device_id": DEVICE,
            "session_id": MILLISECONDS, "app_version": "1.4.2", "os_name": "android",
            "os_version": "15", "device_manufacturer": "Google", "device_model": "Pixel 8",
            "language": "en", "library": "amplitude-react-native-ts/1.10.0",
            "event_properties": _properties(number),
        }
        for number in range(1, EVENTS + 1)
    ]  # fmt: skip
    return {"api_key": WRITE_KEY, "client_upload_time": SENT_AT, "events": events}


def mixpanel() -> Any:
    return [
        {
            "event": NAMES[number % 4],
            "properties": {
                "mp_lib": "android", "$os": "Android", "$os_version": "15",
                "$manufacturer": "Google", "$model": "Pixel 8", "$app_version_string": "1.4.2",
                "token": WRITE_KEY, "time": MILLISECONDS + number, "distinct_id": DEVICE,
                "$device_id": DEVICE, "$insert_id": str(uuid4()), **_properties(number),
            },
        }
        for number in range(EVENTS)
    ]  # fmt: skip


def otlp() -> Any:
    attribute: Callable[[str, str], Any] = lambda key, value: {  # noqa: E731  # it is one line
        "key": key,
        "value": {"stringValue": value},
    }
    resource = [
        attribute("app.installation.id", DEVICE), attribute("service.name", "com.demo"),
        attribute("service.version", "1.4.2"), attribute("os.name", "Android"),
        attribute("os.version", "15"), attribute("device.manufacturer", "Google"),
    ]  # fmt: skip
    records = [
        {
            "timeUnixNano": f"{MILLISECONDS + number}000000",
            "eventName": NAMES[number % 4],
            "attributes": [
                attribute("session.id", "s-1"),
                attribute("log.record.uid", str(uuid4())),
                {"key": "price", "value": {"doubleValue": number / 4}},
            ],
        }
        for number in range(EVENTS)
    ]
    return {
        "resourceLogs": [
            {"resource": {"attributes": resource}, "scopeLogs": [{"logRecords": records}]}
        ]
    }


def sentry() -> list[Any]:
    """The lines of an envelope of sessions."""
    lines: list[Any] = [{"sent_at": SENT_AT, "dsn": f"https://{WRITE_KEY}@gw.example.com/1"}]
    for number in range(EVENTS):
        session = {
            "sid": str(uuid4()), "did": DEVICE, "init": True, "started": _time(number),
            "timestamp": _time(number), "status": "ok", "seq": number,
            "attrs": {"release": "com.demo@1.4.2+142", "environment": "production"},
        }  # fmt: skip
        lines += [{"type": "session"}, session]
    return lines


def countly() -> list[Any]:
    return [
        {
            "key": NAMES[number % 4], "count": 1, "timestamp": MILLISECONDS + number, "hour": 5,
            "dow": 2, "id": str(uuid4()), "segmentation": _properties(number),
        }
        for number in range(EVENTS)
    ]  # fmt: skip


class Vendor(Struct, frozen=True):
    """How a POST of this vendor's looks."""

    path: str
    body: Callable[[str, str], bytes]  # of a key and a device
    content_type: str = JSON


def _as_json(made: Callable[[], Any]) -> Callable[[str, str], bytes]:
    def body(key: str, device: str) -> bytes:
        text = json.dumps(made()).replace(DEVICE, device)
        return text.replace(WRITE_KEY, key).encode()

    return body


def _envelope(key: str, device: str) -> bytes:
    lines = [json.dumps(one) for one in sentry()]
    return "\n".join(lines).replace(DEVICE, device).replace(WRITE_KEY, key).encode()


def _form(key: str, device: str) -> bytes:
    events = quote(json.dumps(countly()))
    text = f"app_key={key}&device_id={device}&timestamp={MILLISECONDS}&events={events}"
    return text.encode()


VENDORS = {
    "segment": Vendor("/v1/batch", _as_json(segment)),
    "posthog": Vendor("/posthog/batch", _as_json(posthog)),
    "amplitude": Vendor("/2/httpapi", _as_json(amplitude)),
    "mixpanel": Vendor("/track", _as_json(mixpanel)),
    "otlp": Vendor("/v1/logs", _as_json(otlp)),
    "sentry": Vendor("/api/1/envelope", _envelope, "application/x-sentry-envelope"),
    "countly": Vendor("/i", _form, "application/x-www-form-urlencoded"),
}
