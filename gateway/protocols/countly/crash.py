"""A Countly crash: one text, its first line the exception."""

from __future__ import annotations

import re

from msgspec import Raw

from gateway.contract.event import Crash, ExceptionInfo
from gateway.protocols import reading

_typed = re.compile(r"([A-Za-z_$][\w$.]*): (.*)", re.DOTALL).fullmatch


def take_crash(told: dict[str, Raw]) -> Crash:
    """Move the crash out of `told`; what has no field stays there."""
    stack = reading.as_text(told.pop("_error", None))
    first = stack.strip().partition("\n")[0].strip()
    typed = _typed(first)
    exception = (
        ExceptionInfo(type=typed[1], message=typed[2])
        if typed
        else ExceptionInfo(message=first or None)
    )
    is_fatal = not _is_true(told.pop("_nonfatal", None))
    background = told.pop("_background", None)
    return Crash(
        kind="exception",
        fatal=is_fatal,
        exception=exception,
        stacktrace=stack or None,
        in_foreground=None if background is None else not _is_true(background),
    )


def _is_true(raw: Raw | None) -> bool:
    """Its SDKs write the truth as a boolean or as a text."""
    value = reading.as_value(raw)
    return value is True or (isinstance(value, str) and value.lower() == "true")
