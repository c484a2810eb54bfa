"""Metrics that every POST counts: plain numbers, which cost a tenth of a client library's, told to
the registry when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector


class Tally(Collector):
    """A counter with labels. `counts` has one number for each known combination of them."""

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str], known: Iterable[tuple[str, ...]] = ()
    ) -> None:
        """Those in `known` are told also while they are 0, so that one can be alarmed on them."""
        self._name = name.removesuffix("_total")
        self._meaning = meaning
        self._labelnames = tuple(labels)
        self.counts: dict[tuple[str, ...], int] = dict.fromkeys(known, 0)

    def describe(self) -> Iterator[Metric]:
        yield CounterMetricFamily(self._name, self._meaning, labels=self._labelnames)

    def add(self, *labels: str, count: int = 1) -> None:
        self.counts[labels] = self.counts.get(labels, 0) + count

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labelnames)
        for labels, count in self.counts.items():
            family.add_metric(labels, count)
        yield family


class Durations(Collector):
    """A histogram of seconds without labels."""

    def __init__(self, name: str, meaning: str, buckets: Sequence[float]) -> None:
        """`buckets`: their upper bounds, rising."""
        self._name = name
        self._meaning = meaning
        self._bounds = list(buckets)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def describe(self) -> Iterator[Metric]:
        yield HistogramMetricFamily(self._name, self._meaning)

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[Metric]:
        buckets: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip([*map(str, self._bounds), "+Inf"], self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        family = HistogramMetricFamily(self._name, self._meaning)
        family.add_metric([], buckets, self._sum)
        yield family
