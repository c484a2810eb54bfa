"""A phone's life under load: in order, complete, never ahead of our clock."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.devices import Post
from loadtest.life import FLUSH_SECONDS, MAX_EVENTS, Pace, from_now_on, live
from tests.builders import RECEIVED_MS

numbers = st.integers(0, 10_000)
paces = st.builds(
    lambda seconds, factor, quiet: Pace(
        began_ms=RECEIVED_MS, seconds=seconds, factor=factor, quiet_until=quiet * seconds
    ),
    st.integers(1, 600),
    st.floats(1, 600),
    st.sampled_from([0.0, 0.33]),
)


def lived(number: int, pace: Pace, seed: int = 7) -> list[Post]:
    """What the phone posts during the run."""
    return list(takewhile(lambda post: post.at < pace.seconds, live(number, seed, pace)))


def sequences(posts: list[Post]) -> list[int]:
    """Each once, in the order of their first copies."""
    found = [int(one["sequence"]) for post in posts for one in post.events if "sequence" in one]
    return list(dict.fromkeys(found))


def happened_ms(post: Post) -> list[float]:
    """When its events happened, by the right clock."""
    stamps = [str(one["timestamp"]) for one in post.events if "timestamp" in one]
    return [datetime.fromisoformat(one).timestamp() * 1000 - post.clock_skew_ms for one in stamps]


def span_ms(posts: list[Post]) -> float:
    """From the first event of the first POST to the last of the last one."""
    return max(happened_ms(posts[-1])) - min(happened_ms(posts[0]))


@settings(max_examples=40, deadline=None)
@given(numbers, paces)
def test_posts_follow_each_other_and_no_event_is_left_out(number: int, pace: Pace) -> None:
    posts = lived(number, pace)

    assert all(one.at <= later.at for one, later in pairwise(posts))
    assert sequences(posts) == list(range(1, len(sequences(posts)) + 1))
    assert all(post.device_id == posts[0].device_id for post in posts)
    assert all(1 <= len(post.events) <= MAX_EVENTS + 1 for post in posts)


@settings(max_examples=40, deadline=None)
@given(numbers, paces)
def test_no_event_is_posted_before_it_happens(number: int, pace: Pace) -> None:
    for post in lived(number, pace):
        assert max(happened_ms(post)) <= RECEIVED_MS + post.at * 1000 + 1


@settings(max_examples=20, deadline=None)
@given(numbers, paces, st.floats(0, 1))
def test_a_phone_that_comes_late_brings_nothing_of_before(
    number: int, pace: Pace, share: float
) -> None:
    now = share * pace.seconds
    posts = lived(number, pace)

    left = list(takewhile(lambda post: post.at < pace.seconds, from_now_on(iter(posts), now)))

    assert left == [post for post in posts if post.at >= now]


@settings(max_examples=20, deadline=None)
@given(numbers, paces)
def test_the_same_seed_is_the_same_life(number: int, pace: Pace) -> None:
    assert lived(number, pace) == lived(number, pace)


def test_another_seed_is_another_life() -> None:
    pace = Pace(began_ms=RECEIVED_MS, seconds=60, factor=60)

    assert lived(1, pace, seed=7) != lived(1, pace, seed=8)


@pytest.mark.parametrize("factor", [1, 60])
def test_a_run_shows_so_many_seconds_of_a_phone(factor: int) -> None:
    pace = Pace(began_ms=RECEIVED_MS, seconds=3600 / factor, factor=factor)
    slow = Pace(began_ms=RECEIVED_MS, seconds=3600, factor=1)

    posts, same = lived(5, pace), lived(5, slow)

    assert [len(one.events) for one in posts] == [len(one.events) for one in same]
    assert span_ms(posts) == span_ms(same) > 30 * 60 * 1000


def test_during_an_outage_nothing_is_posted_and_afterwards_everything_at_once() -> None:
    quiet = Pace(began_ms=RECEIVED_MS, seconds=90, factor=60, quiet_until=30)
    free = Pace(began_ms=RECEIVED_MS, seconds=90, factor=60)
    before = [post for post in lived(3, free) if post.at < 30]

    posts = lived(3, quiet)

    assert before
    assert [post.at for post in posts[: len(before)]] == [30] * len(before)
    assert all(post.at > 30 for post in posts[len(before) :])


def test_some_sessions_are_offline_and_go_out_with_the_next_one() -> None:
    pace = Pace(began_ms=RECEIVED_MS, seconds=24 * 3600, factor=1)
    posts = [post for number in range(10) for post in lived(number, pace)]
    openings = [sum(one.get("type") == "app_open" for one in post.events) for post in posts]
    late = [
        RECEIVED_MS + post.at * 1000 - min(happened_ms(post)) > (FLUSH_SECONDS + 60) * 1000
        for post in posts
    ]

    assert max(openings) > 1
    assert 0 < sum(late) < len(posts) / 4
