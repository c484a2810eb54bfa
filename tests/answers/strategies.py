"""Small random histories in which what is rare happens often: sessions at midnight and at the edge
of the gap, closes without opens, crashes told days later, two releases in one session, numbers that
repeat, go back, or are missing.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import NAMESPACE_OID, UUID, uuid5

from hypothesis import strategies as st
from msgspec import Struct

from tests.histories import NO_SESSION, Happened, at
from tests.model import Filter

TYPES = (
    "app_open", "session_start", "screen", "track", "app_close", "session_end", "app_crash",
)  # fmt: skip
NAMES = ("", "home", "buy")
RELEASES = ("1.0", "1.1")
PLATFORMS = ("ios", "android")
COUNTRIES = ("", "DE", "FR")
DAYS = 4
GAPS = (0, 30, 3600)
MOMENTS_MS = (
    0, 1, 29_999, 30_000, 30_001, 60_000, 3_600_000, 43_200_000, 86_370_000, 86_399_999,
)  # fmt: skip
STEPS = (("app_open", "buy"), ("screen", "buy", "app_close"), ("home", "track", "app_crash"))


class Asked(Struct, frozen=True, kw_only=True):
    """One history and what is asked about it. Events have the app id "" until they are stored."""

    events: tuple[Happened, ...]
    first: int  # day
    last: int
    filter: Filter
    steps: tuple[str, ...]
    seconds: int
    gap: int


class Batch(Struct, frozen=True):
    """Histories that are stored together."""

    asked: list[Asked]

    def __repr__(self) -> str:
        return f"{len(self.asked)} histories"  # hypothesis shows it, and it is large


def batches(size: int) -> st.SearchStrategy[Batch]:
    return st.builds(Batch, st.lists(histories(), min_size=size, max_size=size))


@st.composite
def histories(draw: st.DrawFn) -> Asked:
    """In the order in which the events arrived."""
    platforms = [draw(st.sampled_from(PLATFORMS)) for _ in range(3)]
    countries = [draw(st.sampled_from(COUNTRIES)) for _ in range(3 * (DAYS + 1))]
    events = [draw(_events(platforms, countries)) for _ in range(draw(st.integers(1, 14)))]
    first = draw(st.integers(0, DAYS - 1))
    return Asked(
        events=tuple(sorted(events, key=lambda one: one.received_at)),
        first=first,
        last=first + draw(st.integers(0, DAYS)),
        filter=Filter(
            draw(st.sampled_from(("", *RELEASES))),
            draw(st.sampled_from(("", *PLATFORMS))),
            draw(st.sampled_from(COUNTRIES)),
        ),
        steps=draw(st.sampled_from(STEPS)),
        seconds=draw(st.sampled_from((1, 30, 86_400))),
        gap=draw(st.sampled_from(GAPS)),
    )


@st.composite
def _events(draw: st.DrawFn, platforms: list[str], countries: list[str]) -> Happened:
    device = draw(st.integers(0, 2))
    session = draw(st.integers(-1, 2))
    days = draw(st.integers(0, DAYS - 1))
    ts = at(days, milliseconds=draw(st.sampled_from(MOMENTS_MS)))
    event_type = draw(st.sampled_from(TYPES))
    late = timedelta(days=draw(st.sampled_from((0, 0, 0, 1, 3))))
    received_at = ts + late + timedelta(milliseconds=draw(st.integers(1, 5)) * 100)
    is_crash = event_type == "app_crash"
    return Happened(
        event_id=draw(st.uuids()),
        app_id="",
        device_id=f"device-{device}",
        event_type=event_type,
        event_name=draw(st.sampled_from(NAMES)) if event_type in ("screen", "track") else "",
        # -1: an event outside of sessions, or of an SDK without them
        session_id=NO_SESSION if session < 0 else uuid5(NAMESPACE_OID, f"{device}/{session}"),
        app_version=draw(st.sampled_from(RELEASES)),
        os_name=platforms[device],
        # of one place a day, which some events do not tell
        country=draw(st.sampled_from(("", countries[device * DAYS + days]))),
        sdk_name="sdk",
        sdk_version=draw(st.sampled_from(("1", "2"))),
        sequence=draw(st.integers(0, 7)),
        ts=ts,
        occurred_at=ts,
        received_at=received_at,
        inserted_at=received_at + timedelta(milliseconds=draw(st.integers(0, 9)) * 250),
        duration_ms=draw(st.sampled_from((0, 45_000))) if event_type == "app_close" else 0,
        crash_group=draw(st.integers(1, 2)) if is_crash else 0,
        crash_type="Type" if is_crash else "",
        crash_reason="reason" if is_crash else "",
    )


def of_app(asked: Asked, app_id: str) -> list[Happened]:
    """The events as those of that app; ids are its own, so that apps do not meet."""
    return [
        Happened(
            **{
                **{name: getattr(one, name) for name in one.__struct_fields__},
                "app_id": app_id,
                "event_id": uuid5(one.event_id, app_id),
                "session_id": _own(one.session_id, app_id),
            }
        )
        for one in asked.events
    ]


def _own(session_id: UUID, app_id: str) -> UUID:
    return session_id if session_id == NO_SESSION else uuid5(session_id, app_id)
