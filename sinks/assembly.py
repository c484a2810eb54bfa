"""What the partitions of one process share, and how each of them is put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiokafka import TopicPartition
from msgspec import Struct

from sinks.brake import Brake
from sinks.buffer import CutRule, Memory, Pace
from sinks.chunk_writer import ChunkTraces, ChunkWriter, Graveyard
from sinks.config import SinkConfig
from sinks.intent import GroupOffsets, Pin
from sinks.kafka_clients import KafkaClients, reach
from sinks.kafka_log import KafkaLog
from sinks.metrics import Metrics
from sinks.partition import Partition, Parts
from sinks.pause import Gate
from sinks.recovery import Recovery
from sinks.retry import Patience, chances
from sinks.sink import Bad, Ledger, Polled, Row, Sink

CHUNKS_AT_WORK = 2  # a chunk at work takes several times its bytes; more at once are no faster
LEAST_AGE_SECONDS = 1.0


class Storage(Struct, frozen=True):
    """How the records of one topic become rows, and where they go."""

    read: Callable[[Polled], Row | Bad]
    sink: Sink
    ledger: Ledger
    graveyard: Graveyard
    token_seconds: float  # how long the sink surely remembers a token
    window_offsets: int


class Assembly:
    """Puts partitions together; all of them have one memory, one log and one gate."""

    def __init__(
        self,
        config: SinkConfig,
        kafka: KafkaClients,
        offsets: GroupOffsets,
        gate: Gate,
        pace: Pace | None,
        metrics: Metrics,
        traces: ChunkTraces | None,
    ) -> None:
        self.metrics = metrics
        self.traces = traces
        self._config = config
        self._cluster = kafka.cluster
        self._offsets = offsets
        self._gate = gate
        self._pace = pace
        self._memory = Memory(config.buffer_bytes)
        self._at_work = asyncio.Semaphore(CHUNKS_AT_WORK)
        seconds = config.kafka_request_timeout_ms / 1000
        self._log = KafkaLog(kafka.consumer, kafka.admin, reach(config), seconds)

    def partition(self, name: TopicPartition, pin: Pin, storage: Storage) -> Partition:
        config = self._config
        patience = Patience(chances())
        writer = ChunkWriter(
            storage.read,
            storage.sink,
            storage.graveyard,
            Brake(config.brake_dead_letters, config.brake_percent),
            self.metrics,
            patience,
            self.traces,
        )
        recovery = Recovery(
            storage.ledger, self._log, self._cluster, storage.token_seconds, self.metrics
        )
        parts = Parts(
            cluster=self._cluster,
            offsets=self._offsets,
            ledger=storage.ledger,
            kafka_log=self._log,
            recovery=recovery,
            writer=writer,
            patience=patience,
            memory=self._memory,
            pace=self._pace,
            gate=self._gate,
            at_work=self._at_work,
            metrics=self.metrics,
            clock=time.monotonic,
        )
        age = config.chunk_age_seconds or LEAST_AGE_SECONDS
        cut = CutRule(config.chunk_rows, config.chunk_bytes, age)
        return Partition(name, pin, parts, cut, storage.window_offsets)
