"""What an envelope says once for all of its items."""

from __future__ import annotations

from datetime import datetime

from msgspec import Raw, Struct

from gateway.contract.verdict import Code, Rejected
from gateway.protocols import reading, times


class Wrapper(Struct, frozen=True, gc=False):
    header: dict[str, Raw]
    client: str = ""  # the SDK as the request's head names it: `name/version`

    @property
    def event_id(self) -> str:
        return reading.as_text(self.header.get("event_id"))

    @property
    def sent_at(self) -> datetime | None:
        return times.parse(reading.as_value(self.header.get("sent_at")))

    def instant(self, *candidates: Raw | None) -> tuple[datetime | None, dict[str, Raw]]:
        """The time of an item: the first that is given, else when it was sent. One that is no time
        is kept as a property. Raises Rejected."""
        for raw in (*candidates, self.header.get("sent_at")):
            if raw is None or bytes(raw) == b"null":
                continue
            instant = times.parse(reading.as_value(raw))
            return instant, {} if instant else {"$timestamp": raw}
        raise Rejected(Code.MISSING_FIELD, "`timestamp` is missing")
