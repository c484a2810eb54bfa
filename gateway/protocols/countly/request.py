"""One Countly request: what it is about, and the fields that all its actions share."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from gateway.contract.event import MAX_FOREIGN_ID_LENGTH
from gateway.contract.verdict import Code, Rejected
from gateway.protocols import reading, times

ACTIONS = ("begin_session", "events", "crash", "user_details", "end_session")  # as they happened

_encode = msgspec.json.Encoder().encode


class Request(Struct, frozen=True, gc=False):
    """Its fields, percent-decoded."""

    fields: dict[str, bytes]

    def text(self, name: str) -> str:
        return self.fields.get(name, b"").decode("utf-8", "replace")

    @property
    def device_id(self) -> str:
        """Raises Rejected."""
        device_id = self.text("device_id")
        if not device_id:
            raise Rejected(Code.MISSING_FIELD, "`device_id` is missing")
        if len(device_id) > MAX_FOREIGN_ID_LENGTH:
            raise Rejected(Code.ID_TOO_LONG, f"`device_id` is longer than {MAX_FOREIGN_ID_LENGTH}")
        return device_id

    def timestamp(self, own: Raw | None, properties: dict[str, Raw]) -> datetime | None:
        """An action's own time, else the request's; one that is none goes to `properties`.
        Raises Rejected."""
        value = reading.as_value(own) if own is not None else self.text("timestamp")
        if value in (None, ""):
            raise Rejected(Code.MISSING_FIELD, "`timestamp` is missing")
        found = times.parse(value)
        if found is None:
            properties["$timestamp"] = own if own is not None else Raw(_encode(value))
        return found

    def event_id(self, action: str, *parts: bytes) -> str:
        """An id of what stays the same whenever the request comes."""
        names = ("app_key", "device_id", "timestamp")
        return reading.content_id(
            *(self.fields.get(n, b"") for n in names), action.encode(), *parts
        )
