"""The ledger against one place where events lie, Kafka or ClickHouse. Pure.

All events of a device are judged together, so any share of the devices can be judged at a time and
the findings added up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from loadtest.ledger import Entry

EXAMPLES = 5  # names kept of each kind of finding

NOTHING: frozenset[str] = frozenset()


class Seen(Struct, frozen=True, array_like=True, gc=False):
    """One record in Kafka, or one row in ClickHouse."""

    device_id: str
    event_id: str
    sequence: int
    partition: int
    offset: int
    digest: str


class Found(Struct):
    """How many of one kind, and the names of the first few."""

    count: int = 0
    examples: list[str] = []

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(name)

    def merge(self, other: Found) -> None:
        self.count += other.count
        self.examples = [*self.examples, *other.examples][:EXAMPLES]


class Place(Struct, kw_only=True):
    """What was found in one place. `inverted` counts devices, everything else events."""

    lost: Found
    duplicated: Found  # more than one row; in Kafka copies are as they should be
    inverted: Found  # first copies in another order than acknowledged
    altered: Found  # says something else than what was sent
    never_sent: Found  # or sent and turned away
    dead_lettered: Found  # accepted, and put aside by the sink: explained, hence not wrong

    @classmethod
    def clean(cls) -> Place:
        return cls(**{name: Found() for name in cls.__struct_fields__})

    @property
    def is_clean(self) -> bool:
        wrong = (self.lost, self.duplicated, self.inverted, self.altered, self.never_sent)
        return not any(one.count for one in wrong)

    def merge(self, other: Place) -> None:
        for name in self.__struct_fields__:
            getattr(self, name).merge(getattr(other, name))


class Told:
    """What some devices sent and were told: per event, and per device in its order."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.accepted: dict[str, dict[str, None]] = {}
        self.devices: set[str] = set()
        self._events: dict[tuple[str, str], _Event] = {}
        for one in entries:
            event = self._events.setdefault((one.device_id, one.event_id), _Event())
            self.devices.add(one.device_id)
            event.digest = event.digest or one.digest
            event.has_answer |= one.outcome != "posted"
            event.may_be_kept |= one.outcome in ("accepted", "duplicate", "unanswered")
            if one.outcome == "accepted":
                self.accepted.setdefault(one.device_id, {}).setdefault(one.event_id)

    def accepted_events(self) -> int:
        return sum(len(events) for events in self.accepted.values())

    def explains(self, device_id: str, event_id: str) -> bool:
        """Whether some try may have brought this event where it is."""
        event = self._events.get((device_id, event_id))
        return event is not None and (event.may_be_kept or not event.has_answer)

    def is_altered(self, seen: Seen) -> bool:
        event = self._events.get((seen.device_id, seen.event_id))
        return event is not None and bool(event.digest) and event.digest != seen.digest

    def missing(self, seen: Iterable[Seen]) -> list[str]:
        """Accepted events that were not seen."""
        there = {(one.device_id, one.event_id) for one in seen}
        return [
            event_id
            for device_id, events in self.accepted.items()
            for event_id in events
            if (device_id, event_id) not in there
        ]


class _Event(Struct, gc=False):
    digest: str = ""
    has_answer: bool = False
    may_be_kept: bool = False


def judge(
    told: Told,
    seen: Iterable[Seen],
    *,
    copies_are_wrong: bool,
    put_aside: frozenset[str] = NOTHING,
) -> Place:
    """Judge everything that was seen of the devices of `told`; of other devices nothing is said.

    `put_aside` are ids of events that a sink could not store.
    """
    place = Place.clean()
    first: dict[str, dict[str, Seen]] = {device: {} for device in told.devices}
    copied: dict[tuple[str, str], None] = {}
    altered: dict[tuple[str, str], None] = {}
    for one in sorted(seen, key=lambda one: one.offset):
        device = first.get(one.device_id)
        if device is None:
            continue
        if one.event_id in device:
            copied[one.device_id, one.event_id] = None
        device.setdefault(one.event_id, one)
        if told.is_altered(one):
            altered[one.device_id, one.event_id] = None
    for device_id, events in told.accepted.items():
        _judge_accepted(place, list(events), first[device_id], put_aside)
        if not _is_in_order(list(events), first[device_id]):
            place.inverted.add(device_id)
    for _, event_id in copied if copies_are_wrong else ():
        place.duplicated.add(event_id)
    for _, event_id in altered:
        place.altered.add(event_id)
    for device_id, device in first.items():
        for event_id in device:
            if not told.explains(device_id, event_id):
                place.never_sent.add(event_id)
    return place


def _judge_accepted(
    place: Place, events: Sequence[str], first: Mapping[str, Seen], put_aside: frozenset[str]
) -> None:
    for event_id in events:
        if event_id not in first:
            found = place.dead_lettered if event_id in put_aside else place.lost
            found.add(event_id)


def _is_in_order(events: Sequence[str], first: Mapping[str, Seen]) -> bool:
    """Acknowledged one after another means: in one partition, at rising offsets; and what the
    phone counted rises with them."""
    there = [first[one] for one in events if one in first]
    counted = [one.sequence for one in there if one.sequence]
    return (
        len({one.partition for one in there}) <= 1
        and all(one.offset < later.offset for one, later in pairwise(there))
        and all(one < later for one, later in pairwise(counted))
    )
