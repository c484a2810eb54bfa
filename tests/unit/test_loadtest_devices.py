"""Simulated phones: seeded, and as odd as real ones."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from loadtest.crashes import CRASHES
from loadtest.devices import Post, body_of, fleet
from tests.builders import RECEIVED_MS
from tests.gateway_app import GatewayUnderTest

PHONES = 120


@pytest.fixture(scope="module")
def phones() -> list[list[Post]]:
    return fleet(7, PHONES, RECEIVED_MS)


def of(phones: list[list[Post]], event_type: str) -> list[dict[str, object]]:
    return [
        event
        for phone in phones
        for post in phone
        for event in post.events
        if event.get("type") == event_type
    ]


class TestSeed:
    def test_the_same_seed_is_the_same_fleet(self, phones: list[list[Post]]) -> None:
        assert fleet(7, PHONES, RECEIVED_MS) == phones

    def test_another_seed_shares_no_event(self, phones: list[list[Post]]) -> None:
        other = fleet(8, PHONES, RECEIVED_MS)

        ids = [
            {event.get("event_id") for phone in one for post in phone for event in post.events}
            for one in (phones, other)
        ]
        assert ids[0] & ids[1] <= {None}


class TestPhones:
    def test_a_phone_counts_its_events_without_a_gap(self, phones: list[list[Post]]) -> None:
        for phone in phones:
            counts: list[int] = []
            for post in phone:
                counts += [int(str(one["sequence"])) for one in post.events if "sequence" in one]
            rising = sorted(set(counts))
            assert rising == list(range(1, len(rising) + 1))

    def test_posts_of_a_phone_follow_each_other(self, phones: list[list[Post]]) -> None:
        assert all(one.at <= other.at for phone in phones for one, other in pairwise(phone))
        assert all(0 <= post.at <= 1 for phone in phones for post in phone)

    def test_apps_open_close_and_crash(self, phones: list[list[Post]]) -> None:
        opened, closed, crashed = (
            of(phones, one) for one in ("app_open", "app_close", "app_crash")
        )

        assert len(opened) > len(closed) > len(crashed) > 3
        assert len(opened) >= len(closed) + len(crashed)

    def test_a_crash_is_told_at_the_next_launch_with_the_release_that_crashed(
        self, phones: list[list[Post]]
    ) -> None:
        crashes = of(phones, "app_crash")
        told_first = {post.events[0].get("type") for phone in phones for post in phone}

        assert "app_crash" in told_first
        for crash in crashes:
            assert isinstance(crash["context"], dict)
            assert crash["context"]["app"]["version"]
            assert crash["crash"]

    def test_some_are_offline_some_have_wrong_clocks_some_lose_replies(
        self, phones: list[list[Post]]
    ) -> None:
        posts = [post for phone in phones for post in phone]

        assert {post.clock_skew_ms == 0 for post in posts} == {True, False}
        assert {post.reply_is_lost for post in posts} == {True, False}
        assert any(phone[0].at >= 0.8 and len(phone) > 1 for phone in phones)

    def test_some_events_break_the_contract_and_some_stand_twice(
        self, phones: list[list[Post]]
    ) -> None:
        posts = [post for phone in phones for post in phone]
        broken = [
            event
            for post in posts
            for event in post.events
            if not {"event_id", "type", "timestamp"} <= event.keys()
        ]
        twice = [
            post
            for post in posts
            if len({json.dumps(one) for one in post.events}) < len(post.events)
        ]

        assert broken
        assert twice


class TestBodies:
    def test_the_gateway_s_verdicts_are_what_the_phone_expects(
        self, gateway: GatewayUnderTest, phones: list[list[Post]]
    ) -> None:
        for post in (post for phone in phones for post in phone):
            answer = gateway.post(body_of(post, RECEIVED_MS))
            ids = [str(one["event_id"]) for one in post.events if "event_id" in one]

            assert answer.status_code == 200
            reply = answer.json()
            good = [one for one in post.events if {"event_id", "type", "timestamp"} <= one.keys()]
            assert len(reply["rejected"]) == len(post.events) - len(good)
            assert reply["duplicates"] == len(good) - len({one["event_id"] for one in good})
            assert ids

    def test_a_wrong_clock_is_corrected_to_when_it_was(
        self, gateway: GatewayUnderTest, phones: list[list[Post]]
    ) -> None:
        post = next(
            post for phone in phones for post in phone if post.clock_skew_ms == 3 * 3_600_000
        )
        gateway.post(body_of(post, RECEIVED_MS))

        assert {row["time_quality"] for row in gateway.rows()} == {"corrected"}

    def test_each_kind_of_crash_is_a_group_of_its_own(
        self, gateway: GatewayUnderTest, phones: list[list[Post]]
    ) -> None:
        for post in (post for phone in phones for post in phone):
            gateway.post(body_of(post, RECEIVED_MS))
        groups = {row["crash_group"] for row in gateway.rows() if row["event_type"] == "app_crash"}

        assert 1 < len(groups) <= len(CRASHES)
