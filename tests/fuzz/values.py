"""JSON of what SDKs send, with some of its values replaced, left out or written twice."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from tests.fuzz import inputs

WORDS = (
    "Application Opened", "application became active", "Application Crashed", "screen", "page",
    "group", "identify", "$identify", "$screen", "$set", "$exception", "$snapshot",
    "$groupidentify", "[Amplitude] Screen Viewed", "session_start", "$ae_session", "$ae_crashed",
    "$ae_updated", "react-native", "$remote", "$device:install-1", "install-1", "user-1", -1, 142,
    "app.crash", "app.screen.view", "device.app.lifecycle", "session.end", 1795497598123,
    "2026-11-24T05:19:58", "2026-11-24T07:19:58.123456789+02:00", " 2026-11-24T05:19:58Z", "142",
)  # fmt: skip


KEYS = (
    "unknown", "originalTimestamp", "sentAt", "traits", "context", "category", "name", "type",
    "$device_id", "$anon_distinct_id", "$is_identified", "$network_wifi", "$time", "$screen_name",
    "session_id", "library", "token", "$insert_id", "$mp_metadata", "$mp_event_id", "$wifi",
    "$identified_id", "sequence_number", "event_id", "user_properties", "uuid", "version_name",
    "flags", "body", "value", "stringValue", "observedTimeUnixNano",
)  # fmt: skip


def text_of(dice: Random, value: Any, depth: int = 0) -> str:
    """JSON of `value`, now and then with another value in it, a key less or one twice."""
    if depth and dice.random() < 0.03:
        other = dice.choice(WORDS) if dice.random() < 0.4 else inputs.value(dice)
        return json.dumps(other, ensure_ascii=dice.random() < 0.5)
    if isinstance(value, list):
        return "[" + ",".join(text_of(dice, one, depth + 1) for one in value) + "]"
    if not isinstance(value, dict):
        return json.dumps(value)
    parts: list[str] = []
    for name, one in value.items():
        chance = dice.random()
        if chance < 0.02:
            continue
        parts.append(f"{json.dumps(name)}:{text_of(dice, one, depth + 1)}")
        if chance < 0.03:
            parts.append(f"{json.dumps(name)}:{text_of(dice, one, depth + 1)}")
        elif chance < 0.04:
            parts.append(f"{json.dumps(dice.choice(KEYS))}:{text_of(dice, one, depth + 1)}")
    return "{" + ",".join(parts) + "}"
