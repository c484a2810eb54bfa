"""A reference client of the native protocol: what a good mobile SDK does, in one file.

Events go to a file that is synced before `track` returns, and leave it only when the gateway has
said what became of them. One POST is in flight at a time, so that a device's order holds. What a
POST's answer means is decided by `decide`, which is pure.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gateway.runtime import now_ms
from loadtest.backoff import PHONE, SPREAD, Backoff, asked_seconds
from loadtest.client import NoReply, PhoneClient, Reply
from loadtest.devices import Json, iso, uuid7

MAX_EVENTS = 100  # of a POST
MAX_BYTES = 512 * 1024  # of a POST, before it is compressed; one event may have more
MAX_PAGES = 16_384  # of the file, 4 KB each: a full one makes `track` raise, and loses nothing kept
FINAL = frozenset({400, 413, 415, 431})  # the same bytes will never be taken
DICE = random.SystemRandom()
SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,  -- of the install: no number comes twice
    event_id TEXT NOT NULL,
    event TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS install (device_id TEXT NOT NULL);
"""


class Queued(Struct, frozen=True):
    """An event in the file, as it goes over the wire."""

    sequence: int
    event_id: str
    text: str


class Advice(Struct, frozen=True, kw_only=True):
    """What follows from one try."""

    forgets: bool = False  # all events of the POST: the gateway has said what became of them
    rejected: tuple[int, ...] = ()  # of these the ones it will never take, by index
    most: int = MAX_EVENTS  # events of the next POST
    wait: float = 0.0  # seconds before it


class _Index(Struct):
    index: int


class _Told(Struct):
    accepted: int
    duplicates: int
    rejected: list[_Index]


def decide(
    sent: int, reply: Reply | None, tries: int, chance: random.Random, backoff: Backoff = PHONE
) -> Advice:
    """What an answer to a POST of `sent` events means, `None` being none; `tries` of it failed
    in a row, this one included."""
    if reply is None:
        return Advice(most=sent, wait=backoff.wait(tries, 0.0, chance))
    if reply.status == 200 and (rejected := _rejected(reply.body, sent)) is not None:
        return Advice(forgets=True, rejected=rejected, most=min(MAX_EVENTS, 2 * sent))
    if reply.status in FINAL:  # halves find the event that is in the way: it alone is given up
        return Advice(most=(sent + 1) // 2) if sent > 1 else Advice(forgets=True, rejected=(0,))
    spread = chance.uniform(1, 1 + SPREAD)
    if 400 <= reply.status < 500 and reply.status not in (408, 429):
        return Advice(most=sent, wait=backoff.longest_seconds * spread)
    asked = asked_seconds(reply.headers.get("retry-after", "")) * spread
    return Advice(most=sent, wait=max(backoff.wait(tries, 0.0, chance), asked))


def _rejected(body: bytes, sent: int) -> tuple[int, ...] | None:
    """The indexes of a 200; None when it is not the gateway's (a hotel's log-in page, say)."""
    try:
        told = msgspec.json.decode(body, type=_Told)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    rejected = tuple(one.index for one in told.rejected)
    adds_up = told.accepted + told.duplicates + len(rejected) == sent
    return rejected if adds_up and set(rejected) <= set(range(sent)) else None


def batch_of(queued: Sequence[Queued], most: int, max_bytes: int = MAX_BYTES) -> list[Queued]:
    """The first of them, as many as one POST may carry; at least one."""
    size, count = 0, 0
    for one in queued[:most]:
        size += len(one.text.encode()) + 1
        if count and size > max_bytes:
            break
        count += 1
    return list(queued[:count])


def body_of(batch: Sequence[Queued], context: Json, sent_at: str) -> bytes:
    """The POST's bytes; `sent_at` is of this very attempt."""
    head = json.dumps({"sent_at": sent_at, "context": context})
    events = ",".join(one.text for one in batch)
    return gzip.compress(f'{head[:-1]},"events":[{events}]}}'.encode(), 6)


class Queue:
    """The events of one install that are not settled yet, on disk in their order."""

    def __init__(self, path: Path, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns
        self._db.execute(f"PRAGMA max_page_count = {MAX_PAGES}")
        self._db.executescript(SCHEMA)
        self._db.execute(
            "INSERT INTO install SELECT ? WHERE NOT EXISTS (SELECT 1 FROM install)",
            (uuid7(clock(), DICE),),
        )
        (self.device_id,) = self._db.execute("SELECT device_id FROM install").fetchone()

    def put(self, event: Json) -> None:
        """Keep an event, synced; its id and number are settled here, for every try."""
        values = (uuid7(self._clock(), DICE), json.dumps(event))
        self._db.execute("INSERT INTO events (event_id, event) VALUES (?, ?)", values)

    def first(self, most: int) -> list[Queued]:
        rows = self._db.execute("SELECT * FROM events ORDER BY sequence LIMIT ?", (most,))
        return [
            Queued(
                number, name, json.dumps({**json.loads(it), "event_id": name, "sequence": number})
            )
            for number, name, it in rows
        ]

    def forget(self, batch: Sequence[Queued]) -> None:
        last = batch[-1].sequence  # batches are taken from the front
        self._db.execute("DELETE FROM events WHERE sequence <= ?", (last,))

    def close(self) -> None:
        self._db.close()


class ReferencePhone:
    """Keeps events and posts them. `on_rejected` hears of each that the gateway will never take."""

    def __init__(
        self, url: str, write_key: str, queue: Queue, context: Json, *,
        clock: Callable[[], int] = now_ms,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: random.Random | None = None,
        on_rejected: Callable[[Queued], object] = lambda one: None,
    ) -> None:  # fmt: skip
        self._client = PhoneClient(url, write_key)
        self._queue, self._clock, self._sleep, self._told = queue, clock, sleep, on_rejected
        self._chance = chance or DICE
        device = {**context.get("device", {}), "id": queue.device_id}
        self._context = {**context, "device": device}
        self._one_at_a_time = asyncio.Lock()

    def track(self, kind: str, **fields: Any) -> None:
        """Keep an event; it is on the disk when this returns."""
        self._queue.put({"type": kind, "timestamp": iso(self._clock()), **fields})

    async def flush(self) -> None:
        """Post until nothing is left, however long that takes."""
        async with self._one_at_a_time:
            most, tries = MAX_EVENTS, 0
            while batch := batch_of(self._queue.first(most), most):
                reply = await self._try(batch, tries)
                advice = decide(len(batch), reply, tries + 1, self._chance)
                if advice.forgets:
                    for index in advice.rejected:
                        self._told(batch[index])
                    self._queue.forget(batch)
                most, tries = advice.most, tries + 1 if advice.wait else 0
                if advice.wait:
                    await self._sleep(advice.wait)

    async def _try(self, batch: Sequence[Queued], tries: int) -> Reply | None:
        headers = {"Content-Encoding": "gzip", "X-Request-Id": batch[0].event_id}
        headers |= {"X-Attempt": str(tries + 1), "X-Device-Id": self._queue.device_id}
        body = body_of(batch, self._context, iso(self._clock()))
        try:
            return await self._client.send("POST", "/v1/events", body, headers)
        except NoReply:
            return None

    async def close(self) -> None:
        await self._client.close()
