"""Which dead letters go back into `app-events`: decided from the letters alone, before the first
one is sent."""

from __future__ import annotations

from collections import Counter
from datetime import date
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from gateway.contract.topics import APP_EVENTS
from sinks.deadletter import MAX_KEY_BYTES, is_cut
from sinks.letters.letter import Letter, Place

DAY_MS = 24 * 3600 * 1000
EPOCH_DAY = date(1970, 1, 1)
SOURCES = {"door": "gateway", "sink": "sink"}


class Skip(StrEnum):
    """Why a letter that was asked for does not go back."""

    REPLAYED = "replayed_before"
    REPEATED = "repeat"
    OVER_LIMIT = "over_limit"
    DOOR = "rejected_at_the_door"
    FOREIGN = "not_a_record"
    NO_VALUE = "no_value"
    CUT = "cut"
    NO_PARTITION = "no_partition"
    GONE = "gone"
    FAILED = "failed"


MEANINGS = {
    Skip.REPLAYED: "put back by an earlier replay",
    Skip.REPEATED: "says the same as another letter: one of them goes back",
    Skip.OVER_LIMIT: "more than --limit",
    Skip.DOOR: "what a phone sent, maybe cut, and never a record: mend the app that sends it",
    Skip.FOREIGN: f"never was a record of {APP_EVENTS.name}",
    Skip.NO_VALUE: "the record had no value: nothing can come of it",
    Skip.CUT: "the record was too large for a letter: only its beginning is here",
    Skip.NO_PARTITION: f"{APP_EVENTS.name} has no such partition any more",
    Skip.GONE: "Kafka deleted the letter meanwhile",
    Skip.FAILED: "Kafka did not acknowledge it",
}
HARMLESS = {Skip.REPLAYED, Skip.REPEATED, Skip.OVER_LIMIT}  # nothing was asked for in vain


class Wanted(Struct, frozen=True, kw_only=True):
    """What was asked for; None asks for all. Days are UTC, by when a letter came."""

    app: str | None = None
    reason: str | None = None
    source: Literal["door", "sink"] | None = None
    first: date | None = None
    last: date | None = None
    limit: int | None = None  # of letters that go back

    def takes(self, letter: Letter) -> bool:
        """Whether this letter is asked for. A mark never is."""
        says, day = letter.says, letter.timestamp_ms // DAY_MS
        return (
            letter.marks is None
            and (self.app is None or says.app_id == self.app)
            and (self.reason is None or says.code == self.reason)
            and (self.source is None or says.source == SOURCES[self.source])
            and (self.first is None or day >= (self.first - EPOCH_DAY).days)
            and (self.last is None or day <= (self.last - EPOCH_DAY).days)
        )


class Decision(Struct, frozen=True, kw_only=True):
    """What becomes of the letters that were asked for: matched = chosen + skipped."""

    matched: int
    chosen: list[Place]  # in the order of the topic
    skipped: Counter[Skip]


class Plan:
    """Reads every letter once, partition by partition in its order, then knows which go back."""

    def __init__(self, wanted: Wanted, partitions: int) -> None:
        self._wanted = wanted
        self._partitions = partitions
        self._matched = 0
        self._skipped: Counter[Skip] = Counter()
        self._open: dict[Place, bytes] = {}  # letters that could go back, with their origin
        self._marked: set[Place] = set()

    def read(self, letter: Letter) -> None:
        marked = letter.marks
        if marked is not None:
            self._marked.add(marked)
        elif self._wanted.takes(letter):
            self._matched += 1
            reason = self._unfit(letter)
            if reason is None:
                self._open[letter.place] = letter.origin
            else:
                self._skipped[reason] += 1

    def _unfit(self, letter: Letter) -> Skip | None:
        says = letter.says
        if says.source == SOURCES["door"]:
            return Skip.DOOR
        if says.source != SOURCES["sink"] or says.origin_topic != APP_EVENTS.name:
            return Skip.FOREIGN
        if not 0 <= says.origin_partition < self._partitions:
            return Skip.NO_PARTITION
        if not letter.value:
            return Skip.NO_VALUE
        if is_cut(letter.value, says) or len(letter.key or b"") >= MAX_KEY_BYTES:
            return Skip.CUT
        return None

    def close(self) -> Decision:
        """Every letter was read: what becomes of those that were asked for."""
        skipped = self._skipped.copy()
        done = {self._open[place] for place in self._marked if place in self._open}
        chosen: list[Place] = []
        for place, origin in sorted(self._open.items()):
            if origin in done:
                skipped[Skip.REPLAYED if place in self._marked else Skip.REPEATED] += 1
            elif self._wanted.limit is not None and len(chosen) >= self._wanted.limit:
                skipped[Skip.OVER_LIMIT] += 1
            else:
                done.add(origin)
                chosen.append(place)
        return Decision(matched=self._matched, chosen=chosen, skipped=skipped)
