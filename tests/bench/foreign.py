"""`python -m tests.bench.foreign`: what an event of another vendor's protocol costs beside a native
one, from body to records, in this process. Each body holds 50 events of the same kind."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.table import Table

from gateway.prepare.batch import prepare
from gateway.prepare.context import Origin
from gateway.protocols import PROTOCOLS
from gateway.protocols.protocol import Head
from tests.bench.generator import body_of

EVENTS = 50
ROUNDS = 7
POSTS = 40
SENT_AT = "2026-11-24T05:20:00.000Z"
TIME = "2026-11-24T05:19:58.000Z"
MILLISECONDS = 1_795_497_598_000


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
            "type": "track", "event": "Application Opened", "messageId": str(uuid4()),
            "anonymousId": "install-1", "timestamp": TIME, "context": context,
            "properties": {"from_background": False},
        }
        for _ in range(EVENTS)
    ]  # fmt: skip
    return {"batch": calls, "sentAt": SENT_AT, "writeKey": "key"}


def posthog() -> Any:
    properties = {
        "$session_id": str(uuid4()), "$app_version": "1.4.2", "$app_build": "142",
        "$os_name": "Android", "$os_version": "15", "$device_manufacturer": "Google",
        "$device_model": "Pixel 8", "$locale": "en-US", "$timezone": "Europe/Berlin",
        "$lib": "posthog-react-native", "$lib_version": "4.78.0", "$network_wifi": True,
        "from_background": False,
    }  # fmt: skip
    events = [
        {
            "event": "Application Opened", "uuid": str(uuid4()), "distinct_id": "install-1",
            "timestamp": TIME, "properties": properties,
        }
        for _ in range(EVENTS)
    ]  # fmt: skip
    return {"batch": events, "sent_at": SENT_AT, "api_key": "key"}


def amplitude() -> Any:
    events = [
        {
            "event_type": "[Amplitude] Application Opened", "insert_id": str(uuid4()),
            "event_id": number, "time": MILLISECONDS, "device_id": "install-1",
            "session_id": MILLISECONDS, "app_version": "1.4.2", "os_name": "android",
            "os_version": "15", "device_manufacturer": "Google", "device_model": "Pixel 8",
            "language": "en", "library": "amplitude-react-native-ts/1.10.0",
            "event_properties": {"from_background": False},
        }
        for number in range(1, EVENTS + 1)
    ]  # fmt: skip
    return {"api_key": "key", "client_upload_time": SENT_AT, "events": events}


def mixpanel() -> Any:
    return [
        {
            "event": "Order",
            "properties": {
                "token": "key", "$insert_id": str(uuid4()), "$device_id": "install-1",
                "distinct_id": "install-1", "time": MILLISECONDS, "$os": "Android",
                "$os_version": "15", "$manufacturer": "Google", "$model": "Pixel 8",
                "$app_version_string": "1.4.2", "mp_lib": "android", "a": 1,
            },
        }
        for _ in range(EVENTS)
    ]  # fmt: skip


def otlp() -> Any:
    attribute: Callable[[str, str], Any] = lambda key, value: {  # noqa: E731  # it is one line
        "key": key,
        "value": {"stringValue": value},
    }
    resource = [
        attribute("app.installation.id", "install-1"), attribute("service.name", "com.demo"),
        attribute("service.version", "1.4.2"), attribute("os.name", "Android"),
        attribute("os.version", "15"), attribute("device.manufacturer", "Google"),
    ]  # fmt: skip
    records = [
        {
            "timeUnixNano": f"{MILLISECONDS}000000",
            "eventName": "device.app.lifecycle",
            "attributes": [
                attribute("android.app.state", "foreground"),
                attribute("session.id", "s-1"),
                attribute("log.record.uid", str(uuid4())),
            ],
        }
        for _ in range(EVENTS)
    ]
    return {
        "resourceLogs": [
            {"resource": {"attributes": resource}, "scopeLogs": [{"logRecords": records}]}
        ]
    }


PATHS = {
    "segment": ("/v1/batch", segment),
    "posthog": ("/posthog/batch", posthog),
    "amplitude": ("/2/httpapi", amplitude),
    "mixpanel": ("/track", mixpanel),
    "otlp": ("/v1/logs", otlp),
}


def cost(name: str, path: str, body: bytes) -> float:
    """CPU microseconds per event, the least of several rounds."""
    protocol = next(one for one in PROTOCOLS if one.name == name)
    head = Head("POST", path, b"", {b"content-type": b"application/json"})
    origin = Origin("shop", name, "0" * 32, datetime.now(UTC))

    def post() -> None:
        for batch in protocol.decode(head, body):
            made = prepare(batch, origin)
            if made.outcomes.accepted != EVENTS:
                raise SystemExit(f"{name}: {made.outcomes.accepted} of {EVENTS} events")

    post()
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(POSTS):
            post()
        best = min(best, time.process_time() - started)
    return best * 1e6 / (POSTS * EVENTS)


def main() -> None:
    native = cost("native", "/v1/events", body_of(1, EVENTS))
    table = Table("protocol", "CPU µs per event", "times the native one's")
    table.add_row("native", f"{native:.2f}", "1.0")
    for name, (path, made) in PATHS.items():
        found = cost(name, path, json.dumps(made()).encode())
        table.add_row(name, f"{found:.2f}", f"{found / native:.1f}")
    Console(width=None if sys.stdout.isatty() else 100).print(table)


if __name__ == "__main__":
    main()
