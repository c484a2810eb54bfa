"""A phone's life while load is put on a gateway: sessions, time away, offline spells, and the POSTs
that come of them. Pure and seeded.

A phone's time may run faster than ours, so that a short run shows whole sessions. It then began so
far in the past that it reaches our own when the run ends: lengths are as people know them, and no
event lies in the future.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from functools import partial
from itertools import dropwhile, groupby

from msgspec import Struct

from loadtest.devices import Json, Phone, Post
from loadtest.usage import AWAY_MEAN_SECONDS, away_seconds, session_seconds

FLUSH_SECONDS = 30.0  # of a session: what happened meanwhile goes out together
MAX_EVENTS = 100  # of a POST
OFFLINE_SHARE = 0.1  # of sessions; what happened in them goes out with the next one


class Pace(Struct, frozen=True, kw_only=True):
    """How a phone's time relates to the run's. Times of the run are seconds since its beginning."""

    began_ms: int  # our clock when the run began
    seconds: float  # the run's length
    factor: float  # seconds of a phone in one of the run
    quiet_until: float = 0.0  # of the run: before, no phone reaches the gateway

    def clock_ms(self, phone_seconds: float) -> int:
        """The right time so many phone seconds after the beginning."""
        head_start = (self.factor - 1) * self.seconds
        return self.began_ms + round((phone_seconds - head_start) * 1000)

    def due(self, phone_seconds: float) -> float:
        """When, in the run, a POST goes out that the phone makes then."""
        return max(phone_seconds / self.factor, self.quiet_until)


def live(number: int, seed: int, pace: Pace) -> Iterator[Post]:
    """Everything that phone will ever post, in its order; `at` is when, in seconds of the run."""
    phone = Phone(number, seed, pace.clock_ms(0))
    chance = random.Random(f"life {seed}/{number}")  # noqa: S311  # a simulation
    clock = chance.uniform(0, AWAY_MEAN_SECONDS)
    waiting: list[Json] = []
    while True:
        start_ms, length = pace.clock_ms(clock), session_seconds(chance)
        waiting += phone.update(start_ms)
        session = phone.session(start_ms, round(length * 1000))
        is_offline = chance.random() < OFFLINE_SHARE
        for flush, happened in groupby(session.events, partial(_flush, start_ms)):
            waiting += [event for _, event in happened]
            if not is_offline:
                yield from _posts(phone, pace.due(clock + min(flush, length)), waiting)
                waiting = []
        if session.crash is not None:
            waiting.append(session.crash)
        clock += length + away_seconds(chance)


def from_now_on(posts: Iterator[Post], now: float) -> Iterator[Post]:
    """What is left of a life for a phone that comes at `now`: before, it lived unseen."""
    return dropwhile(lambda post: post.at < now, posts)


def _flush(start_ms: int, happened: tuple[int, Json]) -> float:
    """The end of the flush that takes this event, in seconds of the session."""
    return (math.floor((happened[0] - start_ms) / 1000 / FLUSH_SECONDS) + 1) * FLUSH_SECONDS


def _posts(phone: Phone, at: float, events: list[Json]) -> Iterator[Post]:
    for start in range(0, len(events), MAX_EVENTS):
        yield phone.post(at, events[start : start + MAX_EVENTS])
