"""Events and batches for the conformance checks. Pure."""

from __future__ import annotations

import json
import random
from typing import Any

from loadtest.devices import Json, iso, uuid7


class Maker:
    """Makes events and batches as they are now, of a device of its own."""

    def __init__(self, now_ms: int, chance: random.Random) -> None:
        self.now_ms, self._chance = now_ms, chance
        self.device = f"conformance-{uuid7(now_ms, chance)[-12:]}"
        self._sequence = 0

    def event(self, **changes: Any) -> Json:
        """`changes` set keys or, with None, remove them."""
        self._sequence += 1
        event: Json = {
            "event_id": uuid7(self.now_ms, self._chance),
            "type": "app_open",
            "timestamp": iso(self.now_ms),
            "sequence": self._sequence,
            **changes,
        }
        return {name: value for name, value in event.items() if value is not None}

    def batch(self, *events: object, **changes: Any) -> bytes:
        """As many events as are given, or one."""
        batch: Json = {
            "sent_at": iso(self.now_ms),
            "context": {"app": {"version": "1.0"}, "device": {"id": self.device}},
            "events": list(events) or [self.event()],
            **changes,
        }
        return json.dumps({k: v for k, v in batch.items() if v is not None}).encode()
