"""The loop of the process that owns all partitions: see, decide, write, send, commit.

Alerts and what is remembered of them are written to Kafka before the offsets of the events they
come from are committed; so a restart decides again what was not written, and nothing that was.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection, Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import ConsumerRecord

from gateway.contract.readiness import Lack, Lacks
from gateway.runtime import now_ms
from sinks.alerts.alert import Finding
from sinks.alerts.decide import sum_up, tell_while
from sinks.alerts.happening import read
from sinks.alerts.kafka import AlertOffsets
from sinks.alerts.metrics import Metrics
from sinks.alerts.rules import Rule, TimerRule
from sinks.alerts.state import settled
from sinks.alerts.state_log import StateLog
from sinks.alerts.succession import Owned, Succession
from sinks.alerts.timers import Timers
from sinks.consumer import Stopped
from sinks.deadline import deadline
from sinks.intent import Fenced, Pin

log = logging.getLogger(__name__)

FETCH_MS = 200
FETCH_SECONDS = 5.0  # getmany forgets its own timeout during a rebalance
ASK_SECONDS = 10.0
IDLE_SECONDS = 0.05
RETRY_SECONDS = 1.0
COMMIT_SECONDS = 1.0
STALL_SECONDS = 60.0  # records waiting, none fetched: the process ends
CLOSE_SECONDS = 20.0  # for a try at work to end at a stop
REBALANCE_SECONDS = 5.0  # and when others take over


class Watch(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka's base is untyped
    """`run` until stopped."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        consumer: AIOKafkaConsumer[bytes, bytes],
        offsets: AlertOffsets,
        state_log: StateLog,
        timers: Timers,
        succession: Succession,
        metrics: Metrics,
        on_ready: Callable[[], None],
    ) -> None:
        self._rules = rules
        self._consumer = consumer
        self._offsets = offsets
        self._log = state_log
        self._timers = timers
        self._succession = succession
        self._metrics = metrics
        self._on_ready = on_ready
        self._was_ready = False
        self._epoch = 0
        self._assigned: list[TopicPartition] = []
        self._pin: Pin | None = None
        self._owned: Owned | None = None
        self._looking: asyncio.Task[list[tuple[TimerRule, Finding]]] | None = None
        self._commit_at = 0.0
        self.last_tick = time.monotonic()

    @property
    def is_ready(self) -> bool:
        """It watches, or stands by for the one that does."""
        return self._pin is not None and (self._owned is not None or not self._assigned)

    def lacks(self) -> Lacks:
        if self._pin is None:
            return {Lack.KAFKA: "the group has not let it in yet"}
        return {} if self.is_ready else {Lack.RECOVERY: "it takes over what was remembered"}

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._epoch += 1
        self._assigned = sorted(assigned)
        self._pin = self._offsets.pin()
        log.info("assigned %d partitions", len(assigned))

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self._epoch += 1
        self._assigned = []

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`. Raises Stopped, or a bug."""
        epoch = -1
        try:
            while not stop.is_set():
                self.last_tick = time.monotonic()
                if epoch != self._epoch:
                    await self._let_go()
                    epoch = self._epoch
                try:
                    await self._step(epoch)
                except Fenced as error:
                    log.warning("fenced: %s", error)
                    self._metrics.fenced.inc()
                    await self._let_go()
                    self._assigned = []
                except (KafkaError, IllegalStateError, OSError, TimeoutError) as error:
                    log.warning("Kafka: %s", str(error) or type(error).__name__)
                    await self._pause(stop, RETRY_SECONDS)
        finally:
            await self._drain()

    async def _pause(self, stop: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            return

    async def _step(self, epoch: int) -> None:
        pin = self._pin
        if pin is not None and self._assigned and self._owned is None:
            owned = await self._succession.take_over(self._assigned)
            if epoch != self._epoch:
                return
            for name, position in owned.position.items():
                self._consumer.seek(name, position)
            self._owned = owned
            owned.outbox.wake()
        if self.is_ready and not self._was_ready:
            self._was_ready = True
            self._on_ready()
        if self._owned is None or pin is None:
            await asyncio.sleep(IDLE_SECONDS)
            return
        await self._round(self._owned, pin, epoch)

    async def _round(self, owned: Owned, pin: Pin, epoch: int) -> None:
        async with deadline(FETCH_SECONDS):
            got = await self._consumer.getmany(timeout_ms=FETCH_MS)
        if epoch != self._epoch:
            return
        for name, records in got.items():
            self._see(owned, name, records)
        self._look(owned)
        for alert in sum_up(self._rules, owned.state, now_ms()):
            self._metrics.alerts.labels(alert.rule).inc()
        await self._write(owned)
        owned.outbox.wake()
        owned.outbox.check()
        await self._commit(owned, pin)

    def _see(
        self, owned: Owned, name: TopicPartition, records: list[ConsumerRecord[bytes, bytes]]
    ) -> None:
        counts = {"seen": 0, "learned": 0, "unreadable": 0}
        known = owned.known.get(name, 0)
        for record in records:
            one = read(record.value)
            is_known = record.offset < known
            counts["unreadable" if one is None else "learned" if is_known else "seen"] += 1
            if one is not None:
                for alert in owned.stream.see(one, now_ms(), is_known=is_known):
                    self._metrics.alerts.labels(alert.rule).inc()
        if records:
            owned.last_progress = time.monotonic()
            owned.position[name] = records[-1].offset + 1
            owned.newest_ms[name] = max(owned.newest_ms.get(name, 0), records[-1].timestamp)
        for outcome, count in counts.items():
            self._metrics.records.labels(outcome).inc(count)

    def _look(self, owned: Owned) -> None:
        """ClickHouse is asked beside the loop, which never waits for it."""
        if self._looking is None and self._timers.are_due():
            self._looking = asyncio.create_task(self._timers.look(now_ms()))
        if self._looking is None or not self._looking.done():
            return
        found = self._looking.result()
        self._looking = None
        for rule, finding in found:
            alert = tell_while(rule, finding, owned.state, now_ms())
            if alert is not None:
                self._metrics.alerts.labels(alert.rule).inc()

    async def _write(self, owned: Owned) -> None:
        owned.unwritten |= owned.state.take_changes()
        await self._log.append(owned.unwritten)
        owned.unwritten = {}

    async def _commit(self, owned: Owned, pin: Pin, *, is_last: bool = False) -> None:
        """What is read again after a restart is committed already."""
        if time.monotonic() < self._commit_at and not is_last:
            return
        self._commit_at = time.monotonic() + COMMIT_SECONDS
        lag = 0
        for name, position in owned.position.items():
            lag += max(0, (self._consumer.highwater(name) or 0) - position)
            if position > max(owned.committed.get(name, 0), owned.known.get(name, 0)):
                metadata = json.dumps({"ms": owned.newest_ms.get(name, 0)})
                async with deadline(ASK_SECONDS):
                    await self._offsets.commit(name, pin, position, metadata)
                owned.committed[name] = position
        self._metrics.lag_records.set(lag)
        if not lag:
            owned.last_progress = time.monotonic()
        elif time.monotonic() - owned.last_progress > STALL_SECONDS:
            raise Stopped(f"{lag} records wait unfetched")

    async def _let_go(self) -> None:
        """Somebody else may have the partitions now; what was sent is told to them."""
        owned, self._owned = self._owned, None
        if owned is None:
            return
        await owned.outbox.close(REBALANCE_SECONDS)
        try:
            await self._log.append(settled(owned.unwritten | owned.state.take_changes()))
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("what was sent may be sent again: %s", str(error) or type(error).__name__)

    async def _drain(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        owned, pin = self._owned, self._pin
        if owned is None or pin is None:
            return
        await owned.outbox.close(CLOSE_SECONDS)
        try:
            await self._write(owned)
            await self._commit(owned, pin, is_last=True)
        except (Fenced, KafkaError, IllegalStateError, OSError, TimeoutError) as error:
            log.warning("the last state is not written: %s", str(error) or type(error).__name__)
