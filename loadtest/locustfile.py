"""Locust's side of `telemetry-loadtest run`: one user is one phone, played in a loop.

Locust patches the process for gevent, so only the locust process imports this file.
"""

from __future__ import annotations

import itertools
import os
import time

import msgspec
from locust import FastHttpUser, constant_pacing, task

from loadtest.devices import Phone, body_of
from loadtest.shapes import SHAPES

_numbers = itertools.count()
_seed = int(os.environ["TELEMETRY_LOADTEST_SEED"])

Shape = SHAPES[os.environ["TELEMETRY_LOADTEST_SHAPE"]]


class PhoneUser(FastHttpUser):
    """Posts its sessions one after another, then starts over as the same install."""

    wait_time = constant_pacing(1)

    def on_start(self) -> None:
        self._phone = Phone(next(_numbers), _seed, time.time_ns() // 1_000_000)
        self._posts = self._phone.posts()

    @task
    def post(self) -> None:
        post = next(self._posts, None)
        if post is None:
            self._posts = self._phone.posts()
            return
        self.client.post(
            "/v1/events",
            data=msgspec.json.encode(body_of(post, time.time_ns() // 1_000_000)).decode(),
            headers={
                "Authorization": f"Bearer {os.environ['TELEMETRY_LOADTEST_WRITE_KEY']}",
                "Content-Type": "application/json",
            },
        )
