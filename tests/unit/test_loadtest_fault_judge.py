"""What a fault server finds wrong with an SDK: one breach each, and what is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from loadtest.fault_judge import Seen, Sent, judge

Posts = Sequence[Seen]


def post(at: float, *sequences: int, **changes: Any) -> Seen:
    """A POST of these events that is taken at once."""
    events = tuple(Sent(f"id-{one}", one, f"content-{one}") for one in sequences)
    values: dict[str, Any] = {
        "at": at,
        "ended": at,
        "device": "d",
        "sent_at": str(at),
        "events": events,
        "fault": "ok",
        "status": 200,
        "answered": True,
        "taken": True,
        **changes,
    }
    return Seen(**values)


def no(at: float, status: int, *sequences: int, **changes: Any) -> Seen:
    return post(at, *sequences, **{"status": status, "taken": False, **changes})


def cut(at: float, *sequences: int) -> Seen:
    return post(at, *sequences, status=0, answered=False, fault="cut")


def wrong(posts: Posts) -> dict[str, int]:
    return {one.what: one.count for one in judge(posts) if one.is_wrong}


def waits(*seconds: float, **changes: Any) -> Posts:
    """Failures with these waits after them, and then a good answer."""
    at = 0.0
    posts: list[Seen] = []
    for wait in seconds:
        posts.append(no(at, 500, 1, sent_at=f"{len(posts)}", **changes))
        at += wait
    return [*posts, post(at, 1)]


@pytest.mark.parametrize(
    ("posts", "what", "count"),
    [
        ([], "events", 0),
        ([post(0, problem="no JSON"), post(1, 1)], "POSTs that are not native ones", 1),
        ([no(0, 503, 1, 2), post(9, 3)], "events lost", 2),
        ([post(0, 1), post(1, 4)], "events lost", 2),
        (
            [cut(0, 1), post(9, 1, events=(Sent("other", 1, "content-1"),))],
            "repeated under a changed id",
            1,
        ),
        (
            [cut(0, 0), post(9, 0, events=(Sent("other", 0, "content-0"),))],
            "repeated under a changed id",
            1,
        ),
        (
            [cut(0, 1), post(9, 1, events=(Sent("id-1", 1, "later"),))],
            "changed at a repeat",
            1,
        ),
        ([post(0, 2), post(1, 1, 3)], "sequence inversions", 1),
        ([post(0, 2, 1)], "sequence inversions", 1),
        ([post(0, 1, ended=3.0), post(1, 2)], "POSTs beside one in flight", 1),
        (
            [no(0, 503, 1, retry_after=5), post(4.9, 1)],
            "retries sooner than Retry-After",
            1,
        ),
        ([no(0, 413, 1, 2), post(9, 1, 2)], "batches not split on 413", 1),
        ([no(0, 413, 1, 2), post(9, 1, 2, 3)], "batches not split on 413", 1),
        ([no(0, 413, 1), post(9, 1)], "batches not split on 413", 1),
        (
            [post(0, 1, events=(Sent("id-1", 1, "c", rejected=True),)), post(1, 1, 2)],
            "rejected events sent again",
            1,
        ),
        (
            [cut(0, 1), post(9, 1, sent_at="0")],
            "repeats with the sent_at of before",
            1,
        ),
        (waits(1, 1, 1), "retries without growing wait", 1),
        (waits(0, 0, 0, 0), "retries without growing wait", 1),
        (waits(0.001, 0.05, 0.09), "retries without growing wait", 1),
        (waits(5, 5, 5, fault="401"), "retries without growing wait", 1),
    ],
)
def test_a_breach_is_found(posts: Posts, what: str, count: int) -> None:
    assert wrong(posts).get(what) == count


@pytest.mark.parametrize(
    "posts",
    [
        [post(0, 5, 6), post(1, 7)],  # an install that is not new
        [cut(0, 1, 2), post(9, 1, 2, 3)],
        [post(0, 1), no(1, 503, 2, 3)],  # it may still come
        [no(0, 413, 1, 2, 3), no(0, 413, 1, 2), no(0, 413, 1), post(0, 2), post(0, 3)],
        [no(0, 503, 1, retry_after=5), post(5, 1)],
        [no(0, 503, 1, retry_after=5), post(1, 1, device="other")],
        [post(0, 0), post(1, 0, events=(Sent("second", 0, "something else"),))],
        waits(1, 2),  # too few to tell
        waits(0, 1, 2, 4),
        waits(0.5, 1.9, 2.1, 7),
        waits(300, 300, 300),
        waits(5, 5, 5, retry_after=5),
        waits(5, 5, 5, fault="refuse"),  # nobody saw what was tried meanwhile
        [
            post(0, 1, events=(Sent("id-1", 1, "c", rejected=True),), answered=False),
            post(9, 1, events=(Sent("id-1", 1, "c"),)),
        ],
    ],
)
def test_what_a_good_sdk_does_is_not_wrong(posts: Posts) -> None:
    assert wrong(posts) == {}


def test_devices_are_judged_apart() -> None:
    posts = [post(0, 1), post(0, 1, device="other"), post(1, 2), post(1, 3, device="other")]

    assert wrong(posts) == {"events lost": 1}
