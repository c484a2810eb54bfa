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
    is_old: bool = False  # its token may be forgotten: store only what is missing


class PartitionLog(Protocol):
    """A partition's log, as far as recovery must know it."""

    async def cluster(self) -> str:
        """The id of the Kafka cluster. Raises Retryable."""

    async def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """(first kept offset, end offset). Raises Retryable."""

    async def event_id_at(self, partition: TopicPartition, offset: int) -> str | None:
        """The event id of the record at `offset`; None when it is gone or has none.

        Raises Retryable.
        """

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Fetch from `offset` on; what was fetched before is dropped. Raises Fenced."""


class Recovery:
    """Decides for the partitions of one table in one Kafka cluster."""

    def __init__(
        self,
        ledger: Ledger,
        kafka_log: PartitionLog,
        cluster: str,
        token_seconds: float,
        metrics: Metrics,
    ) -> None:
        self._ledger = ledger
        self._log = kafka_log
        self._cluster = cluster
        self._token_seconds = token_seconds
        self._metrics = metrics

    async def resume_at(self, name: TopicPartition, committed: Committed) -> Resume:
        """Raises Misconfigured when log and rows do not belong together, Retryable."""
        first, end_of_log = await self._log.bounds(name)
        await self._check_same_cluster()
        await self._check_same_log(name, first, end_of_log)
        await self._check_complete(name, committed, first)
        announced = await self._announced(name, committed)
        offset = max(announced.offset, 0)
        if announced.end is None:
            if announced.offset >= 0:
                self._count_lost(name, first - offset)
            return Resume(max(offset, first), None)
        stored = await self._ledger.find(name.topic, name.partition, offset)
        if offset < first:  # the chunk cannot be read whole any more
            if stored is not None:
                return Resume(max(announced.end, first), None)
            self._count_lost(name, first - offset)
            return Resume(first, None)
        is_old = stored is not None and stored.age_seconds > self._token_seconds
        if is_old:
            log.error("%s: chunk %d-%d is stored, its token perhaps forgotten: its views may "
                      "lack it", _label(name), offset, announced.end)  # fmt: skip
            self._metrics.views_may_lack_chunk.inc()
        return Resume(offset, announced.end, is_old)

    async def _announced(self, name: TopicPartition, committed: Committed) -> Resume:
        """The chunk in flight by our own metadata; else the newest one that the rows know."""
        if committed.is_ours:
            return Resume(committed.offset, committed.end)
        newest = await self._ledger.newest(name.topic, name.partition, committed.offset)
        if newest is not None and newest.end > committed.offset:
            return Resume(newest.start, newest.end)
        return Resume(committed.offset, None)

    async def _check_same_cluster(self) -> None:
        """A broker wiped under a running sink begins at offset 0 again, under another id."""
        found = await self._log.cluster()
        if found != self._cluster:
            raise Misconfigured(
                f"Kafka's cluster id was {self._cluster} when this sink started and is {found} "
                "now: start the sink again, it will store the new cluster's log from its beginning"
            )

    async def _check_same_log(self, name: TopicPartition, first: int, end_of_log: int) -> None:
        """A topic made anew inside one cluster begins at 0 again: old rows would shadow its
        records."""
        last = await self._ledger.last_row(name.topic, name.partition)
        if last is None:
            return
        offset, event_id = last
        if offset >= end_of_log:
            raise Misconfigured(
                f"{_label(name)}: ClickHouse holds offset {offset}, but the log "
                f"ends at {end_of_log}: the topic was made anew. Use another topic name, or empty "
                "the tables"
            )
        if offset < first or not event_id:
            return
        found = await self._log.event_id_at(name, offset)
        if found is not None and found.lower() != event_id.lower():
            raise Misconfigured(
                f"{_label(name)}: offset {offset} holds another event than its "
                "row: the topic was made anew. Use another topic name, or empty the tables"
            )

    async def _check_complete(self, name: TopicPartition, committed: Committed, first: int) -> None:
        """Kafka says that everything before its offset is stored; tables from a backup may not."""
        if not committed.is_ours or committed.offset <= first:
            return
        before = committed.offset - 1
        if await self._ledger.newest(name.topic, name.partition, before) is None:
            log.error("%s: offsets before %d were acknowledged, but ClickHouse does not have the "
                      "last of them: are its tables from a backup? Reset the group's offset to "
                      "store them again", _label(name), committed.offset)  # fmt: skip
            self._metrics.missing_chunks.labels(name.topic).inc()

    def _count_lost(self, name: TopicPartition, count: int) -> None:
        if count > 0:
            log.error("%s: Kafka deleted %d offsets before they were stored", _label(name), count)
            self._metrics.lost_offsets.labels(name.topic).inc(count)


def _label(name: TopicPartition) -> str:
    return f"{name.topic}-{name.partition}"
