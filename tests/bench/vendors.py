"""Bodies of other vendors' SDKs: 50 events of one kind each, as a device writes them.

Sentry's SDKs send no 50 sessions in a POST: from a phone comes one session or one event in each
envelope, from a server every minute the counts of its sessions by minute and user.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from msgspec import Struct

EVENTS = 50
CAPTURES = Path(__file__).parents[1] / "contract" / "captures"
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


def sentry_session() -> list[Any]:
    return sentry()[:3]


def sentry_event() -> list[Any]:
    """The recorded event of a caught error."""
    recorded = json.loads((CAPTURES / "sentry-python.json").read_text(encoding="utf-8"))
    body = gzip.decompress(base64.b64decode(recorded["requests"][1]["body_base64"]))
    _, item, event = body.split(b"\n")[:3]
    told = json.loads(event)
    told["user"] = {"id": DEVICE}
    return [sentry()[0], {**json.loads(item), "length": len(json.dumps(told))}, told]


def sentry_counts() -> list[Any]:
    """Each count becomes a start and an end."""
    counts = [{"started": _time(one), "did": DEVICE, "exited": one + 1} for one in range(25)]
    attrs = {"release": "com.demo@1.4.2+142", "environment": "production"}
    return [sentry()[0], {"type": "sessions"}, {"aggregates": counts, "attrs": attrs}]


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

    protocol: str
    path: str
    body: Callable[[str, str], bytes]  # of a key and a device
    content_type: str = JSON
    events: int = EVENTS


def _as_json(made: Callable[[], Any]) -> Callable[[str, str], bytes]:
    def body(key: str, device: str) -> bytes:
        text = json.dumps(made()).replace(DEVICE, device)
        return text.replace(WRITE_KEY, key).encode()

    return body


def _envelope(made: Callable[[], list[Any]]) -> Callable[[str, str], bytes]:
    def body(key: str, device: str) -> bytes:
        lines = [json.dumps(one) for one in made()]
        return "\n".join(lines).replace(DEVICE, device).replace(WRITE_KEY, key).encode()

    return body


def _form(key: str, device: str) -> bytes:
    events = quote(json.dumps(countly()))
    text = f"app_key={key}&device_id={device}&timestamp={MILLISECONDS}&events={events}"
    return text.encode()


def _sentry(made: Callable[[], list[Any]], events: int = EVENTS) -> Vendor:
    body, content_type = _envelope(made), "application/x-sentry-envelope"
    return Vendor("sentry", "/api/1/envelope", body, content_type, events)


VENDORS = {
    "segment": Vendor("segment", "/v1/batch", _as_json(segment)),
    "posthog": Vendor("posthog", "/posthog/batch", _as_json(posthog)),
    "amplitude": Vendor("amplitude", "/2/httpapi", _as_json(amplitude)),
    "mixpanel": Vendor("mixpanel", "/track", _as_json(mixpanel)),
    "otlp": Vendor("otlp", "/v1/logs", _as_json(otlp)),
    "countly": Vendor("countly", "/i", _form, "application/x-www-form-urlencoded"),
    "sentry, 50 sessions": _sentry(sentry),
    "sentry, 25 counts": _sentry(sentry_counts),
}
SINGLE = {  # one event a POST: beside a native POST of one
    "sentry, one session": _sentry(sentry_session, 1),
    "sentry, one event": _sentry(sentry_event, 1),
}
