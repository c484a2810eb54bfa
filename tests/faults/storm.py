"""Many clients that do not care: they send a prebuilt POST again and again until it is taken.

Each client is a protocol on one connection, with nothing but its own place in time; the rate of all
together is what they are told it should be.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import time
from collections import Counter, deque
from datetime import UTC, datetime
from uuid import uuid4

from msgspec import Struct

from loadtest.ledger import Entry, Ledger
from tests.builders import make_batch, make_event
from tests.processes import KEY

ANSWER_SECONDS = 30.0
LATE_SECONDS = 0.5  # between tries after the end, which are no part of the storm


class StormPost(Struct, frozen=True, gc=False):
    """One POST of a device of its own, ready for the wire."""

    device_id: str
    event_ids: list[str]
    request: bytes


class Phase(Struct, kw_only=True):
    """What came of some seconds."""

    seconds: float
    cpu_seconds: float = 0.0  # of the gateway
    quick: int = 0  # answers that took the gateway no longer than QUICK_SECONDS
    statuses: Counter[int]

    @property
    def goodput(self) -> float:
        """POSTs taken, per second."""
        return self.statuses[200] / self.seconds

    @property
    def goodput_per_cpu_second(self) -> float:
        return self.statuses[200] / max(self.cpu_seconds, 0.001)

    @property
    def refused(self) -> int:
        """POSTs turned away."""
        return self.statuses[429] + self.statuses[503]


def build(count: int, events: int) -> deque[StormPost]:
    """POSTs of so many events, compressed as SDKs do."""
    return deque(_post(events) for _ in range(count))


def _post(events: int) -> StormPost:
    device, now = str(uuid4()), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    ids = [str(uuid4()) for _ in range(events)]
    made = [
        make_event(event_id=one, sequence=number, timestamp=now)
        for number, one in enumerate(ids, start=1)
    ]
    batch = make_batch(*made, sent_at=now)
    batch["context"]["device"]["id"] = device
    body = gzip.compress(json.dumps(batch).encode(), 6)
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return StormPost(device, ids, head.encode() + body)


class Storm:
    """Takes POSTs from `posts`, and writes what was taken into the ledger."""

    def __init__(self, port: int, posts: deque[StormPost], ledger: Ledger) -> None:
        self._port = port
        self._posts = posts
        self._ledger = ledger

    def run(self, clients: int, interval: float, seconds: float) -> Phase:
        """So many clients, each with a try every `interval` seconds; 0: as fast as it is answered.
        Counted is what happens within `seconds`. Returns when of each POST is known whether it is
        kept; what was not taken lies in `posts` again."""
        phase = Phase(seconds=seconds, statuses=Counter())
        asyncio.run(self._run(clients, interval, phase))
        return phase

    async def _run(self, clients: int, interval: float, phase: Phase) -> None:
        end = time.monotonic() + phase.seconds
        async with asyncio.TaskGroup() as tasks:
            for _ in range(clients):
                tasks.create_task(self._client(interval, end, phase))

    async def _client(self, interval: float, end: float, phase: Phase) -> None:
        connection = _Connection(self._port)
        await asyncio.sleep(random.random() * interval)
        while time.monotonic() < end:
            await self._deliver(self._posts.popleft(), connection, interval, end, phase)
        connection.close()

    async def _deliver(
        self, post: StormPost, connection: _Connection, interval: float, end: float, phase: Phase
    ) -> None:
        """Send it until it is taken, or until the end when it surely is not kept: then others may
        have it."""
        is_known = True  # that it is not kept
        while True:
            sent = time.monotonic()
            status = await connection.ask(post.request)
            now = time.monotonic()
            if now < end:
                phase.statuses[status] += 1
            if status == 200:
                self._note(post, "accepted")
            elif status == 0:
                self._note(post, "unanswered")
                is_known = False
            await asyncio.sleep(max(0.0, sent + (interval if now < end else LATE_SECONDS) - now))
            if status == 200:
                return
            if is_known and time.monotonic() > end:
                self._posts.appendleft(post)
                return

    def _note(self, post: StormPost, outcome: str) -> None:
        self._ledger.add(
            Entry(post.device_id, one, outcome, number)  # type: ignore[arg-type]  # one of two
            for number, one in enumerate(post.event_ids, start=1)
        )


class _Connection(asyncio.Protocol):
    """One request at a time, and a new connection after each that broke; status 0 when it breaks
    or nothing comes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.is_lost = True
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answered: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.is_lost = False

    def connection_lost(self, error: Exception | None) -> None:
        self.is_lost = True
        self._settle(0)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        _, _, rest = head.lower().partition(b"content-length: ")
        if len(body) >= int(rest.split(b"\r\n", 1)[0] or b"0"):
            self._buffer = b""
            self._settle(int(head[9:12]))

    def _settle(self, status: int) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(status)

    async def ask(self, request: bytes) -> int:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if self.is_lost:
                    await loop.create_connection(lambda: self, "127.0.0.1", self._port)
                self._answered = loop.create_future()
                self._buffer = b""
                assert self._transport is not None
                self._transport.write(request)
                return await self._answered
        except (TimeoutError, OSError):
            self.close()
            return 0

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self.is_lost = True
