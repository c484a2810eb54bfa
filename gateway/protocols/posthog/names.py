"""PostHog's event names as native types. Names are compared without regard to case."""

from __future__ import annotations

TYPES = {
    "application opened": "app_open",
    "application became active": "app_open",  # React Native's return to the foreground
    "application backgrounded": "app_close",
    "application installed": "app_install",
    "application updated": "app_update",
    "$screen": "screen",
    "$identify": "identify",
    "$set": "identify",
}
EXCEPTION = "$exception"
IDENTIFY = "$identify"
RETURNED = "application became active"

COUNTED = frozenset({"$feature_flag_called", "$groupidentify", "$snapshot"})  # no events of ours

# `mechanism.type`, lower case; anything else is an exception.
CRASH_KINDS = {
    "signal": "signal",
    "signalhandler": "signal",
    "mach": "mach_exception",
    "mach_exception": "mach_exception",
    "anr": "anr",
    "apphang": "anr",
    "appexitinfo": "anr",
    "watchdog_termination": "oom",
}
