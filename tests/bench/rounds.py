"""Candidates take turns, so that whatever else the machine does meets them alike."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct
from rich.progress import track
from rich.table import Table

from tests.bench.candidates import Candidate
from tests.bench.generator import CONNECTIONS, Load, body_of, request_of

EVENTS = (1, 10, 50)  # per POST
POSTS = {1: 12_000, 10: 6_000, 50: 2_000}  # per round
NOISY = 1.25  # most to least of one cell: beyond it the machine is too noisy to tell
GOOD = b'"stored":"kafka"'


class Cost(Struct, frozen=True):
    """CPU microseconds per event in each round."""

    rounds: list[float]

    @property
    def middle(self) -> float:
        return statistics.median(self.rounds)

    @property
    def is_noisy(self) -> bool:
        return max(self.rounds) > NOISY * min(self.rounds)

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({min(self.rounds):.2f} to {max(self.rounds):.2f})"


Costs = dict[tuple[str, int], Cost]  # by candidate and events per POST


def measure(
    candidates: Sequence[Candidate],
    rounds: int,
    posts: Mapping[int, int] = POSTS,
    events: Sequence[int] = EVENTS,
) -> tuple[Costs, dict[str, int]]:
    """What each costs, and how many events each said it has kept. One more round goes first and
    warms everything up."""
    found: dict[tuple[str, int], list[float]] = {}
    kept = {one.name: 0 for one in candidates}
    for number in track(range(rounds + 1), "rounds"):
        for size in events:
            for one in candidates:
                with loaded(one, size) as load:
                    load.run(len(_devices()))
                    before = one.cpu_seconds()
                    load.run(posts[size])
                    used = one.cpu_seconds() - before
                kept[one.name] += (posts[size] + len(_devices())) * size
                if number:
                    cost = used * 1e6 / (posts[size] * size)
                    found.setdefault((one.name, size), []).append(cost)
    return {key: Cost(costs) for key, costs in found.items()}, kept


@contextmanager
def loaded(
    candidate: Candidate, events: int, others: Iterator[bytes] | None = None
) -> Iterator[Load]:
    """Connections to a candidate, one for each device, or what is sent over them instead."""
    requests = [request_of(body_of(device, events)) for device in _devices()]
    load = Load(candidate.port, requests, GOOD, others)
    try:
        yield load
    finally:
        load.close()


def _devices() -> range:
    return range(CONNECTIONS)


def table_of(costs: Costs, names: Sequence[str]) -> Table:
    """One row per candidate: its costs, and by what factor they are those of the first."""
    sizes = sorted({size for _, size in costs})
    table = Table("CPU µs per event", *[f"{size} per POST" for size in sizes])
    for name in names:
        cells = []
        for size in sizes:
            cost = costs[name, size]
            ratio = cost.middle / costs[names[0], size].middle
            cells.append(f"{cost}, ratio {ratio:.2f}{' noisy' if cost.is_noisy else ''}")
        table.add_row(name, *cells)
    return table
