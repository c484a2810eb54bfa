"""Mixpanel's event names as native types. Names are compared without regard to case."""

from __future__ import annotations

SESSION = "$ae_session"  # sent when the app leaves the foreground; it tells how long it was there

LIFECYCLE = {
    "$ae_first_open": "app_install",
    "$ae_updated": "app_update",
    "$ae_crashed": "app_crash",
    "$identify": "identify",
    SESSION: "app_close",
}
