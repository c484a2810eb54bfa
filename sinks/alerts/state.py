"""What the alerts remember: known crash groups, cooldowns, and alerts that are to be sent.

Each entry is one key of a compacted topic. Changes gather until they are written together.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from sinks.alerts.alert import MAX_HELD_TITLES, Alert

MAX_GROUPS = 200_000  # the oldest are forgotten beyond it
MAX_RELEASES = 20  # of an app with a cooldown of one rule; beyond it they share one

Changes = dict[bytes, bytes | None]  # None: the key is gone
Scope = tuple[str, str, str]  # rule, app, release; release "": all of the app

_keys = msgspec.json.Decoder(tuple[str, ...])
encode = msgspec.json.Encoder().encode


class Cooldown(Struct, frozen=True):
    """Until when a scope is not told again, and what it would have been told."""

    until_ms: int
    held: int = 0
    titles: list[str] = []


class Pending(Struct, frozen=True):
    """An alert that a channel has not taken."""

    alert: Alert
    since_ms: int


_parse_cooldown = msgspec.json.Decoder(Cooldown).decode
_parse_pending = msgspec.json.Decoder(Pending).decode


class State:
    """Entries by their kind. `take_changes` gives what must be written."""

    def __init__(self) -> None:
        self.born_ms: int | None = None  # what arrived before is learned, and not told
        self._groups: dict[tuple[str, str], None] = {}
        self._cooldowns: dict[Scope, Cooldown] = {}
        self._pending: dict[tuple[str, str], Pending] = {}
        self._changes: Changes = {}

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one record of the topic, in the topic's order. Raises msgspec.MsgspecError."""
        match _keys.decode(key), value:
            case ("born",), bytes():
                self.born_ms = msgspec.json.decode(value, type=int)
            case ("group", app, group), None:
                self._groups.pop((app, group), None)
            case ("group", app, group), _:
                self._groups[app, group] = None
            case ("cooldown", rule, app, release), None:
                self._cooldowns.pop((rule, app, release), None)
            case ("cooldown", rule, app, release), bytes():
                self._cooldowns[rule, app, release] = _parse_cooldown(value)
            case ("pending", channel, alert), None:
                self._pending.pop((channel, alert), None)
            case ("pending", channel, alert), bytes():
                self._pending[channel, alert] = _parse_pending(value)

    def take_changes(self) -> Changes:
        changes, self._changes = self._changes, {}
        return changes

    def be_born(self, now_ms: int) -> None:
        self.born_ms = now_ms
        self._set(("born",), encode(now_ms))

    def learn(self, app: str, group: str) -> bool:
        """Whether the app never had this crash group; from now on it has."""
        if (app, group) in self._groups:
            return False
        self._groups[app, group] = None
        self._set(("group", app, group), b"1")
        if len(self._groups) > MAX_GROUPS:
            oldest = next(iter(self._groups))
            del self._groups[oldest]
            self._set(("group", *oldest), None)
        return True

    def cooldown(self, scope: Scope) -> Cooldown | None:
        return self._cooldowns.get(scope)

    def is_crowded(self, rule: str, app: str) -> bool:
        """Whether as many releases of the app have a cooldown of their own as may have."""
        found = sum(1 for one in self._cooldowns if one[:2] == (rule, app) and one[2])
        return found >= MAX_RELEASES

    def cool(self, scope: Scope, until_ms: int) -> None:
        self._put_cooldown(scope, Cooldown(until_ms))

    def hold(self, scope: Scope, title: str) -> None:
        """One more finding that the cooldown keeps from being told."""
        before = self._cooldowns[scope]
        titles = before.titles
        if title not in titles and len(titles) < MAX_HELD_TITLES:
            titles = [*titles, title]
        after = Cooldown(before.until_ms, before.held + 1, titles)
        self._put_cooldown(scope, after)

    def _put_cooldown(self, scope: Scope, cooldown: Cooldown) -> None:
        self._cooldowns[scope] = cooldown
        self._set(("cooldown", *scope), encode(cooldown))

    def over(self, now_ms: int) -> list[tuple[Scope, Cooldown]]:
        """Take away the cooldowns that have ended."""
        ended = [(scope, one) for scope, one in self._cooldowns.items() if one.until_ms <= now_ms]
        for scope, _ in ended:
            del self._cooldowns[scope]
            self._set(("cooldown", *scope), None)
        return ended

    def queue(self, channel: str, alert: Alert, now_ms: int) -> None:
        pending = Pending(alert, now_ms)
        self._pending[channel, alert.id] = pending
        self._set(("pending", channel, alert.id), encode(pending))

    def settle(self, channel: str, alert: str) -> None:
        """The channel took the alert, or it was dead-lettered."""
        if self._pending.pop((channel, alert), None) is not None:
            self._set(("pending", channel, alert), None)

    def pending(self) -> dict[tuple[str, str], Pending]:
        """By channel and alert id, oldest first."""
        return dict(self._pending)

    def _set(self, key: tuple[str, ...], value: bytes | None) -> None:
        self._changes[encode(key)] = value


def stages(changes: Changes) -> list[Changes]:
    """Changes in the order in which they are to be written, each stage whole before the next.

    An alert is there before what keeps it from being decided again: the crash group that is no
    longer new, and the cooldown.
    """
    queued: Changes = {
        key: value
        for key, value in changes.items()
        if value is not None and _keys.decode(key)[0] == "pending"
    }
    rest: Changes = {key: value for key, value in changes.items() if key not in queued}
    return [one for one in (queued, rest) if one]


def settled(changes: Changes) -> Changes:
    """Of changes, those that say that an alert needs not be sent: true for any owner."""
    return {
        key: value
        for key, value in changes.items()
        if value is None and _keys.decode(key)[0] == "pending"
    }
