"""From events to alerts: windows, cooldowns, grouping, and what a restart remembers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.alerts.alert import Alert, Finding
from sinks.alerts.decide import sum_up, tell, tell_while
from sinks.alerts.happening import Happening, read, top_frames
from sinks.alerts.rules import CrashLoop, NewCrashGroup, Rule
from sinks.alerts.state import MAX_RELEASES, State, settled, stages
from sinks.alerts.stream import Crashes, Stream

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = 60_000
NOW = int(START.timestamp() * 1000)
NEW = NewCrashGroup(channels=["oncall"], name="new", cooldown_minutes=60)


def crash(group: int = 1, after_seconds: float = 0, **changes: object) -> Happening:
    at = START + timedelta(seconds=after_seconds)
    fields = {
        "event_id": str(uuid4()),
        "event_type": "app_crash",
        "app_id": "shop",
        "ts": at,
        "received_at": at,
        "device_id": "device-1",
        "session_id": "",
        "app_version": "1.0",
        "crash_group": group,
        "crash_type": f"Error{group}",
    }
    return msgspec.convert({**fields, **changes}, Happening)


def opened(after_seconds: float = 0, **changes: object) -> Happening:
    return crash(0, after_seconds, **{"event_type": "app_open", **changes})


def born(at_ms: int = 0) -> State:
    state = State()
    state.be_born(at_ms)
    return state


def see_all(
    rules: Sequence[Rule], events: Sequence[Happening], state: State | None = None
) -> list[Alert]:
    """All that is told, each event decided when it arrives."""
    stream = Stream(rules, state or born())
    told: list[Alert] = []
    for one in events:
        told += stream.see(one, int(one.received_ms), is_known=False)
    return told


class TestNewCrashGroup:
    def test_the_first_crash_of_a_group_is_told_and_no_other(self) -> None:
        told = see_all([NEW], [crash(1), crash(1), crash(2, app_id="other"), crash(1)])

        assert [one.subject for one in told] == [
            "[shop 1.0] new crash: Error1",
            "[other 1.0] new crash: Error2",
        ]

    def test_what_was_known_or_came_before_the_first_start_is_learned_silently(self) -> None:
        stream = Stream([NEW], born(NOW))

        assert stream.see(crash(1, -1), NOW, is_known=False) == []
        assert stream.see(crash(2, 1), NOW, is_known=True) == []
        assert stream.see(crash(1, 2), NOW, is_known=False) == []
        assert stream.see(crash(2, 2), NOW, is_known=False) == []
        assert len(stream.see(crash(3, 2), NOW, is_known=False)) == 1

    def test_apps_and_fatality_narrow_it(self) -> None:
        narrow = msgspec.structs.replace(NEW, apps=["shop"], only_fatal=True)
        events = [crash(1), crash(2, crash_fatal=True), crash(3, app_id="other", crash_fatal=True)]

        assert [one.finding.crash_group for one in see_all([narrow], events)] == [f"{2:016x}"]

    def test_a_long_name_is_cut_to_a_line(self) -> None:
        (told,) = see_all([NEW], [crash(1, crash_type="E\n" * 5000, crash_reason="r" * 5000)])

        assert told.finding.title == "new crash: " + "E " * 94 + "…"
        assert len(msgspec.json.encode(told)) < 2000

    def test_a_crash_without_a_group_and_another_event_are_nothing(self) -> None:
        assert see_all([NEW], [crash(0), crash(5, event_type="error")]) == []


class TestCrashLoop:
    LOOP = CrashLoop(channels=["oncall"], name="loop", crashes=3, startup_seconds=5)

    def _starts(self, times: int, after: float = 1, **changes: object) -> list[Happening]:
        """Openings each followed by a crash, a minute apart."""
        found: list[Happening] = []
        for number in range(times):
            session = str(uuid4())
            found.append(opened(60 * number, session_id=session, **changes))
            found.append(crash(1, 60 * number + after, session_id=session, **changes))
        return found

    def test_so_many_crashes_right_after_opening_are_told(self) -> None:
        assert see_all([self.LOOP], self._starts(2)) == []
        (told,) = see_all([self.LOOP], self._starts(3))
        assert told.finding.title == "crash loop: 3 crashes at the start of one device"

    def test_crashes_later_in_their_session_are_none(self) -> None:
        assert see_all([self.LOOP], self._starts(9, after=6)) == []

    def test_crashes_of_several_devices_are_one_of_the_app_alone(self) -> None:
        events = [
            one for number in range(3) for one in self._starts(1, device_id=f"device-{number}")
        ]
        of_app = msgspec.structs.replace(self.LOOP, of="app")

        assert see_all([self.LOOP], events) == []
        assert len(see_all([of_app], events)) == 1

    def test_a_crash_told_at_the_next_opening_counts_for_its_own_session(self) -> None:
        events: list[Happening] = []
        for number in range(3):
            events.append(opened(60 * number, session_id=f"s{number}"))
            if number:
                at = START + timedelta(seconds=60 * (number - 1) + 1)
                events.append(crash(1, 60 * number + 1, session_id=f"s{number - 1}", ts=at))
        two = msgspec.structs.replace(self.LOOP, crashes=2)

        assert len(see_all([two], events)) == 1

    def test_a_crash_that_was_sent_twice_counts_once(self) -> None:
        events = self._starts(2)

        assert see_all([self.LOOP], [*events, events[-1]]) == []

    @given(
        st.lists(st.integers(0, 90), min_size=1, max_size=25),
        st.integers(1, 5),
        st.integers(1, 40),
    )
    def test_it_is_full_as_soon_as_so_many_lie_within_the_window(
        self, gaps: list[int], crashes: int, window: int
    ) -> None:
        rule = CrashLoop(channels=["c"], crashes=crashes, window_minutes=window)
        counted = Crashes(rule)
        since_full: list[int] = []
        now = 0
        for number, gap in enumerate(gaps):
            now += gap
            since_full.append(now)
            within = [one for one in since_full if one >= now - window]
            is_full = counted.add(now * MINUTE, str(number))
            assert is_full == (len(within) >= crashes)
            if is_full:
                since_full = []

    @given(st.permutations(range(6)), st.integers(2, 6))
    def test_the_order_of_arrival_does_not_matter_within_the_window(
        self, order: list[int], crashes: int
    ) -> None:
        counted = Crashes(CrashLoop(channels=["c"], crashes=crashes, window_minutes=10))

        full = [counted.add(one * MINUTE, str(one)) for one in order]

        assert full.index(True) == crashes - 1


FINDINGS = st.lists(
    st.tuples(
        st.integers(0, 50), st.sampled_from(["shop", "game"]), st.sampled_from(["1", "2", "3"])
    ),
    max_size=40,
)


def finding(app: str, release: str, source: str) -> Finding:
    return Finding(app=app, release=release, source=source, title=f"found {source}")


class TestCooldown:
    @given(FINDINGS, st.sampled_from(["app", "release"]), st.integers(1, 90))
    def test_alerts_of_a_scope_are_a_cooldown_apart_and_nothing_is_dropped(
        self, found: list[tuple[int, str, str]], group_by: str, cooldown: int
    ) -> None:
        rule = msgspec.convert(
            {"type": "new_crash_group", "channels": ["c"], "group_by": group_by, "name": "r",
             "cooldown_minutes": cooldown}, Rule)  # fmt: skip
        state, now = born(), 0
        times: dict[tuple[str, str], list[int]] = {}
        told: list[Alert] = []
        for number, (gap, app, release) in enumerate(found):
            now += gap * MINUTE
            new = sum_up({"r": rule}, state, now)
            one = tell(rule, finding(app, release, str(number)), state, now)
            for alert in [*new, *([one] if one else [])]:
                scope = (alert.finding.app, alert.finding.release if group_by == "release" else "")
                times.setdefault(scope, []).append(now)
                told.append(alert)
        told += sum_up({"r": rule}, state, now + 10_000 * MINUTE)

        for at in times.values():
            gaps = [later - before for before, later in pairwise(at)]
            assert all(gap >= cooldown * MINUTE for gap in gaps)
        own = [one for one in told if one.finding.title.startswith("found")]
        assert len(own) + sum(one.held for one in told) == len(found)
        assert len({one.id for one in told}) == len(told)

    def test_what_was_held_is_summed_up_in_one_alert_when_the_cooldown_is_over(self) -> None:
        state = born()
        see_all([NEW], [crash(group) for group in range(1, 1001)], state)

        assert len(state.pending()) == 1
        assert sum_up({"new": NEW}, state, NOW + 59 * MINUTE) == []
        (told,) = sum_up({"new": NEW}, state, NOW + 61 * MINUTE)

        assert told.finding.title == "999 more since the last alert of rule new"
        assert told.held == 999
        assert told.held_titles == [f"new crash: Error{number}" for number in range(2, 12)]
        assert sum_up({"new": NEW}, state, NOW + 200 * MINUTE) == []

    def test_what_is_looked_at_again_is_not_held(self) -> None:
        state = born()

        first = tell_while(NEW, finding("shop", "1", "a"), state, NOW)
        again = tell_while(NEW, finding("shop", "1", "b"), state, NOW + 59 * MINUTE)
        later = tell_while(NEW, finding("shop", "1", "c"), state, NOW + 61 * MINUTE)

        assert (first is None, again, later is None) == (False, None, False)
        assert later is not None
        assert later.held == 0

    def test_made_up_releases_share_one_alert_beyond_a_number(self) -> None:
        events = [crash(number, app_version=f"1.{number}") for number in range(1, 500)]

        assert len(see_all([NEW], events)) == MAX_RELEASES + 1

    def test_each_channel_gets_it(self) -> None:
        state = born()

        see_all([msgspec.structs.replace(NEW, channels=["a", "b"])], [crash()], state)

        assert Counter(channel for channel, _ in state.pending()) == {"a": 1, "b": 1}


class TestState:
    @given(FINDINGS, st.integers(0, 40))
    def test_a_restart_at_any_point_decides_as_if_there_was_none(
        self, found: list[tuple[int, str, str]], restart_after: int
    ) -> None:
        events: list[Happening] = []
        seconds = 0
        for gap, app, release in found:
            seconds += gap * 60
            events.append(crash(seconds % 7 + 1, seconds, app_id=app, app_version=release))
        whole = born()
        see_all([NEW], events, whole)
        log: list[tuple[bytes, bytes | None]] = []
        state = born()
        see_all([NEW], events[:restart_after], state)
        log += state.take_changes().items()

        again = loaded(log)
        see_all([NEW], events[:restart_after], again)  # not committed: read once more
        see_all([NEW], events[restart_after:], again)

        assert set(again.pending()) == set(whole.pending())

    @pytest.mark.parametrize("written", [0, 1, 2])
    def test_no_alert_is_lost_when_a_write_ends_in_its_middle(self, written: int) -> None:
        events = [crash(1), crash(2, app_id="other")]
        state = born()
        see_all([NEW], events, state)
        whole = set(state.pending())
        log: list[tuple[bytes, bytes | None]] = []
        for stage in stages(state.take_changes())[:written]:
            log += stage.items()

        again = loaded(log)
        see_all([NEW], events, again)

        assert set(again.pending()) == whole
        assert len(whole) == 2

    def test_what_is_settled_is_gone_after_a_restart(self) -> None:
        state = born()
        (alert,) = see_all([NEW], [crash()], state)
        log = list(state.take_changes().items())
        state.settle("oncall", alert.id)
        state.learn("shop", "x")
        changes = settled(state.take_changes())
        log += changes.items()

        assert len(changes) == 1
        assert loaded(log).pending() == {}
        assert loaded(log).learn("shop", f"{1:016x}") is False

    @pytest.mark.parametrize(
        ("key", "value"),
        [(b"", b"1"), (b"[1]", b"1"), (b'["born"]', b'"x"'), (b'["cooldown","a","b","c"]', b"{}"),
         (b'["pending","a","b"]', b"\xff")],
    )  # fmt: skip
    def test_a_foreign_entry_is_refused_whole(self, key: bytes, value: bytes) -> None:
        state = State()

        with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
            state.load(key, value)

        assert (state.born_ms, state.pending()) == (None, {})


def loaded(log: Sequence[tuple[bytes, bytes | None]]) -> State:
    state = State()
    for key, value in log:
        state.load(key, value)
    return state


class TestReading:
    @pytest.mark.parametrize(
        "value",
        [None, b"", b"[]", b"{}", b"\xff", b"[" * 5000,
         msgspec.json.encode({**msgspec.to_builtins(crash()), "ts": "2026-11-24T05:00:00"})],
    )  # fmt: skip
    def test_what_is_no_record_is_none(self, value: bytes | None) -> None:
        assert read(value) is None

    def test_the_app_s_own_frames_come_first(self) -> None:
        frames = [
            {"module": "android.view", "function": "draw"},
            {"module": "com.shop.Basket", "function": "total", "file": "Basket.kt", "line": 42,
             "in_app": True},
        ]  # fmt: skip

        shown = top_frames(msgspec.json.encode(frames).decode())

        assert shown == ["com.shop.Basket.total (Basket.kt:42)"]

    def test_a_stack_of_text_is_shown_from_its_top(self) -> None:
        text = "\n".join(["", *(f"  at frame {number}" for number in range(20))])

        assert top_frames(text) == [f"at frame {number}" for number in range(8)]
