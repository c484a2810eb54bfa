"""Events, batches and records as tests need them."""

from __future__ import annotations

import json
from typing import Any

RECEIVED_MS = 1_795_497_600_000  # 2026-11-24T05:20:00Z
SENT_AT = "2026-11-24T05:20:00.000Z"
EVENT_ID = "0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e6f"


def make_event(**changes: Any) -> dict[str, Any]:
    """A valid native event; `changes` set or, with None, remove keys."""
    event = {
        "event_id": EVENT_ID,
        "type": "app_open",
        "timestamp": "2026-11-24T05:19:58.000Z",
        "session_id": "0192f0c0-4c1e-7000-8000-000000000001",
        "sequence": 41,
        "properties": {"from_background": False},
    }
    event.update(changes)
    return {name: value for name, value in event.items() if value is not None}


def make_batch(*events: Any, **changes: Any) -> dict[str, Any]:
    """A valid native batch of `events`."""
    batch = {
        "sent_at": SENT_AT,
        "context": {
            "app": {"id": "com.example.demo", "version": "1.4.2", "build": "142"},
            "os": {"name": "Android", "version": "15"},
            "device": {"id": "device-1", "manufacturer": "Google", "model": "Pixel 8"},
            "network": {"type": "wifi", "carrier": "T-Mobile"},
            "library": {"name": "acme-android", "version": "0.1.0"},
            "locale": "en-US",
            "timezone": "Europe/Berlin",
        },
        "events": list(events) if events else [make_event()],
    }
    batch.update(changes)
    return {name: value for name, value in batch.items() if value is not None}


def as_body(value: Any) -> bytes:
    return json.dumps(value).encode()


def make_record(**changes: Any) -> dict[str, Any]:
    """A record of `app-events` as the gateway writes it."""
    record = {
        "event_id": EVENT_ID,
        "event_type": "app_open",
        "occurred_at": "2026-11-24T05:19:58.000000Z",
        "ts": "2026-11-24T05:19:58.000000Z",
        "time_quality": "as_sent",
        "properties": {"a": 1},
        "received_at": "2026-11-24T05:20:00.000Z",
        "app_id": "demo",
        "protocol": "native",
        "request_id": "r-1",
        "device_id": "device-1",
        "app_version": "1.4.2",
    }
    record.update(changes)
    return {name: value for name, value in record.items() if value is not None}
