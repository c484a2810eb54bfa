"""What an SDK made of a fault server: its POSTs, as they came, against the contract. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

SLACK_SECONDS = 0.05  # that two clocks may differ over a wait
LONG_SECONDS = 60.0  # a wait that need not grow any more
TINY_SECONDS = 0.1  # a wait below it is none
GROWTH = 1.3  # later waits of a run to earlier ones; doubling with jitter has 2 and more
MIN_RUN = 3  # waits in a row that show whether they grow
FINAL = frozenset({400, 413})


class Sent(Struct, frozen=True):
    """An event as it stood in a POST."""

    event_id: str
    sequence: int  # 0: it has none
    digest: str  # of all but its id
    rejected: bool = False  # by the answer

    @property
    def name(self) -> str:
        """What stays the same even where the id does not."""
        return str(self.sequence or self.event_id)


class Seen(Struct, frozen=True, kw_only=True):
    """A POST and what it met."""

    at: float  # its last byte came
    ended: float  # its answer went out, or its connection ended
    device: str
    sent_at: str
    events: tuple[Sent, ...]
    fault: str
    status: int  # 0: no answer
    answered: bool  # the answer went out whole while the client was there
    taken: bool  # its events are kept, or rejected for good
    retry_after: int = 0
    problem: str = ""  # why it is no native POST

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.events)


class Finding(Struct, frozen=True):
    """A row of the report."""

    what: str
    count: int
    is_wrong: bool
    example: str = ""
    is_judged: bool = True  # a count that may have any value is not


Devices = Sequence[Sequence[Seen]]  # POSTs by device, each device's in their order
Check = Callable[[Sequence[Seen]], Iterator[str]]


def judge(posts: Iterable[Seen]) -> list[Finding]:
    """The rows; wrong ones first broke the contract."""
    posts = sorted(posts, key=lambda one: one.at)
    by_device: dict[str, list[Seen]] = defaultdict(list)
    for one in posts:
        by_device[one.device].append(one)
    devices = [*by_device.values()]
    events = {(one.device, event.event_id) for one in posts for event in one.events}
    repeats = sum(len(one.events) for one in posts) - len(events)
    findings = [
        _count_only("devices", len(devices)),
        _count_only("POSTs", len(posts)),
        Finding("events", len(events), is_wrong=not events),
        _count_only("repeated with the same id", repeats),
        _count_only("events without a sequence", _count_unnumbered(posts)),
        _count_only("not delivered when it ended", _count(devices, _pending)),
    ]
    return [
        *findings,
        *(_finding(what, devices, check) for what, check in CHECKS),
        _growth(devices),
    ]


def _count_only(what: str, count: int) -> Finding:
    return Finding(what, count, is_wrong=False, is_judged=False)


def _finding(what: str, devices: Devices, check: Check) -> Finding:
    found = [text for posts in devices for text in check(posts)]
    return Finding(what, len(found), bool(found), found[0] if found else "")


def _count(devices: Devices, check: Check) -> int:
    return sum(1 for posts in devices for _ in check(posts))


def _count_unnumbered(posts: Sequence[Seen]) -> int:
    return len({e.event_id for one in posts for e in one.events if not e.sequence})


def _unreadable(posts: Sequence[Seen]) -> Iterator[str]:
    yield from (one.problem for one in posts if one.problem)


def _settled(posts: Sequence[Seen]) -> set[int]:
    """Sequences of events that were taken, or refused for good when they came alone."""
    return {
        event.sequence
        for one in posts
        for event in one.events
        if one.taken or (one.status in FINAL and len(one.events) == 1)
    }


def _sequences(posts: Sequence[Seen]) -> set[int]:
    return {event.sequence for one in posts for event in one.events if event.sequence}


def _lost(posts: Sequence[Seen]) -> Iterator[str]:
    """A later event was delivered, and this one never: whoever keeps order has let go of it."""
    settled, seen = _settled(posts), _sequences(posts)
    last = max((one for one in settled if one), default=0)
    for sequence in range(min(seen, default=0), last + 1):
        if sequence and sequence not in settled:
            said = "was posted, never delivered" if sequence in seen else "was never posted"
            yield f"sequence {sequence} {said}"


def _pending(posts: Sequence[Seen]) -> Iterator[str]:
    last = max(_settled(posts), default=0)
    yield from (str(one) for one in _sequences(posts) if one > last)


def _changed_ids(posts: Sequence[Seen]) -> Iterator[str]:
    first: dict[object, str] = {}
    for event in (event for one in posts for event in one.events):
        known = first.setdefault(event.sequence or event.digest, event.event_id)
        if known != event.event_id:
            yield f"{known} came again as {event.event_id}"


def _altered(posts: Sequence[Seen]) -> Iterator[str]:
    first: dict[str, str] = {}
    for event in (event for one in posts for event in one.events):
        if first.setdefault(event.event_id, event.digest) != event.digest:
            yield event.event_id


def _inversions(posts: Sequence[Seen]) -> Iterator[str]:
    delivered: set[int] = set()
    highest = 0
    for event in (event for one in posts if one.taken for event in one.events):
        if event.sequence and event.sequence not in delivered:
            delivered.add(event.sequence)
            if event.sequence < highest:
                yield f"sequence {event.sequence} after {highest}"
            highest = max(highest, event.sequence)


def _together(posts: Sequence[Seen]) -> Iterator[str]:
    for one, following in pairwise(posts):
        if following.at < one.ended:
            yield f"{one.ended - following.at:.2f} s before the answer"


def _too_soon(posts: Sequence[Seen]) -> Iterator[str]:
    for one, following in pairwise(posts):
        waited = following.at - one.ended
        if one.answered and waited < one.retry_after - SLACK_SECONDS:
            yield f"after {waited:.2f} s, asked for {one.retry_after}"


def _unsplit(posts: Sequence[Seen]) -> Iterator[str]:
    for one, following in pairwise(posts):
        final = one.answered and one.status in FINAL
        if final and one.events and set(one.names) <= set(following.names):
            yield f"{len(one.events)} events after a {one.status}, then {len(following.events)}"


def _rejected_again(posts: Sequence[Seen]) -> Iterator[str]:
    rejected: set[str] = set()
    for one in posts:
        yield from (name for name in one.names if name in rejected)
        if one.answered:
            rejected |= {event.name for event in one.events if event.rejected}


def _stale(posts: Sequence[Seen]) -> Iterator[str]:
    last: dict[tuple[str, ...], str] = {}
    for one in posts:
        if one.events and last.get(one.names) == one.sent_at:
            yield one.sent_at
        last[one.names] = one.sent_at


CHECKS: tuple[tuple[str, Check], ...] = (
    ("POSTs that are not native ones", _unreadable),
    ("events lost", _lost),
    ("repeated under a changed id", _changed_ids),
    ("changed at a repeat", _altered),
    ("sequence inversions", _inversions),
    ("POSTs beside one in flight", _together),
    ("retries sooner than Retry-After", _too_soon),
    ("batches not split on 413", _unsplit),
    ("rejected events sent again", _rejected_again),
    ("repeats with the sent_at of before", _stale),
)


def _growth(devices: Devices) -> Finding:
    """Waits of failures in a row, later ones against earlier ones, over all runs of all devices."""
    runs = [run for posts in devices for run in _runs(posts) if len(run) >= MIN_RUN]
    flat = [run for run in runs if _late(run) <= GROWTH * _early(run)]
    is_wrong = bool(runs) and sum(map(_late, runs)) <= GROWTH * sum(map(_early, runs))
    example = " ".join(f"{wait:.2f}" for wait in flat[0]) + " s" if flat else ""
    return Finding("retries without growing wait", len(flat), is_wrong, example)


def _early(run: Sequence[float]) -> float:
    return sum(run[: len(run) // 2])


def _late(run: Sequence[float]) -> float:
    return sum(run[-(len(run) // 2) :])


def _runs(posts: Sequence[Seen]) -> Iterator[list[float]]:
    """Waits after failures that asked for none. Nobody saw what was tried while the server took no
    connections, and a long wait is long enough."""
    run: list[float] = []
    for one, following in pairwise(posts):
        if one.answered and (one.status < 400 or one.status in FINAL):
            yield run
            run = []
            continue
        wait = max(0.0, following.at - one.ended)
        if one.fault != "refuse" and not one.retry_after and wait < LONG_SECONDS:
            run.append(wait if wait >= TINY_SECONDS else 0.0)
    yield run
