"""What the console's tests and pictures show: some weeks of an app, made from a seed, as rows.

`History` holds every row that was inserted, so that a test can count what a page must say.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

from msgspec import Struct

from sinks.clickhouse.sql import AsyncClient, Server, connect
from sinks.clickhouse.tables import DEAD_LETTERS, EVENTS
from tests.stored import insert

DAYS = 14
RELEASES = ("2.3.0", "2.4.0", "2.4.1")
CRASHES = (
    ("java.lang.IllegalStateException", "no cart for this session", "Cart", "open"),
    ("java.lang.NullPointerException", "user is null", "Profile", "render"),
    ("NSInvalidArgumentException", "unrecognized selector sent to instance", "Feed", "reload"),
)
COUNTRIES = ("DE", "DE", "US", "US", "US", "BR", "JP")

Row = Mapping[str, object]


class History(Struct, frozen=True):
    """One app's events and dead letters as they were inserted."""

    app: str
    events: list[Row]
    letters: list[Row]

    def crashes(self) -> list[Row]:
        return [one for one in self.events if one["event_type"] == "app_crash"]

    def devices(self, **where: object) -> set[str]:
        return {
            str(one["device_id"])
            for one in self.events
            if all(one[name] == value for name, value in where.items())
        }


def crash_group(number: int) -> int:
    return 0x5EED_0000_0000_0000 + number


def group_text(number: int) -> str:
    return f"{crash_group(number):016x}"


def make_history(app: str, seed: int, devices: int, now: datetime) -> History:
    """`devices` phones over the days up to `now`; releases come out one after another."""
    random, today = Random(seed), now.date()
    events: list[Row] = []
    for number in range(devices):
        device = _device(random, app, number, today)
        events += [one for one in device if str(one["received_at"]) <= _text(now)]
    events.sort(key=lambda one: str(one["received_at"]))
    return History(app, events, list(_letters(random, app, today)))


