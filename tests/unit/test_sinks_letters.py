"""Which dead letters go back, what goes back, and what the mark of it says."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord

from gateway.contract.dead_letter import DeadLetter
from gateway.contract.topics import MAX_RECORD_BYTES
from sinks.letters.letter import Letter, headers_of, letter_of, mark_of
from sinks.letters.plan import Decision, Plan, Skip, Wanted
from sinks.letters.replay import Report
from tests.fakes_sink import make_polled

NOON_MS = 1_795_521_600_000  # 2026-11-24T12:00:00Z
DAY_MS = 24 * 3600 * 1000


def make_letter(offset: int, *, value: bytes = b"{}", **changes: Any) -> Letter:
    """A sink's letter of the record at 100 + `offset` of app-events-3."""
    says: dict[str, Any] = {
        "source": "sink",
        "code": "refused",
        "text": "why",
        "app_id": "demo",
        "origin_topic": "app-events",
        "origin_partition": 3,
        "origin_offset": 100 + offset,
        **changes,
    }
    timestamp_ms = says.pop("timestamp_ms", NOON_MS)
    return _read(offset, value, DeadLetter(**says).to_headers(), timestamp_ms)


def make_mark(offset: int, of: Letter) -> Letter:
    return _read(offset, None, mark_of(of, 900, NOON_MS).to_headers(), NOON_MS)


def _read(
    offset: int, value: bytes | None, headers: list[tuple[str, bytes]], timestamp_ms: int
) -> Letter:
    return letter_of(
        ConsumerRecord(
            "app-events-dead", 1, offset, timestamp_ms, 0, b"k", value, None, 1, 0, headers
        )
    )


def decide(*letters: Letter, partitions: int = 12, **wanted: Any) -> Decision:
    plan = Plan(Wanted(**wanted), partitions)
    for letter in letters:
        plan.read(letter)
    return plan.close()


class TestChoice:
    def test_a_sinks_letters_go_back_in_order(self) -> None:
        decision = decide(make_letter(4), make_letter(7))

        assert decision == Decision(matched=2, chosen=[(1, 4), (1, 7)], skipped=decision.skipped)
        assert not decision.skipped

    @pytest.mark.parametrize(
        ("letter", "reason"),
        [
            (make_letter(0, source="gateway"), Skip.DOOR),
            (make_letter(0, source="unknown"), Skip.FOREIGN),
            (make_letter(0, origin_topic="other"), Skip.FOREIGN),
            (make_letter(0, origin_partition=12), Skip.NO_PARTITION),
            (make_letter(0, value=b""), Skip.NO_VALUE),
            (
                make_letter(0, value=b"x" * MAX_RECORD_BYTES, text="(cut from 1000000 bytes)"),
                Skip.CUT,
            ),
        ],
    )
    def test_what_cannot_go_back_is_skipped_with_its_reason(
        self, letter: Letter, reason: Skip
    ) -> None:
        decision = decide(letter, make_letter(1))

        assert (decision.matched, decision.chosen) == (2, [(1, 1)])
        assert decision.skipped == {reason: 1}

    def test_a_whole_record_of_the_greatest_size_goes_back(self) -> None:
        assert decide(make_letter(0, value=b"x" * MAX_RECORD_BYTES)).chosen == [(1, 0)]

    def test_what_was_put_back_before_stays(self) -> None:
        first, second = make_letter(0), make_letter(1)

        decision = decide(first, second, make_mark(2, first))

        assert (decision.matched, decision.chosen) == (2, [(1, 1)])
        assert decision.skipped == {Skip.REPLAYED: 1}

    def test_a_letter_written_twice_goes_back_once(self) -> None:
        letter, again = make_letter(0), make_letter(5, origin_offset=100)

        assert decide(letter, again).chosen == [(1, 0)]
        assert decide(letter, again).skipped == {Skip.REPEATED: 1}
        assert decide(letter, again, make_mark(6, letter)).chosen == []

    def test_another_record_at_the_same_offset_of_a_topic_made_anew_goes_back_too(self) -> None:
        old, new = make_letter(0), make_letter(5, origin_offset=100, value=b'{"a":1}')

        assert decide(old, new).chosen == [(1, 0), (1, 5)]

    def test_a_limit_counts_what_goes_back(self) -> None:
        door, first = make_letter(0, source="gateway"), make_letter(1)

        decision = decide(door, first, make_letter(2), make_letter(3), make_mark(4, first), limit=1)

        assert decision.chosen == [(1, 2)]
        assert decision.matched == 4
        assert decision.skipped == {Skip.DOOR: 1, Skip.REPLAYED: 1, Skip.OVER_LIMIT: 1}

    @pytest.mark.parametrize(
        "wanted",
        [
            {"app": "other"},
            {"reason": "invalid_json"},
            {"source": "door"},
            {"first": date(2026, 11, 25)},
            {"last": date(2026, 11, 23)},
        ],
        ids=lambda one: next(iter(one)),
    )
    def test_a_letter_that_was_not_asked_for_is_not_counted(self, wanted: dict[str, Any]) -> None:
        assert decide(make_letter(0), **wanted).matched == 0

    def test_days_are_inclusive(self) -> None:
        midnight = make_letter(0, timestamp_ms=NOON_MS - NOON_MS % DAY_MS)

        today = date(2026, 11, 24)
        assert decide(midnight, first=today, last=today).matched == 1


class TestWhatGoesBack:
    def test_its_own_headers_stay_and_the_letters_go(self) -> None:
        own = [("traceparent", b"00-1"), ("replayed_from", b"app-events-dead/1/2")]
        headers = [*own, *DeadLetter(source="sink", code="refused", text="why").to_headers()]

        letter = _read(7, b"{}", headers, NOON_MS)

        assert headers_of(letter) == [
            ("traceparent", b"00-1"),
            ("replayed_from", b"app-events-dead/1/7"),
        ]

    def test_its_mark_stands_for_the_hour_in_which_the_account_counts_it(self) -> None:
        value = make_polled(0, received_at="2026-11-20T03:44:00.000Z").value or b""

        mark = mark_of(make_letter(0, value=value), 900, NOON_MS)
        unreadable = mark_of(make_letter(0, value=b"{"), 900, NOON_MS)

        assert mark.received_at == "2026-11-20T03:00:00.000Z"
        assert (mark.app_id, mark.source) == ("demo", "replay")
        assert unreadable.received_at == "2026-11-24T12:00:00.000Z"
        assert unreadable.app_id == ""


@pytest.mark.parametrize("skip", list(Skip))
def test_only_what_was_asked_for_in_vain_is_wrong(skip: Skip) -> None:
    report = Report(matched=2, replayed=1, skipped=Counter({skip: 1}))

    harmless = {Skip.REPLAYED, Skip.REPEATED, Skip.OVER_LIMIT}
    assert report.is_whole == (skip in harmless)
