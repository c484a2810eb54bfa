"""Snowplow's events as native types, by the name in their schema. Compared without regard to
case."""

from __future__ import annotations

TYPES = {
    "application_foreground": "app_open",
    "application_background": "app_close",
    "application_install": "app_install",
    "screen_view": "screen",
}
ERROR = "application_error"

COUNTED = frozenset({"screen_end", "pp"})  # the rest of a screen's time, pings of a page