def _device(random: Random, app: str, number: int, today: date) -> Iterator[Row]:
    is_android = random.random() < 0.6
    kind = {
        "app_id": app,
        "app_package": "com.example.shop",
        "device_id": f"device-{number:04d}",
        "user_id": f"user-{number:04d}" if random.random() < 0.7 else "",
        "os_name": "Android" if is_android else "iOS",
        "os_version": "15" if is_android else "18.1",
        "device_manufacturer": "Google" if is_android else "Apple",
        "device_model": "Pixel 8" if is_android else "iPhone16,1",
        "country": random.choice(COUNTRIES),
        "locale": "en-US",
        "network_type": "wifi",
        "sdk_name": "acme-android" if is_android else "acme-ios",
        "sdk_version": "1.2.0",
    }
    first = random.randrange(DAYS)
    sequence = 0
    for day in range(first, DAYS):
        if day > first and random.random() < 0.45:
            continue
        newest = min(2, max(0, (day + random.randrange(3)) // 5))
        midnight = datetime.combine(
            today - timedelta(days=DAYS - 1 - day), datetime.min.time(), UTC
        )
        for visit in range(1 + random.randrange(2)):
            start = midnight + timedelta(minutes=5 * random.randrange(80) + 450 * visit)
            for happened in _session(random, kind, RELEASES[newest], start):
                sequence += 1
                yield {**happened, "sequence": sequence}


def _session(
    random: Random, kind: Row, release: str, start: datetime
) -> Iterator[dict[str, object]]:
    session_id = str(UUID(int=random.getrandbits(128), version=4))
    length = timedelta(seconds=random.randrange(20, 600))
    common = {**kind, "app_version": release, "session_id": session_id}

    def happened(event_type: str, ts: datetime, **more: object) -> dict[str, object]:
        event_id = str(UUID(int=random.getrandbits(128), version=4))
        times = {"occurred_at": ts, "ts": ts, "sent_at": ts + timedelta(seconds=2)}
        later = {
            "received_at": ts + timedelta(seconds=2.2),
            "inserted_at": ts + timedelta(seconds=3),
        }
        stamps = {name: _text(one) for name, one in {**times, **later}.items()}
        return {**common, **stamps, "event_id": event_id, "event_type": event_type, **more}

    yield happened("app_open", start, properties={"from_background": "false"})
    if random.random() < 0.6:
        properties = {"price": str(random.randrange(5, 90)), "currency": "EUR"}
        yield happened("track", start + length / 2, event_name="checkout", properties=properties)
    crash_odds = {"2.3.0": 0.04, "2.4.0": 0.16, "2.4.1": 0.03}[release]
    if random.random() < crash_odds:
        number = random.choice((0, 0, 0, 1, 1, 2))
        yield happened("app_crash", start + length, **_crash(number))
    else:
        yield happened("app_close", start + length, duration_ms=int(length.total_seconds() * 1000))


def _crash(number: int) -> dict[str, object]:
    kind, reason, module, function = CRASHES[number]
    frames = [
        {"module": f"com.example.{module}", "function": function, "line": 42, "in_app": True},
        {"module": "com.example.Main", "function": "onEvent", "line": 17, "in_app": True},
        {"module": "android.os.Handler", "function": "dispatchMessage", "line": 106},
    ]
    return {
        "crash_kind": "exception",
        "crash_fatal": True,
        "crash_type": kind,
        "crash_reason": reason,
        "crash_stack": json.dumps(frames),
        "crash_group": crash_group(number),
        "crash_group_version": 1,
    }


def _letters(random: Random, app: str, today: date) -> Iterator[Row]:
    midnight = datetime.combine(today, datetime.min.time(), UTC)
    for number in range(12):
        at = midnight + timedelta(seconds=number)
        code = random.choice(("missing_field", "missing_field", "invalid_field"))
        yield {
            "source": "gateway",
            "code": code,
            "text": f"`timestamp` is missing - at `$.events[{number}].timestamp`",
            "app_id": app,
            "protocol": "native",
            "app_version": "2.4.0",
            "device_id": f"device-{number:04d}",
            "event_id": str(UUID(int=random.getrandbits(128), version=4)),
            "request_id": f"r-{number}",
            "received_at": _text(at),
            "position": number,
            "original": json.dumps({"type": "app_open", "note": "<script>alert(1)</script>"}),
            "original_bytes": 60,
            "dead_at": _text(at),
            "inserted_at": _text(at + timedelta(seconds=1)),
        }


def _text(ts: datetime) -> str:
    return ts.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def store_history(server: Server, *histories: History) -> None:
    """Insert them as the sink does: chunks of rows with their places in Kafka."""

    async def main() -> None:
        client = await connect(server)
        try:
            for one in histories:
                await _store_one(client, one)
        finally:
            await client.close()

    aside(lambda: asyncio.run(main()))


def aside(call: Callable[[], None]) -> None:
    """Run it in a thread: the browser's driver keeps a loop running in this one."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(call).result()


async def _store_one(client: AsyncClient, history: History) -> None:
    await _store(client, "telemetry.events", EVENTS.columns, history.events)
    await _store(client, "telemetry.dead_letters", DEAD_LETTERS.columns, history.letters)


async def _store(
    client: AsyncClient, table: str, columns: tuple[str, ...], rows: list[Row]
) -> None:
    topic = f"topic-{uuid4()}"
    size = 5_000
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        place = {
            "kafka_cluster": "cluster-1",
            "kafka_topic": topic,
            "kafka_partition": 3,
            "chunk_start": start,
            "chunk_end": start + len(some),
            "chunk_duplicates": 0,
            "chunk_dead": 0,
        }
        numbered = [
            {**one, **place, "kafka_offset": offset} for offset, one in enumerate(some, start=start)
        ]
        if table == "telemetry.events":
            numbered = [
                {**one, "protocol": "native", "time_quality": "as_sent", "request_id": "r-1"}
                for one in numbered
            ]
        await insert(client, table, (*columns, "inserted_at"), numbered, f"{topic}:{start}")
