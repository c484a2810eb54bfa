"""The ledger of what phones were promised, read and written, and what a reply means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from loadtest.devices import Post
from loadtest.ledger import Entry, Ledger, Totals
from loadtest.replies import is_final, no_reply, posted, read_reply


def entry(event_id: str, outcome: Any, sequence: int = 0, reason: str = "") -> Entry:
    return Entry("phone-1", event_id, outcome, sequence, reason)


class TestLedger:
    def test_totals_count_each_try(self) -> None:
        outcomes = ("accepted", "accepted", "duplicate", "rejected", "refused", "unanswered")
        ledger = Ledger(entry(str(number), one) for number, one in enumerate(outcomes))

        assert ledger.totals() == Totals(
            accepted=2, duplicate=1, rejected=1, refused=1, unanswered=1
        )
        assert ledger.totals().sent == 6

    def test_an_event_accepted_twice_is_one_at_its_first_place(self) -> None:
        ledger = Ledger([entry("a", "accepted", 1), entry("b", "accepted", 2)])
        ledger.add([entry("a", "accepted", 1)])

        assert [one.event_id for one in ledger.accepted()["phone-1"]] == ["a", "b"]

    def test_given_up_is_what_never_got_a_final_answer(self) -> None:
        ledger = Ledger(
            [entry("a", "unanswered"), entry("a", "accepted"), entry("b", "unanswered")]
        )

        assert ledger.given_up() == 1

    def test_reasons_are_counted_the_most_frequent_first(self) -> None:
        ledger = Ledger([entry("a", "unanswered", reason="503 busy") for _ in range(2)])
        ledger.add([entry("b", "rejected", reason="missing_field"), entry("c", "accepted")])

        assert ledger.reasons() == [
            ("unanswered", "503 busy", 2),
            ("rejected", "missing_field", 1),
        ]

    def test_an_event_that_was_only_posted_is_given_up_and_no_answer(self) -> None:
        ledger = Ledger([entry("a", "posted"), entry("b", "posted"), entry("b", "accepted")])

        assert ledger.given_up() == 1
        assert ledger.totals() == Totals(accepted=1)


def post_of(*event_ids: str) -> Post:
    return Post(
        device_id="phone-1",
        at=0.0,
        context={},
        events=[{"event_id": one, "sequence": n} for n, one in enumerate(event_ids, start=1)],
        clock_skew_ms=0,
        reply_is_lost=False,
    )


def reply(accepted: int, duplicates: int = 0, *rejected: int) -> bytes:
    return json.dumps(
        {
            "accepted": accepted,
            "duplicates": duplicates,
            "rejected": [{"index": one, "code": "missing_field"} for one in rejected],
        }
    ).encode()


def outcomes(entries: list[Entry]) -> list[str]:
    return [one.outcome for one in entries]


class TestReply:
    def test_a_200_settles_events_one_by_one(self) -> None:
        entries = read_reply(post_of("a", "b", "a", "c"), 200, reply(2, 1, 1))

        assert outcomes(entries) == ["accepted", "rejected", "duplicate", "accepted"]
        assert entries[1].reason == "missing_field"
        assert is_final(entries)

    @pytest.mark.parametrize(
        "body",
        [b"", b"ok", b"{}", b"\xff", reply(3), reply(1), reply(2, 1), reply(2, 0, 1)],
    )
    def test_a_200_that_does_not_add_up_settles_nothing(self, body: bytes) -> None:
        entries = read_reply(post_of("a", "b"), 200, body)

        assert outcomes(entries) == ["unanswered", "unanswered"]
        assert not is_final(entries)

    @pytest.mark.parametrize("status", [400, 401, 404, 413, 415])
    def test_a_final_no_refuses_all(self, status: int) -> None:
        body = b'{"error":{"code":"unknown_key"}}'
        entries = read_reply(post_of("a", "b"), status, body)

        assert outcomes(entries) == ["refused", "refused"]
        assert entries[0].reason == f"{status} unknown_key"
        assert is_final(entries)

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_after_anything_else_the_phone_knows_nothing(self, status: int) -> None:
        entries = read_reply(post_of("a"), status, b"<html>")

        assert outcomes(entries) == ["unanswered"]
        assert entries[0].reason == str(status)

    def test_no_reply_at_all(self) -> None:
        assert outcomes(no_reply(post_of("a", "b"), "OSError")) == ["unanswered", "unanswered"]

    def test_a_digest_is_written_before_the_first_try_and_not_again(self) -> None:
        post = post_of("a", "b")
        for event in post.events:
            event.update(type="app_open", timestamp="2026-11-24T05:19:58.000Z")

        before, after = posted(post), read_reply(post, 200, reply(2))

        assert outcomes(before) == ["posted", "posted"]
        assert len({one.digest for one in before}) == 2
        assert [one.digest for one in after] == ["", ""]
