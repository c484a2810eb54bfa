"""Log records as both encodings say them: resources, their scopes, and what those have logged."""

from __future__ import annotations

import math
from typing import final

from msgspec import Raw, Struct

from gateway.contract.event import MAX_PROPERTIES
from gateway.contract.refusal import RefusalCode, Refused
from gateway.contract.verdict import Code

MAX_RECORDS = 10_000  # per POST; a collector's batch has 8,192 unless told otherwise
MAX_VALUE_DEPTH = 32  # lists and objects in one another

Attributes = dict[str, object]  # JSON values


class TooDeep(Exception):
    """A value is nested deeper than MAX_VALUE_DEPTH."""


class LogRecord(Struct, frozen=True, gc=False):
    """One record. `others` are its further fields by their names on the wire."""

    event_name: str
    time: object  # as it came; None where it was not sent
    attributes: Attributes
    body: object
    others: dict[str, Raw]
    original: Raw | bytes


@final
class Broken(Struct, frozen=True, gc=False):
    """What stands where a record should, and why it is none."""

    code: Code
    text: str
    original: bytes


class ScopeLogs(Struct, frozen=True, gc=False):
    """`scope` is its name, its version and its attributes."""

    scope: Attributes
    records: list[LogRecord | Broken]


class ResourceLogs(Struct, frozen=True, gc=False):
    resource: Attributes
    scopes: list[ScopeLogs]


class Count:
    """The items of one POST, which must not be too many."""

    def __init__(self) -> None:
        self._left = MAX_RECORDS

    def add(self, items: int) -> None:
        """So many more records, or empty scopes and resources. Raises Refused."""
        self._left -= items
        if self._left < 0:
            text = f"the body has more than {MAX_RECORDS} log records"
            raise Refused(RefusalCode.TOO_MANY_EVENTS, text)


def too_many(attributes: int) -> str:
    """Why a record with so many is none of ours."""
    return f"`attributes` has {attributes} entries, the limit is {MAX_PROPERTIES}"


def deeper(depth: int) -> int:
    """The depth of what a list or an object holds. Raises TooDeep."""
    if depth >= MAX_VALUE_DEPTH:
        raise TooDeep(f"a value is nested deeper than {MAX_VALUE_DEPTH}")
    return depth + 1


def double_of(number: float) -> float | str:
    """A double as JSON has it; those that JSON has not as the text that OTLP's JSON writes."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
