"""Locust's side of `telemetry-loadtest run`: one user is one phone that never stops.

Locust patches the process for gevent, so only the locust process imports this file.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from locust import FastHttpUser, constant_pacing, events, task

from gateway.runtime import now_ms
from loadtest.devices import Phone, Post, body_of
from loadtest.locust_book import LocustBook
from loadtest.replies import is_final, no_reply, posted, read_reply
from loadtest.shapes import SHAPES

_seed = int(os.environ["TELEMETRY_LOADTEST_SEED"])
_authorization = f"Bearer {os.environ['TELEMETRY_LOADTEST_WRITE_KEY']}"
_ledger_file = os.environ["TELEMETRY_LOADTEST_LEDGER"]
_numbers = itertools.count()
_book = LocustBook(Path(_ledger_file) if _ledger_file else None)

Shape = SHAPES[os.environ["TELEMETRY_LOADTEST_SHAPE"]]


class PhoneUser(FastHttpUser):
    """Posts a session a second; what got no final answer it sends again before anything else."""

    wait_time = constant_pacing(1)

    def on_start(self) -> None:
        phone = Phone(next(_numbers), _seed, now_ms())
        self._posts = _forever(phone)
        self._next = next(self._posts)

    @task
    def post(self) -> None:
        post = self._next
        _book.add(posted(post))
        _book.settle()
        body = msgspec.json.encode(body_of(post, now_ms()))
        headers = {"Authorization": _authorization, "Content-Type": "application/json"}
        with self.client.post(
            "/v1/events", data=body.decode(), headers=headers, catch_response=True
        ) as response:
            status = response.status_code
            if status == 0:
                entries = no_reply(post, type(response.error).__name__)
            else:
                entries = read_reply(post, status, response.content or b"")
            if not is_final(entries) or status != 200:
                response.failure(entries[0].reason)
        _book.add(entries)
        if is_final(entries):
            self._next = next(self._posts)


def _forever(phone: Phone) -> Iterator[Post]:
    """The phone's sessions, again and again, each time as new events; after a lost reply the same
    ones once more."""
    while True:
        for post in phone.posts():
            yield post
            if post.reply_is_lost:
                yield post


def _save(**_: object) -> None:
    _book.settle()


events.quitting.add_listener(_save)  # type: ignore[no-untyped-call]  # locust is untyped
