"""Event names of the mobile conventions as native types. Compared without regard to case."""

from __future__ import annotations

from msgspec import Struct

from gateway.protocols.loose import text_of
from gateway.protocols.otlp.logs import Attributes

PLAIN_LOG = "log"  # the name of a record that has none
EXCEPTION = ("exception.type", "exception.message", "exception.stacktrace")
_EXCEPTION = frozenset(EXCEPTION)

_TYPES = {
    "app.crash": "app_crash",
    "device.crash": "app_crash",  # its name before
    "session.start": "session_start",
    "session.end": "session_end",
}
_LIFECYCLE = "device.app.lifecycle"
_STATES = ("android.app.state", "ios.app.state")
_STATE_TYPES = {
    "foreground": "app_open",
    "active": "app_open",
    "background": "app_close",
    "terminate": "app_close",
}
_NO_EVENT = "inactive"  # between active and background: it says nothing of its own
_SCREEN = "app.screen."
_SCREEN_NAMES = ("app.screen.name", "app.screen.id")


class Named(Struct, frozen=True, gc=False):
    type: str
    name: str = ""


def named(event_name: str, attributes: Attributes) -> Named | None:
    """Native type and name of a record; None when it is no event."""
    lowered = event_name.lower()
    if (known := _TYPES.get(lowered)) is not None:
        return Named(known)
    if lowered == _LIFECYCLE:
        state = first_text(attributes, _STATES).lower()
        if state == _NO_EVENT:
            return None
        if state in _STATE_TYPES:
            return Named(_STATE_TYPES[state])
    if lowered.startswith(_SCREEN):
        return Named("screen", first_text(attributes, _SCREEN_NAMES) or event_name)
    if not _EXCEPTION.isdisjoint(attributes):
        return Named("error", event_name)
    return Named("track", event_name or PLAIN_LOG)


def first_text(attributes: Attributes, names: tuple[str, ...]) -> str:
    """The first of these attributes that says something; numbers as text."""
    for name in names:
        value = attributes.get(name)
        if value is not None and (text := value if type(value) is str else text_of(value)):
            return text
    return ""
