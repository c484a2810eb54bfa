"""Where a partition goes on: from its committed intent, or, when Kafka has none, from the rows."""

from __future__ import annotations

import logging
from typing import Protocol

from aiokafka import TopicPartition
from msgspec import Struct

from sinks.intent import Committed
from sinks.metrics import Metrics
from sinks.sink import Ledger, Misconfigured

log = logging.getLogger(__name__)


class Resume(Struct, frozen=True):
    """Fetch from `offset`; with `end`, store [offset, end) again first."""

    offset: int
    end: int | None


class LogBounds(Protocol):
    async def bounds(self, partition: TopicPartition) -> tuple[int, int]: ...

    async def event_id_at(self, partition: TopicPartition, offset: int) -> str | None: ...


async def resume_at(
    name: TopicPartition,
    committed: Committed,
    ledger: Ledger,
    kafka_log: LogBounds,
    token_seconds: float,
    metrics: Metrics,
) -> Resume:
    """Decide. Raises Misconfigured when log and rows do not belong together, Retryable."""
    first, end_of_log = await kafka_log.bounds(name)
    await _check_same_log(name, ledger, kafka_log, first, end_of_log)
    resume = await _announced(name, committed, ledger)
    offset = max(resume.offset, 0)
    if resume.end is None:
        if offset < first:
            _lost(name, first - offset, metrics)
        return Resume(max(offset, first), None)
    stored = await ledger.find(name.topic, name.partition, offset)
    if stored is not None and stored.age_seconds > token_seconds:
        log.error("%s: chunk %d-%d is stored; its views may lack it", name, offset, resume.end)
        metrics.views_may_lack_chunk.inc()
        return Resume(resume.end, None)
    if offset < first:
        if stored is not None:
            return Resume(resume.end, None)
        _lost(name, min(first, resume.end) - offset, metrics)
        return Resume(first, None)
    return Resume(offset, resume.end)


async def _announced(name: TopicPartition, committed: Committed, ledger: Ledger) -> Resume:
    """The chunk in flight by our own metadata; else the newest one that the rows know."""
    if committed.is_ours:
        return Resume(committed.offset, committed.end)
    newest = await ledger.newest(name.topic, name.partition, committed.offset)
    if newest is not None and newest.end > committed.offset:
        return Resume(newest.start, newest.end)
    return Resume(committed.offset, None)


async def _check_same_log(
    name: TopicPartition, ledger: Ledger, kafka_log: LogBounds, first: int, end_of_log: int
) -> None:
    """A topic made anew inside one cluster begins at 0 again: old rows would shadow its records."""
    last = await ledger.last_row(name.topic, name.partition)
    if last is None:
        return
    offset, event_id = last
    if offset >= end_of_log:
        raise Misconfigured(
            f"{name.topic}-{name.partition}: ClickHouse holds offset {offset}, but the log ends at "
            f"{end_of_log}: the topic was made anew. Use another topic name, or empty the tables"
        )
    if offset < first:
        return
    found = await kafka_log.event_id_at(name, offset)
    if found is not None and found.lower() != event_id.lower():
        raise Misconfigured(
            f"{name.topic}-{name.partition}: offset {offset} holds another event than its row: "
            "the topic was made anew. Use another topic name, or empty the tables"
        )


def _lost(name: TopicPartition, count: int, metrics: Metrics) -> None:
    log.error("%s: %d offsets were deleted by Kafka before they were stored", name, count)
    metrics.lost_offsets.labels(name.topic).inc(count)
