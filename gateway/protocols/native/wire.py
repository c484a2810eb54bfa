"""The native wire shapes: the body of `POST /v1/events` and the two kinds of answer."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from gateway.contract.event import MAX_EVENTS, Context, Event, Instant
from gateway.contract.verdict import Code, Kept


class NativeBatch(Struct, forbid_unknown_fields=True, gc=False):
    """The body of `POST /v1/events`. `sent_at` is written anew at every attempt."""

    sent_at: Instant
    events: Annotated[list[Event], Meta(min_length=1, max_length=MAX_EVENTS)]
    context: Context | None = None
    write_key: str | None = None  # for callers that cannot set headers


class RejectedEvent(Struct, gc=False):
    """Final: sending this event again cannot help."""

    index: int
    event_id: str
    code: Code
    message: str


class NativeReply(Struct, gc=False):
    """The answer 200: every accepted event is kept."""

    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]
    stored: Kept
    server_time: str


class ErrorDetail(Struct, gc=False):
    code: str
    message: str


class NativeError(Struct, gc=False):
    """The answer to a POST that is not taken at all."""

    error: ErrorDetail
