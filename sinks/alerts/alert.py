"""An alert: what is told to people, as it is stored and sent."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid5

from msgspec import Struct

MAX_TITLE_LENGTH = 200
MAX_HELD_TITLES = 10
_NAMESPACE = uuid5(NAMESPACE_URL, "telemetry alerts")


class Finding(Struct, frozen=True, kw_only=True):
    """What a rule found. `source` is what it was found in: the same finding has the same one."""

    app: str
    release: str
    source: str
    title: str
    facts: list[tuple[str, str]] = []  # (what, value), in order
    frames: list[str] = []
    crash_group: str = ""  # 16 hex digits


class Alert(Struct, frozen=True, kw_only=True):
    """One alert. `id` is the same when it is decided, or sent, again."""

    id: str
    rule: str
    kind: str
    at_ms: int
    finding: Finding
    held: int = 0  # findings since the last alert that were not told one by one
    held_titles: list[str] = []

    @property
    def subject(self) -> str:
        """One line."""
        place = " ".join(one for one in (self.finding.app, self.finding.release) if one)
        return one_line(f"[{place}] {self.finding.title}")

    def link(self, console_url: str) -> str:
        """The page of the console that shows it; empty without a console."""
        if not console_url:
            return ""
        params = {"app": self.finding.app}
        if self.finding.crash_group:
            page, params["group"] = "crash", self.finding.crash_group
        else:
            page = "releases" if self.finding.release else ""
        return f"{console_url.rstrip('/')}/{page}?{urlencode(params)}"


def alert_id(rule: str, finding: Finding) -> str:
    place = "\0".join([rule, finding.app, finding.release, finding.source])
    return str(uuid5(_NAMESPACE, place))


def one_line(text: str) -> str:
    """Printable, on one line, and not longer than a subject may be."""
    words = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return words if len(words) <= MAX_TITLE_LENGTH else words[: MAX_TITLE_LENGTH - 1] + "…"
