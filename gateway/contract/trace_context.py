"""W3C trace context: what `traceparent` says, as a phone sends it and as a record carries it."""

from __future__ import annotations

import re

from msgspec import Struct

TRACEPARENT = "traceparent"  # of HTTP and of Kafka records

_FORM = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class TraceContext(Struct, frozen=True):
    trace_id: int
    span_id: int
    is_sampled: bool

    def to_header(self) -> bytes:
        return b"00-%032x-%016x-%02x" % (self.trace_id, self.span_id, self.is_sampled)


def read(header: bytes) -> TraceContext | None:
    """None for what is no trace context; of a later version what all versions have."""
    found = _FORM.fullmatch(header)
    if found is None or found[1] == b"ff" or (found[1] == b"00" and found[5]):
        return None
    context = TraceContext(int(found[2], 16), int(found[3], 16), bool(int(found[4], 16) & 1))
    return context if context.trace_id and context.span_id else None
