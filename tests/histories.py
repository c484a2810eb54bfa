"""Histories of devices, made by hand or at random from a seed.

Days are counted from `DAY`, which lies a few weeks back: tables forget what is older than a year.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from gateway.contract.record import EPOCH

DAY = datetime.combine(datetime.now(UTC).date() - timedelta(days=40), datetime.min.time(), UTC)
NO_SESSION = UUID(int=0)


class Happened(Struct, frozen=True, kw_only=True):
    """One event as `events` keeps it; times in UTC, whole milliseconds."""

    event_id: UUID
    app_id: str
    device_id: str = "device-1"
    event_type: str = "app_open"
    event_name: str = ""
    session_id: UUID = NO_SESSION
    app_version: str = "1.0"
    os_name: str = ""
    country: str = ""
    sdk_name: str = ""
    sdk_version: str = ""
    sequence: int = 0
    ts: datetime
    occurred_at: datetime
    received_at: datetime
    inserted_at: datetime
    time_quality: str = "as_sent"
    os_version: str = ""
    device_model: str = ""
    duration_ms: int = 0
    crash_kind: str = ""
    crash_fatal: bool = False
    crash_type: str = ""
    crash_reason: str = ""
    crash_stack: str = ""
    crash_group: int = 0
    crash_group_version: int = 0
    source_event_id: str = ""
    properties: dict[str, str] = {}


def at(days: int = 0, **time: float) -> datetime:
    """That time of the day `days` after DAY: `at(3, hours=23, minutes=55)`."""
    return DAY + timedelta(days=days, **time)


def day(days: int) -> date:
    return at(days).date()


def new_app() -> str:
    return f"app-{uuid4()}"


def event(app_id: str, **changes: object) -> Happened:
    """One event of `app_id` at `ts`, seen two seconds and stored three seconds later."""
    ts = changes.pop("ts", at(10, hours=12))
    assert isinstance(ts, datetime)
    times = {
        "ts": ts,
        "occurred_at": ts,
        "received_at": ts + timedelta(seconds=2),
        "inserted_at": ts + timedelta(seconds=3),
    }
    return msgspec.convert(
        {"event_id": uuid4(), "app_id": app_id, **times, **changes}, Happened, strict=True
    )


def random_history(seed: int, app_ids: Sequence[str]) -> list[Happened]:
    """Some weeks of a few devices per app, in the order in which they arrived."""
    random = Random(seed)
    found: list[Happened] = []
    for app_id in app_ids:
        for number in range(8):
            found += _device(random, app_id, f"device-{number}")
    return sorted(found, key=lambda one: one.received_at)


def _device(random: Random, app_id: str, device_id: str) -> list[Happened]:
    """Sessions over some weeks, with an update now and then; some devices count their events."""
    found: list[Happened] = []
    counts = random.random() < 0.7
    os_name = random.choice(("ios", "android"))
    sdk_version = random.choice(("1.0", "1.1"))
    countries: dict[date, str] = defaultdict(lambda: random.choice(("", "DE", "DE", "FR")))
    release = 0
    for days in range(20):
        for _ in range(random.choice((0, 0, 1, 2))):
            release += random.random() < 0.1
            minute = 1435 if random.random() < 0.25 else random.randrange(1440)
            start = at(days, minutes=minute, milliseconds=random.randrange(60_000))
            for one in _session(random, start):
                found.append(
                    msgspec.structs.replace(
                        one,
                        app_id=app_id,
                        device_id=device_id,
                        app_version=f"1.{release}",
                        os_name=os_name,
                        country=countries[one.ts.date()],
                        sdk_name="sdk",
                        sdk_version=sdk_version,
                        sequence=len(found) + 1 if counts else 0,
                    )
                )
    return found


def _session(random: Random, ts: datetime) -> list[Happened]:
    """Opened, some screens, then closed or crashed. It may pass midnight or go on after a week,
    its end may arrive days late, a clock may be wrong, it may have no session id.
    """
    session_id = NO_SESSION if random.random() < 0.1 else UUID(int=random.getrandbits(128))
    pauses = [random.randrange(1, 9) for _ in range(3)]
    if random.random() < 0.1:
        pauses.append(9 * 24 * 60)
    found = [_happened(random, ts, "session_start", session_id)]
    for minutes in pauses:
        ts += timedelta(minutes=minutes, milliseconds=random.randrange(1000))
        found.append(_happened(random, ts, "screen", session_id))
    end = _crash(random) if random.random() < 0.2 else _close(random)
    late = timedelta(days=random.randrange(3))
    last = msgspec.structs.replace(found[-1], **end)
    return [
        *found[:-1],
        msgspec.structs.replace(
            last, received_at=last.received_at + late, inserted_at=last.inserted_at + late
        ),
    ]


def _happened(random: Random, ts: datetime, event_type: str, session_id: UUID) -> Happened:
    is_invalid = random.random() < 0.05
    received_at = ts + timedelta(seconds=2)
    return Happened(
        event_id=UUID(int=random.getrandbits(128)),
        app_id="",
        event_type=event_type,
        session_id=session_id,
        ts=received_at if is_invalid else ts,
        occurred_at=EPOCH if is_invalid else ts,
        received_at=received_at,
        inserted_at=received_at + timedelta(milliseconds=random.randrange(9000)),
        time_quality="invalid" if is_invalid else "as_sent",
    )


def _close(random: Random) -> dict[str, object]:
    return {"event_type": "app_close", "duration_ms": random.randrange(3_600_000)}


def _crash(random: Random) -> dict[str, object]:
    group = random.randrange(1, 4)
    return {
        "event_type": "app_crash",
        "crash_group": group,
        "crash_type": f"Type{group}",
        "crash_reason": f"reason {random.randrange(5)}",
    }
