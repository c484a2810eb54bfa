"""Steady load: phones that post one after another, send again what got no final answer, and keep
what they were told in the ledger.

Light on CPU: a body is text made by filling a template, and the reply is read as phones read it.
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import count, pairwise
from uuid import uuid4

from msgspec import Struct

from loadtest.client import NoReply, PhoneClient
from loadtest.devices import Post
from loadtest.fleet import PATH
from loadtest.ledger import Ledger
from loadtest.replies import is_final, no_reply, read_reply
from tests.builders import make_batch, make_event
from tests.kafka import wait_until

GRACE_SECONDS = 180.0  # after the end of the load, for the last final answers
PROGRESS_SECONDS = 120.0
FIRST_WAIT_SECONDS = 0.2


class LoadShape(Struct, frozen=True, kw_only=True):
    """Who posts, and how."""

    devices: int = 40
    events: int = 4  # of a POST
    pause_seconds: float = 0.2  # between a final answer and the next POST
    longest_wait_seconds: float = 1.0  # before a POST is tried again, whatever Retry-After says
    copies: int = 1  # each POST is sent so many times, and the first ones once more at the end
    is_connecting_anew: bool = False  # for each try, instead of keep-alive


class Ack(Struct, frozen=True, gc=False):
    """One answer of 200."""

    at: float  # of the monotonic clock, seconds
    device: int
    seconds: float  # from its sending


class SteadyLoad:
    """Phones in a thread and loop of their own."""

    def __init__(self, url: str, write_key: str, ledger: Ledger, shape: LoadShape) -> None:
        self.shape = shape
        self.mark = uuid4().hex[:12]
        self.acks: list[Ack] = []
        self.statuses: Counter[int] = Counter()  # 0: no answer
        self.waits: list[int] = []  # seconds of Retry-After
        self.accepted = 0  # events
        self.unanswered = 0  # events
        self._ledger = ledger
        self._target = (url, write_key)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._body = _template()
        self.started = time.monotonic()
        self.ended = self.started

    def start(self) -> None:
        self.started = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """No new POSTs; returns when each phone has its final answer, or time is out."""
        self.ended = time.monotonic()
        self._stop.set()
        self._thread.join(GRACE_SECONDS + 60)
        assert not self._thread.is_alive(), "the load did not end"

    @property
    def longest_stall(self) -> float:
        """Seconds between two answers of 200, while load ran."""
        times = [one.at for one in self.acks if one.at <= self.ended]
        points = [self.started, *times, self.ended]
        return max(later - one for one, later in pairwise(points))

    def wait_accepted(self, more: int) -> None:
        """Until so many more events were acknowledged."""
        goal = self.accepted + more
        wait_until(lambda: self.accepted >= goal, PROGRESS_SECONDS, f"{more} more accepted events")

    def wait_all_devices(self) -> None:
        """Until each phone has got one more 200: no partition is dead."""
        since = len(self.acks)

        def all_heard() -> bool:
            return len({one.device for one in self.acks[since:]}) == self.shape.devices

        wait_until(all_heard, PROGRESS_SECONDS, "an answer of 200 to every device")

    def device_id(self, number: int) -> str:
        return f"{self.mark}-{number}"

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.shape.devices):
                tasks.create_task(self._device(number))

    async def _device(self, number: int) -> None:
        client = PhoneClient(*self._target)
        first: list[tuple[Post, bytes]] = []
        await asyncio.sleep(random.random() * self.shape.pause_seconds)
        for sequence in count(1, self.shape.events):
            if self._stop.is_set():
                break
            post, body = self._make(self.device_id(number), sequence)
            for _ in range(self.shape.copies):
                await self._deliver(client, number, post, body)
            if self.shape.copies > 1 and len(first) < 5:
                first.append((post, body))
            await asyncio.sleep(self.shape.pause_seconds)
        for post, body in first:
            await self._deliver(client, number, post, body)
        await client.close()

    def _make(self, device_id: str, sequence: int) -> tuple[Post, bytes]:
        ids = [str(uuid4()) for _ in range(self.shape.events)]
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        events = [{"event_id": one, "sequence": number} for number, one in enumerate(ids, sequence)]
        text = ",".join(
            self._body.event % (one, now, number) for number, one in enumerate(ids, sequence)
        )
        post = Post(
            device_id=device_id, at=0, context={}, events=events, clock_skew_ms=0,
            reply_is_lost=False,
        )  # fmt: skip
        return post, (self._body.batch % (now, device_id, text)).encode()

    async def _deliver(self, client: PhoneClient, number: int, post: Post, body: bytes) -> None:
        """Send until the answer is final, or the load has been over for long."""
        for tries in count(1):
            asked = await self._try(client, number, post, body)
            if self.shape.is_connecting_anew:
                await client.close()
            if asked is None or self._is_too_late():
                return
            wait = max(asked, FIRST_WAIT_SECONDS * 2.0 ** min(tries - 1, 8))
            await asyncio.sleep(min(wait, self.shape.longest_wait_seconds))

    def _is_too_late(self) -> bool:
        return self._stop.is_set() and time.monotonic() - self.ended > GRACE_SECONDS

    async def _try(self, client: PhoneClient, number: int, post: Post, body: bytes) -> float | None:
        """None when the answer was final; else how many seconds the gateway asks to wait."""
        sent, asked = time.monotonic(), ""
        try:
            reply = await client.post(PATH, body)
        except NoReply as error:
            self.statuses[0] += 1
            entries = no_reply(post, str(error))
        else:
            self.statuses[reply.status] += 1
            entries = read_reply(post, reply.status, reply.body)
            asked = reply.headers.get("retry-after", "")
            if reply.status == 200:
                now = time.monotonic()
                self.acks.append(Ack(now, number, now - sent))
            elif asked.isdecimal():
                self.waits.append(int(asked))
        self._ledger.add(entries)
        if is_final(entries):
            self.accepted += sum(one.outcome == "accepted" for one in entries)
            return None
        self.unanswered += len(entries)
        return float(asked) if asked.isdecimal() else 0.0


class _Template(Struct, frozen=True):
    """Texts with places for: sent_at, device id, events; and event id, timestamp, sequence."""

    batch: str
    event: str


def _template() -> _Template:
    event = json.dumps(make_event(event_id="%s", sequence=0, timestamp="%s"))
    batch = make_batch("%s", sent_at="%s")
    batch["context"]["device"]["id"] = "%s"
    return _Template(
        json.dumps(batch).replace('["%s"]', "[%s]"),
        event.replace('"sequence": 0', '"sequence": %d'),
    )
