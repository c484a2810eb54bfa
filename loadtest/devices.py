"""Simulated phones: what each of them does, and which POSTs come of it. Pure and seeded.

The same seed is the same fleet, byte for byte but for the time it starts at. Among the phones are
ones that were offline, ones whose clock is wrong, ones that send a batch twice because a reply got
lost, ones that update their app, and ones that crash and tell it at their next launch. A few events
break the contract, and a few stand twice in their POST, so that every outcome can be seen.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from loadtest.crashes import CRASHES, RELEASES, crash_of
from loadtest.usage import session_seconds

Json = dict[str, Any]  # a JSON object on its way to the wire

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

MODELS = (
    ("Android", "15", "Google", "Pixel 8"),
    ("Android", "14", "Samsung", "Galaxy S24"),
    ("Android", "13", "Xiaomi", "Redmi Note 12"),
    ("iOS", "18.1", "Apple", "iPhone 15"),
    ("iOS", "17.6", "Apple", "iPhone 13"),
)
LOCALES = (("en-US", "America/New_York"), ("de-DE", "Europe/Berlin"), ("ja-JP", "Asia/Tokyo"))
SCREENS = ("Home", "Search", "Product", "Cart", "Checkout")
MAX_ACTIVITIES = 300  # of a session
REQUIRED = ("type", "timestamp", "event_id")  # an event that lacks one of these is rejected


class Post(Struct, frozen=True, kw_only=True):
    """One POST a phone wants to make. Its `sent_at` is written when it is tried."""

    device_id: str
    at: float  # when in the run: a share of it, 0 to 1; in a life (`loadtest.life`) seconds
    context: Json
    events: list[Json]
    clock_skew_ms: int  # the phone's clock minus the right one
    reply_is_lost: bool  # the phone sends it once more, whatever the first answer was


class Session(Struct, frozen=True):
    """What happened while the app was open: (time in ms, event). `crash` is what ended it, to be
    told at the next launch."""

    events: list[tuple[int, Json]]
    crash: Json | None


class Phone:
    """One install: its device, release, clock and counter."""

    def __init__(self, number: int, seed: int, now_ms: int) -> None:
        self._random = random.Random(f"{seed}/{number}")  # noqa: S311  # a simulation
        self._now_ms = now_ms
        self._number = number
        self._model = MODELS[number % len(MODELS)]
        self._sequence = 0
        self.device_id = self._uuid(now_ms - 30 * DAY_MS)
        self.release = self._random.choices(RELEASES, (2, 5, 3))[0]
        self.is_offline = number % 10 == 3
        self.clock_skew_ms = self._skew(number)
        self.loses_replies = number % 12 == 5

    def _skew(self, number: int) -> int:
        if number % 25 == 7:
            return 3 * HOUR_MS
        if number % 25 == 14:
            return -26 * HOUR_MS
        if number % 100 == 42:
            return 10 * DAY_MS - self._now_ms  # a phone in January 1970
        return 0

    def posts(self) -> Iterator[Post]:
        """What the phone sends, in its order: a POST for each time the app was opened."""
        starts = self._session_starts()
        ends = [*starts[1:], self._now_ms]
        crash: Json | None = None
        for number, (start_ms, end_ms) in enumerate(zip(starts, ends, strict=True)):
            events = [crash] if crash is not None else []
            if number:
                events += self.update(start_ms)
            length_ms = round(session_seconds(self._random) * 1000)
            session = self.session(start_ms, min(length_ms, end_ms - start_ms - MINUTE_MS))
            crash = session.crash
            at = (number + self._random.random()) / len(starts)
            if self.is_offline:
                at = 0.8 + 0.15 * number / len(starts)  # it comes back late, with everything
            yield self.post(at, events + [event for _, event in session.events])

    def post(self, at: float, events: list[Json]) -> Post:
        """A POST of these events; a few break the contract, and a few stand in it twice."""
        events = list(events)
        if self._random.random() < 0.02:
            broken = dict(events[0], event_id=self._uuid(self._now_ms))
            del broken[self._random.choice(REQUIRED)]
            events.insert(self._random.randrange(len(events)), broken)
        elif self._random.random() < 0.02:
            events.append(self._random.choice(events))
        return Post(
            device_id=self.device_id,
            at=at,
            context=self._context(),
            events=events,
            clock_skew_ms=self.clock_skew_ms,
            reply_is_lost=self.loses_replies and self._random.random() < 0.5,
        )

    def _session_starts(self) -> list[int]:
        """Sessions of the last hours; phones that were offline bring some of the last days."""
        count = self._random.randint(2, 5)
        span = 3 * DAY_MS if self.is_offline else 6 * HOUR_MS
        gap = span // count
        first = self._now_ms - span
        return [first + number * gap + self._random.randint(0, gap // 2) for number in range(count)]

    def update(self, clock: int) -> list[Json]:
        """Now and then the app's next release, if there is one: what is posted from now on is of
        it."""
        newer = RELEASES[RELEASES.index(self.release) + 1 :]
        if self._random.random() >= 0.15 or not newer:
            return []
        previous, self.release = self.release, newer[0]
        return [self._event("app_update", clock - 1, None, {"previous_version": previous.version})]

    def session(self, start_ms: int, length_ms: int) -> Session:
        """A session of that length; a close or a crash ends it."""
        session_id = self._uuid(start_ms)
        clock, end_ms = start_ms, start_ms + length_ms
        opening = {"from_background": False, "cold_start_ms": self._random.randint(250, 1800)}
        events = [(clock, self._event("app_open", clock, session_id, opening))]
        while len(events) < MAX_ACTIVITIES:
            clock += self._random.randint(5_000, 100_000)
            if clock >= end_ms:
                break
            events.append((clock, self._activity(clock, session_id)))
        if self._random.random() < self.release.crash_rate:
            return Session(events, self._crash(end_ms, session_id))
        closing = {"duration_ms": length_ms, "reason": "background"}
        events.append((end_ms, self._event("app_close", end_ms, session_id, closing)))
        return Session(events, None)

    def _activity(self, clock: int, session_id: str) -> Json:
        if self._random.random() < 0.6:
            screen = self._random.choice(SCREENS)
            return self._event("screen", clock, session_id, {}, name=screen)
        price = round(self._random.uniform(1, 99), 2)
        return self._event("track", clock, session_id, {"price": price}, name="Order Completed")

    def _crash(self, clock: int, session_id: str) -> Json:
        site = self._random.choice([one for one in CRASHES if one.os == self._model[0]])
        event = self._event("app_crash", clock, session_id, {}, crash=crash_of(site, self._random))
        event["context"] = {"app": {"version": self.release.version, "build": self.release.build}}
        return event

    def _event(
        self, kind: str, clock: int, session_id: str | None, properties: Json, **more: Any
    ) -> Json:
        self._sequence += 1
        event = {
            "event_id": self._uuid(clock),
            "type": kind,
            "timestamp": iso(clock + self.clock_skew_ms),
            "sequence": self._sequence,
            "properties": properties,
            **more,
        }
        return event if session_id is None else {**event, "session_id": session_id}

    def _context(self) -> Json:
        system, version, manufacturer, model = self._model
        locale, zone = LOCALES[self._number % len(LOCALES)]
        app = {"version": self.release.version, "build": self.release.build}
        return {
            "app": {"id": "com.example.demo", **app},
            "os": {"name": system, "version": version},
            "device": {
                "id": self.device_id,
                "manufacturer": manufacturer,
                "model": model,
                "type": "phone",
            },
            "locale": locale,
            "timezone": zone,
            "network": {"type": "cellular" if self.is_offline else "wifi"},
            "library": {"name": "simulated-phone", "version": "1.0.0"},
        }

    def _uuid(self, clock_ms: int) -> str:
        return uuid7(clock_ms, self._random)


def fleet(seed: int, devices: int, now_ms: int) -> list[list[Post]]:
    """Every phone's POSTs, each phone's in its order."""
    return [list(Phone(number, seed, now_ms).posts()) for number in range(devices)]


def uuid7(clock_ms: int, chance: random.Random) -> str:
    """Time first, so that ids sort as they were made (RFC 9562)."""
    bits = (clock_ms & (2**48 - 1)) << 80 | 0x7 << 76 | chance.getrandbits(12) << 64
    bits |= 0b10 << 62 | chance.getrandbits(62)
    text = f"{bits:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def iso(milliseconds: int) -> str:
    """RFC 3339, UTC, milliseconds; any time a broken clock can say."""
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"


def body_of(post: Post, now_ms: int) -> Json:
    """The POST's body at this attempt: `sent_at` is the phone's clock now."""
    return {
        "sent_at": iso(now_ms + post.clock_skew_ms),
        "context": post.context,
        "events": post.events,
    }
