"""Locust's side of `telemetry-loadtest run`: the phones, and a line of measurements a second.

Locust patches the process for gevent, so only the locust process imports this file. Standard output
belongs to the samples.
"""

from __future__ import annotations

import itertools
import logging
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import msgspec
from locust import FastHttpUser, events, task
from locust.env import Environment

from gateway.runtime import now_ms
from loadtest.backoff import PHONE, asked_seconds
from loadtest.devices import Post, body_of
from loadtest.ledger import Entry
from loadtest.life import Pace, from_now_on, live
from loadtest.locust_book import LocustBook
from loadtest.meter import Meter
from loadtest.plan import VARIABLE, Plan
from loadtest.replies import is_final, no_reply, posted, read_reply
from loadtest.shapes import PlannedShape
from loadtest.storm import prebuilt

PATH = "/v1/events"
EXCHANGE_SECONDS = 20.0  # for one POST
SAMPLE_SECONDS = 1.0
ARRIVAL_SECONDS = 1.0  # within which the phones of a moment come

logging.getLogger("locust.runners").setLevel(logging.ERROR)  # it warns of phones that come fast

_plan = msgspec.json.decode(os.environ[VARIABLE], type=Plan)
_headers = {"Authorization": f"Bearer {_plan.write_key}", "Content-Type": "application/json"}
_numbers = itertools.count()
_book = LocustBook(Path(_plan.ledger) if _plan.ledger else None)
_meter = Meter()
_loaded = time.monotonic()
_began, _began_ms = _loaded, now_ms()  # of the run; set anew when it begins


class Shape(PlannedShape):
    """How many phones there are."""

    plan = _plan


class _User(FastHttpUser):
    """Somebody who posts."""

    abstract = True
    network_timeout = connection_timeout = EXCHANGE_SECONDS

    def send(self, post: Post, body: bytes) -> tuple[list[Entry], float]:
        """One try: what came of each event, and for how many seconds the answer asks."""
        _book.settle()
        started = time.perf_counter()
        with self.client.post(
            PATH,
            data=body,  # type: ignore[arg-type]  # bytes are taken as they are
            headers=_headers,
            catch_response=True,
        ) as response:
            took, status = time.perf_counter() - started, response.status_code
            if status == 0:
                entries = no_reply(post, type(response.error).__name__)
            else:
                entries = read_reply(post, status, response.content or b"")
            if not is_final(entries) or status != 200:
                response.failure(entries[0].reason)
        asked = asked_seconds((response.headers or {}).get("retry-after") or "")
        _book.add(entries)
        _meter.answered(status, took, asked)
        is_refused = entries[0].outcome == "refused" or (status == 200 and not is_final(entries))
        accepted = sum(one.outcome == "accepted" for one in entries) if status == 200 else 0
        _meter.settled(accepted, is_refused=is_refused)
        return entries, asked


class PhoneUser(_User):
    """One phone: it posts when its life has it so, and what got no final answer it sends again
    before anything else, after a wait as SDKs have it."""

    weight = 0 if _plan.shape == "retry-storm" else 1
    _due: float  # seconds since the run began

    def on_start(self) -> None:
        number = next(_numbers)
        pace = Pace(
            began_ms=_began_ms,
            seconds=_plan.seconds,
            factor=_plan.time_factor,
            quiet_until=_plan.outage_seconds,
        )
        self._chance = random.Random(f"waits {_plan.seed}/{number}")  # noqa: S311  # a simulation
        life = from_now_on(live(number, _plan.seed, pace), _now() - ARRIVAL_SECONDS)
        self._posts = _with_lost_replies(life)
        self._take_next()

    def wait_time(self) -> float:
        return max(0.0, self._due - _now())

    @task
    def post_what_is_due(self) -> None:
        if self._due > _now():
            return
        if self._tries == 0:
            _book.add(posted(self._next))
        body = msgspec.json.encode(body_of(self._next, now_ms()))
        entries, asked = self.send(self._next, body)
        if is_final(entries):
            self._take_next()
        else:
            self._tries += 1
            self._due = _now() + PHONE.wait(self._tries, asked, self._chance)

    def _take_next(self) -> None:
        self._next, self._tries = next(self._posts), 0
        self._due = self._next.at


class StormUser(_User):
    """A client without backoff: whatever the answer, the next POST goes out at once."""

    weight = 1 if _plan.shape == "retry-storm" else 0

    def on_start(self) -> None:
        self._posts = prebuilt(next(_numbers), _plan.seed, _began_ms)
        for one in self._posts:
            _book.add(one.entries)
        self._next = 0

    def wait_time(self) -> float:
        return 0.0

    @task
    def post_at_once(self) -> None:
        one = self._posts[self._next % len(self._posts)]
        entries, _ = self.send(one.post, one.body)
        if is_final(entries):
            self._next += 1


def _with_lost_replies(posts: Iterator[Post]) -> Iterator[Post]:
    """A phone whose reply got lost sends the same events once more."""
    for post in posts:
        yield post
        if post.reply_is_lost:
            yield post


def _now() -> float:
    """Seconds since the run began."""
    return time.monotonic() - _began


def _begin(environment: Environment, **_: object) -> None:
    global _began, _began_ms  # locust's listeners and users share nothing but their module
    _began, _began_ms = time.monotonic(), now_ms()


def _report(environment: Environment, **_: object) -> None:
    gevent.spawn(_say_again_and_again, environment)


def _say_again_and_again(environment: Environment) -> None:
    while True:
        gevent.sleep(SAMPLE_SECONDS)
        _say(environment)


def _say(environment: Environment) -> None:
    """Write a sample; its time counts from the start of the process, as the page of locust can
    begin a run several times."""
    users = environment.runner.user_count if environment.runner is not None else 0
    sample = _meter.sample(time.monotonic() - _loaded, users)
    try:
        sys.stdout.buffer.write(msgspec.json.encode(sample) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # nobody is left who wants to know
        os._exit(1)


def _end(environment: Environment, **_: object) -> None:
    _book.settle()
    _say(environment)


def _broke(**_: object) -> None:
    _meter.broke()


events.init.add_listener(_report)  # type: ignore[no-untyped-call]  # locust is untyped
events.test_start.add_listener(_begin)  # type: ignore[no-untyped-call]  # locust is untyped
events.quitting.add_listener(_end)  # type: ignore[no-untyped-call]  # locust is untyped
events.user_error.add_listener(_broke)  # type: ignore[no-untyped-call]  # locust is untyped
