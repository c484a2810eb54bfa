"""What a phone is told of each event it sent: accepted, duplicate, or rejected and why."""

from __future__ import annotations

from enum import StrEnum
from typing import final

from msgspec import Struct


class Code(StrEnum):
    """Why one event is rejected. Final: sending it again cannot help."""

    INVALID_JSON = "invalid_json"  # the event is no object
    MISSING_FIELD = "missing_field"
    INVALID_FIELD = "invalid_field"
    ID_TOO_LONG = "id_too_long"
    EVENT_TOO_LARGE = "event_too_large"
    CONTEXT_TOO_LARGE = "context_too_large"
    TOO_MANY_PROPERTIES = "too_many_properties"
    FORGOTTEN = "forgotten"  # the device or user asked to be
    UNKNOWN_KEY = "unknown_key"  # beside events whose keys are known


@final
class Rejection(Struct, frozen=True, gc=False):
    """One event that is not taken. `text` names the field and the limit; `original` its bytes."""

    index: int  # position in the POST
    code: Code
    text: str
    event_id: str = ""
    original: bytes = b""


class Rejected(Exception):
    """One event is not taken. The text names the field and the limit."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


class Kept(StrEnum):
    """Where accepted events lie when the phone hears of it."""

    KAFKA = "kafka"
    SPOOL = "spool"


class Verdicts(Struct, frozen=True, kw_only=True, gc=False):
    """The outcome of one POST: every event that is neither rejected nor duplicate is accepted."""

    decoded: int
    rejected: list[Rejection]
    duplicates: list[int]  # positions of ids repeated within the POST
    kept: Kept
    server_time: str  # RFC 3339, UTC, milliseconds
    receipt: str = ""  # of the batch, as its protocol wrote it

    @property
    def accepted(self) -> int:
        return self.decoded - len(self.rejected) - len(self.duplicates)
