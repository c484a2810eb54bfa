"""Any store on the loop that fills ClickHouse: the events of `app-events` in blocks, each event
once, over kills, rebalances and outages of the store.

The store brings its own ledger: what it holds tells where the log was, should Kafka forget.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from aiokafka import TopicPartition

from gateway.contract.topics import APP_EVENTS
from sinks.assembly import Assembly, Storage
from sinks.config import SinkConfig
from sinks.consumer import Fetcher, FetchRules
from sinks.health import Condition, told
from sinks.intent import GroupOffsets, Pin
from sinks.kafka_clients import KafkaClients
from sinks.metrics import Metrics
from sinks.partition import Partition
from sinks.pause import Gate, Pause
from sinks.rows import read_event
from sinks.sink import Bad, Ledger, Sink
from sinks.traces_of import traces_of

log = logging.getLogger(__name__)


class Store(Sink, Ledger, Protocol):
    """Takes blocks, and remembers for good which chunks it has: one with the same start is not
    written twice."""


async def run_store(
    config: SinkConfig,
    instance: str | None,
    make_store: Callable[[str], Store],
    stop: asyncio.Event,
    on_ready: Callable[[], None],
) -> None:
    """Hand events to the store of this Kafka cluster until `stop` is set, as the group of `config`.

    Raises KafkaError when Kafka is not there at the start, Misconfigured when it does not let us
    in, Stopped when an operator must act.
    """
    kafka = await KafkaClients.start(config, instance)
    try:
        async with traces_of(config) as traces:
            metrics, condition = Metrics(), Condition()
            metrics.process.watch(condition.lacks)
            offsets = GroupOffsets(kafka.consumer, kafka.admin, config.group)
            assembly = Assembly(config, kafka, offsets, Gate(_NoPauses()), None, metrics, traces)
            store, window = make_store(kafka.cluster), config.dedup_window_offsets
            storage = Storage(read_event, store, store, _Told(), math.inf, window)

            def make(
                assigned: Collection[TopicPartition], pin: Pin
            ) -> dict[TopicPartition, Partition]:
                return {name: assembly.partition(name, pin, storage) for name in assigned}

            rules = FetchRules(config.drain_seconds, config.stall_seconds, instance)
            fetcher = Fetcher(rules, kafka.consumer, offsets, make, metrics, on_ready)
            condition.follow(fetcher)
            kafka.consumer.subscribe([APP_EVENTS.name], listener=fetcher)
            async with told(config.metrics_host, config.metrics_port, metrics, condition, stop):
                allowed = asyncio.create_task(kafka.watch())
                allowed.add_done_callback(fetcher.watch_ended)
                try:
                    await fetcher.run(stop)
                finally:
                    allowed.cancel()
    finally:
        await kafka.close()


class _Told:
    """Records that can never be rows are counted and told here; the ClickHouse sink keeps them in
    `app-events-dead`, once for all readers."""

    async def bury(self, topic: str, partition: int, bad: Sequence[Bad]) -> None:
        for one in bad:
            log.warning("%s-%d at %d: %s", topic, partition, one.record.offset, one.code)


class _NoPauses:
    """A replay into ClickHouse pauses its own sink alone."""

    async def current(self) -> Pause | None:
        return None

    async def end(self, pause_id: str) -> None:
        """There is none."""
