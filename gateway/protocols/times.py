"""Device times as SDKs write them: ISO 8601 text, or numbers of seconds down to nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

MAX_LENGTH = 64  # of a time as text, where it is not written as RFC 3339 has it

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = 4e12  # milliseconds that a float of seconds still tells apart, microseconds too
_NUMBERS = (int, float)
_BEYOND = 1e20  # no unit is so small
_EXACT_NANOSECONDS = _EXACT * 1e6
_NANOSECONDS, _MICROSECONDS, _MILLISECONDS = 1e17, 1e14, 1e11  # above this magnitude
_LEAST_PLAIN, _MOST_PLAIN = int(_MILLISECONDS), int(_EXACT)  # an int is compared faster with ints


def parse(value: object) -> datetime | None:
    """The instant that `value` names; no zone means UTC. None when it is no time."""
    if type(value) is int and _LEAST_PLAIN < value < _MOST_PLAIN:  # as most write it
        return datetime.fromtimestamp(value / 1000, UTC)
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, _NUMBERS):
            return None
        return _from_number(float(value)) if abs(value) < _BEYOND else None
    if value.isdecimal() and len(value) <= MAX_LENGTH:
        number = float(int(value))  # the same, and cheaper, as float() of a text with 19 digits
        if _NANOSECONDS < number < _EXACT_NANOSECONDS:
            return datetime.fromtimestamp(round(number * 1e-9 * 1000) / 1000, UTC)
        return _from_number(number)
    try:
        return utc(msgspec.convert(value, datetime))  # as nearly all write it
    except msgspec.ValidationError:
        pass
    except OverflowError:
        return None
    text = value.strip()
    if len(text) > MAX_LENGTH:
        return None
    try:
        return _from_number(float(text))
    except ValueError:
        return _from_text(text)


def utc(instant: datetime) -> datetime:
    """No zone means UTC. Raises OverflowError at the ends of time."""
    if instant.tzinfo is UTC:
        return instant
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def rfc3339(instant: datetime) -> str:
    """An instant in UTC, to the millisecond."""
    return instant.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def rfc3339_of(milliseconds: int) -> str:
    """Unix time likewise."""
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _from_number(number: float) -> datetime | None:
    if not -_BEYOND < number < _BEYOND:  # nor is it NaN
        return None
    size = abs(number)
    if size > _NANOSECONDS:
        seconds = number * 1e-9
    elif size > _MICROSECONDS:
        seconds = number * 1e-6
    elif size > _MILLISECONDS:
        seconds = number * 1e-3
    else:
        seconds = number
    milliseconds = round(seconds * 1000)
    if 0 <= milliseconds < _EXACT:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)  # half as dear as what follows
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _from_text(text: str) -> datetime | None:
    try:
        instant = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            return None
    try:
        return utc(instant)
    except OverflowError:
        return None
