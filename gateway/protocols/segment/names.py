"""Segment's event names as native types. Names are compared without regard to case."""

from __future__ import annotations

LIFECYCLE = {
    "application opened": "app_open",
    "application backgrounded": "app_close",
    "application installed": "app_install",
    "application updated": "app_update",
    "application crashed": "app_crash",
}  # iOS sends Application Foregrounded beside Application Opened: it stays a plain track

CALLS = {"screen": "screen", "page": "screen", "identify": "identify"}

# SDKs whose sentAt is the time the batch file was closed, not the time it was sent.
LATE_STAMP_LIBRARIES = ("analytics-kotlin", "analytics-swift", "analytics-csharp")
