"""The record of `app-events` as JSON Schema (draft 2020-12), made from the structs that encode it.

It says exactly which keys this version writes, so that a registry can tell whether an old record
still reads. Who reads records ignores keys that it does not know: see docs/CONSUMERS.md.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from gateway.contract.event import EVENT_TYPES, MAX_SEQUENCE
from gateway.contract.record import COLUMNS, TIME_QUALITIES, ContextFields, EventFields

CONTRACT_VERSION = "1.0.0"  # the second number rises with each new key
RECORD_SCHEMA_FILE = "app-events.schema.json"

JsonObject = dict[str, Any]

_UUID = {"format": "uuid"}
_INSTANT = {"format": "date-time"}
_UINT64 = {"minimum": 0, "maximum": 2**64 - 1}

# What a key means, and what its type in Python does not say.
KEYS: dict[str, tuple[str, JsonObject]] = {
    "event_id": ("names the event; copies of it that a phone sent again share it", _UUID),
    "event_type": (f"one of {', '.join(sorted(EVENT_TYPES))}; more may come", {"minLength": 1}),
    "occurred_at": ("the device's clock when it happened, raw; 1970-01-01 if none", _INSTANT),
    "ts": ("the corrected time of the event", _INSTANT),
    "time_quality": (f"how ts was made: {', '.join(TIME_QUALITIES)}; more may come", {}),
    "source_event_id": ("the event's id as sent, where that was no UUID", {}),
    "event_name": ("name of a screen or tracked event", {}),
    "session_id": ("one use of the app; empty if none was sent", {}),
    "user_id": ("who the app says uses it", {}),
    "sequence": ("the device's own count of its events; 0 if none was sent",
                 {"minimum": 0, "maximum": MAX_SEQUENCE}),
    "duration_ms": ("how long the app was open, of app_close",
                    {"minimum": 0, "maximum": 2**32 - 1}),
    "crash_kind": ("exception, signal, anr and so on; empty if there was no crash", {}),
    "crash_fatal": ("whether the crash ended the app", {}),
    "crash_type": ("class of the exception, or the signal", {}),
    "crash_reason": ("the exception's own words", {}),
    "crash_stack": ("frames as JSON, or the stack as text", {}),
    "crash_group": ("the same number for the same crash; often more than a double holds exactly",
                    _UINT64),
    "crash_group_version": ("rules that made crash_group", {"minimum": 0, "maximum": 255}),
    "properties": ("what the app adds; values are any JSON", {}),
    "received_at": ("the gateway's clock when the POST began", _INSTANT),
    "app_id": ("the app that the write key belongs to", {"minLength": 1}),
    "protocol": ("the wire protocol of the POST", {"minLength": 1}),
    "request_id": ("the POST", {}),
    "device_id": ("the install; also the record's key", {"minLength": 1}),
    "sent_at": ("the device's clock when it sent the POST", _INSTANT),
    "country": ("two letters, if known", {}),
    "app_package": ("the app's own id, as com.example.shop", {}),
    "app_version": ("release of the app", {}),
    "app_build": ("build of the app", {}),
    "os_name": ("operating system", {}),
    "os_version": ("its version", {}),
    "device_manufacturer": ("who made the device", {}),
    "device_model": ("its model", {}),
    "device_type": ("phone, tablet and so on", {}),
    "locale": ("language and region of the device", {}),
    "timezone": ("time zone of the device", {}),
    "network_type": ("wifi, cellular and so on", {}),
    "carrier": ("mobile carrier", {}),
    "sdk_name": ("library that sent the event", {}),
    "sdk_version": ("its version", {}),
}  # fmt: skip


def record_schema() -> JsonObject:
    """The schema of a record's value."""
    made = [msgspec.json.schema(one)["$defs"][one.__name__] for one in (EventFields, ContextFields)]
    # `received_at` of EventFields carries the suffix, raw: ContextFields knows its type.
    types = made[0]["properties"] | made[1]["properties"]
    required = {name for one in made for name in one["required"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "app-events",
        "description": "One event of one app on one device. Keys with their default are left out.",
        "type": "object",
        "properties": {name: _key(name, types[name]) for name in COLUMNS},
        "required": [name for name in COLUMNS if name in required],
        "additionalProperties": False,
    }


def _key(name: str, made: JsonObject) -> JsonObject:
    meaning, more = KEYS[name]
    types = made.get("anyOf")
    plain = {"type": [one["type"] for one in types]} if types else {"type": made["type"]}
    default = {"default": made["default"]} if "default" in made else {}
    return {"description": meaning, **plain, **more, **default}


def as_text(document: JsonObject) -> str:
    """A document as it lies in a file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
