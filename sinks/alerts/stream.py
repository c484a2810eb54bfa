"""Rules over the stream: happening after happening, to findings."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from sinks.alerts.alert import Alert, Finding, one_line
from sinks.alerts.decide import tell
from sinks.alerts.happening import CRASH, OPEN, Happening, top_frames
from sinks.alerts.rules import CrashLoop, NewCrashGroup, Rule
from sinks.alerts.state import State

MAX_OPENS = 200_000  # sessions whose opening is remembered
MAX_LOOPS = 50_000  # devices or apps whose crashes at start are counted

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Recent(Generic[K, V]):
    """A dictionary of the keys that were set last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        return self._held.get(key)

    def set(self, key: K, value: V) -> None:
        self._held[key] = value
        self._held.move_to_end(key)
        if len(self._held) > self._most:
            self._held.popitem(last=False)


class Crashes:
    """Crashes at start of one device or app, as far as they lie within the window of the newest."""

    def __init__(self, rule: CrashLoop) -> None:
        self._rule = rule
        self._seen: list[tuple[float, str]] = []  # (milliseconds, event id), in order

    def add(self, at_ms: float, event_id: str) -> bool:
        """Whether it makes the loop full; the count begins anew then. A copy counts once."""
        if any(event_id == seen for _, seen in self._seen):
            return False
        insort(self._seen, (at_ms, event_id))
        first = self._seen[-1][0] - self._rule.window_minutes * 60_000
        self._seen = [one for one in self._seen if one[0] >= first]
        if len(self._seen) < self._rule.crashes:
            return False
        self._seen = []
        return True


class Stream:
    """The rules that look at each event."""

    def __init__(self, rules: Iterable[Rule], state: State) -> None:
        every = list(rules)
        self._groups = [one for one in every if isinstance(one, NewCrashGroup)]
        self._loops = [one for one in every if isinstance(one, CrashLoop)]
        self._state = state
        self._opens: _Recent[tuple[str, str, str], float] = _Recent(MAX_OPENS)
        self._crashes: _Recent[tuple[str, str, str], Crashes] = _Recent(MAX_LOOPS)

    @property
    def memory_ms(self) -> int:
        """How far back an event can matter to what is not in the state."""
        spans = (one.window_minutes * 60_000 + one.startup_seconds * 1000 for one in self._loops)
        return int(max(spans, default=0))

    def see(self, one: Happening, now_ms: int, *, is_known: bool) -> list[Alert]:
        """What an event gives rise to. One that is known, or older than the state, is learned."""
        born_ms = self._state.born_ms
        is_silent = is_known or (born_ms is not None and one.received_ms < born_ms)
        if one.event_type == OPEN and self._loops:
            self._open(one)
        if one.event_type != CRASH:
            return []
        found = [*self._new_group(one), *self._loop(one)]
        if is_silent:
            return []
        told = (tell(rule, finding, self._state, now_ms) for rule, finding in found)
        return [alert for alert in told if alert is not None]

    def _open(self, one: Happening) -> None:
        if one.session_id:
            self._opens.set((one.app_id, "session", one.session_id), one.ts_ms)
        self._opens.set((one.app_id, "device", one.device_id), one.ts_ms)

    def _new_group(self, one: Happening) -> list[tuple[Rule, Finding]]:
        if not one.crash_group or not self._state.learn(one.app_id, one.group):
            return []
        return [
            (rule, _finding(one, f"new crash: {one.crash_title}"))
            for rule in self._groups
            if _covers(rule.apps, one.app_id) and (one.crash_fatal or not rule.only_fatal)
        ]

    def _loop(self, one: Happening) -> list[tuple[Rule, Finding]]:
        key = ("session", one.session_id) if one.session_id else ("device", one.device_id)
        opened_ms = self._opens.get((one.app_id, *key))
        found: list[tuple[Rule, Finding]] = []
        for rule in self._loops:
            if opened_ms is None or not _covers(rule.apps, one.app_id):
                continue
            if not 0 <= one.ts_ms - opened_ms <= rule.startup_seconds * 1000:
                continue
            if self._count(rule, one):
                what = "one device" if rule.of == "device" else "the app"
                title = f"crash loop: {rule.crashes} crashes at the start of {what}"
                found.append((rule, _finding(one, title)))
        return found

    def _count(self, rule: CrashLoop, one: Happening) -> bool:
        key = (rule.name, one.app_id, one.device_id if rule.of == "device" else "")
        crashes = self._crashes.get(key) or Crashes(rule)
        self._crashes.set(key, crashes)
        return crashes.add(one.received_ms, one.event_id)


def _covers(apps: list[str], app: str) -> bool:
    return not apps or app in apps


def _finding(one: Happening, title: str) -> Finding:
    facts = [
        ("crash", one_line(one.crash_title)),
        ("reason", one.crash_reason[:500]),
        ("crash group", one.group if one.crash_group else ""),
        ("arrived", one.received_at.isoformat(timespec="seconds")),
    ]
    return Finding(
        app=one.app_id,
        release=one.app_version,
        source=one.event_id,
        title=one_line(title),
        facts=[(name, value) for name, value in facts if value],
        frames=top_frames(one.crash_stack),
        crash_group=one.group if one.crash_group else "",
    )
