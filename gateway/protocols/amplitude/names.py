"""Amplitude's event names as native types. Names are compared without regard to case."""

from __future__ import annotations

PREFIX = "[Amplitude] "  # before the names of events that the SDK sends by itself
SCREEN_NAME = "[Amplitude] Screen Name"

TYPES = {
    "session_start": "session_start",
    "session_end": "session_end",
    "$identify": "identify",
    "[amplitude] application opened": "app_open",
    "[amplitude] application backgrounded": "app_close",
    "[amplitude] application installed": "app_install",
    "[amplitude] application updated": "app_update",
    "[amplitude] screen viewed": "screen",
}

COUNTED = "$groupidentify"  # tells about a group of users, nothing that happened in the app
