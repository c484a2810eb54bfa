"""The fetch loop and the rebalances: which partitions are ours, and what is read for each.

Nothing is recovered inside a rebalance callback (no heartbeats run there); nothing is fetched for
a partition before it has recovered; what a rebalance catches in mid-fetch is fetched again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from msgspec import Struct

from gateway.contract.readiness import Lack, Lacks
from gateway.runtime import now_ms
from sinks.deadline import deadline
from sinks.intent import Fenced, GroupOffsets, Pin
from sinks.metrics import Metrics
from sinks.partition import Partition
from sinks.polled import PolledConsumer
from sinks.retry import Interrupted
from sinks.sink import Misconfigured

log = logging.getLogger(__name__)

FETCH_MS = 200
FETCH_SECONDS = 5.0  # aiokafka forgets its own timeout during a rebalance
MOST_TAKEOVERS = 5  # in a minute
IDLE_SECONDS = 0.05

MakePartitions = Callable[[Collection[TopicPartition], Pin], Mapping[TopicPartition, Partition]]


class Stopped(Exception):
    """The sink cannot go on by itself. The text says why, and what to do."""


class FetchRules(Struct, frozen=True):
    """Options of the fetch loop."""

    drain_seconds: float
    stall_seconds: float
    instance: str | None


class Fetcher(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka's base is untyped
    """Owns the partitions' tasks. `run` until stopped."""

    def __init__(
        self,
        rules: FetchRules,
        consumer: PolledConsumer,
        offsets: GroupOffsets,
        make: MakePartitions,
        metrics: Metrics,
        on_ready: Callable[[], None],
    ) -> None:
        self._rules = rules
        self._consumer = consumer
        self._offsets = offsets
        self._make = make
        self._metrics = metrics
        self._on_ready = on_ready
        self._epoch = 0
        self._parts: dict[TopicPartition, Partition] = {}
        self._tasks: dict[TopicPartition, asyncio.Task[None]] = {}
        self._pin: Pin | None = None
        self._takeovers: list[float] = []
        self._failure: Exception | None = None
        self._was_ready = False
        self.last_tick = time.monotonic()

    @property
    def is_ready(self) -> bool:
        """Assigned, and every partition has recovered."""
        return bool(self._parts) and all(one.is_ready for one in self._parts.values())

    def lacks(self) -> Lacks:
        """What of its work it cannot do now."""
        if not self._parts:
            return {Lack.KAFKA: "no partition is assigned"}
        found: dict[Lack, str] = {}
        behind = sum(not one.is_ready for one in self._parts.values())
        if behind:
            found[Lack.RECOVERY] = f"{behind} of {len(self._parts)} partitions are recovering"
        if self._metrics.waiting:
            found[Lack.STORE] = f"it does not take {self._metrics.waiting} chunks"
        return found

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._epoch += 1
        self._metrics.rebalances.inc()
        pin = self._offsets.pin()
        log.info("assigned %d partitions, generation %d", len(assigned), pin.generation)
        self._watch_for_twin(pin)
        for name, part in self._make(assigned, pin).items():
            self._parts[name] = part
            self._tasks[name] = asyncio.create_task(self._tend(part), name=part.label)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Let the chunk in work end; what the buffers hold belongs to the next owner."""
        self._epoch += 1
        await self._end(flush=False)

    async def _end(self, *, flush: bool) -> None:
        parts, tasks = self._parts, list(self._tasks.values())
        self._parts, self._tasks = {}, {}
        for part in parts.values():
            part.stop(flush=flush)
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._rules.drain_seconds)
        for task in late:
            log.warning("%s did not end in time; its recovery will settle it", task.get_name())
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _tend(self, part: Partition) -> None:
        """A partition's task: its end is ordinary, a fence, or the end of the process."""
        try:
            await part.run()
        except Interrupted:
            log.info("%s: stopped; its recovery will settle it", part.label)
        except Fenced as error:
            log.warning("fenced: %s", error)
            self._metrics.fenced.inc()
        except Misconfigured as error:
            self._fail(Stopped(str(error)))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and not task.cancelling():  # none of us did it
                self._fail(Stopped(f"{part.label}: its task was cancelled by a library"))
            raise
        except Exception as error:
            log.exception("%s ended by a bug", part.label)
            self._fail(error)
        finally:
            if self._parts.get(part.name) is part:
                part.is_ready = False

    def _watch_for_twin(self, pin: Pin) -> None:
        """Two processes with one static id take the partitions from each other for ever: exact,
        but hardly getting on. Then the member id changes and the generation does not."""
        before, self._pin = self._pin, pin
        if self._rules.instance is None or before is None:
            return
        if pin.generation != before.generation or pin.member_id == before.member_id:
            return
        now = time.monotonic()
        self._takeovers = [then for then in self._takeovers if now - then < 60] + [now]
        if len(self._takeovers) > MOST_TAKEOVERS:
            self._fail(
                Stopped(
                    f"another process runs with --instance {self._rules.instance} too: "
                    "give each its own"
                )
            )

    def watch_ended(self, task: asyncio.Task[None]) -> None:
        """A watch never ends by itself: without that for pauses none would be over, without that
        for Kafka's leave we would knock for ever."""
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Misconfigured):
            self._fail(Stopped(str(error)))
        elif isinstance(error, Exception):
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error

    async def run(self, stop: asyncio.Event) -> None:
        """Fetch until `stop`, then drain. Raises Stopped, or a bug."""
        while not stop.is_set() and self._failure is None:
            self.last_tick = time.monotonic()
            wanted = [n for n, part in self._parts.items() if part.is_ready and not part.is_full]
            if wanted:
                await self._fetch(wanted)
            else:
                await asyncio.sleep(IDLE_SECONDS)
            self._watch()
        await self._end(flush=self._failure is None)
        if self._failure is not None:
            raise self._failure

    async def _fetch(self, wanted: list[TopicPartition]) -> None:
        epoch = self._epoch
        try:
            async with deadline(FETCH_SECONDS):
                got = await self._consumer.poll(*wanted, timeout_ms=FETCH_MS)
        except TimeoutError:
            return
        except (KafkaError, IllegalStateError) as error:
            log.warning("fetch: %s", str(error) or type(error).__name__)
            await asyncio.sleep(IDLE_SECONDS)
            return
        for name, records in got.items():
            part = self._parts.get(name)
            if part is None or not part.is_ready or not records:
                continue
            if epoch != self._epoch or records[0].offset < part.expect:
                self._refetch(part)  # from before the seek, or after it: nobody can tell
            else:
                part.add(records)

    def _refetch(self, part: Partition) -> None:
        try:
            self._consumer.seek(part.name, part.expect)
        except IllegalStateError:
            log.info("%s is no longer ours", part.label)

    def _watch(self) -> None:
        """Say once when all have recovered; end a process whose fetching has stuck. A partition
        that recovers, is full or has nothing to fetch is not stuck, however long that takes."""
        if not self._was_ready and self.is_ready:
            self._was_ready = True
            self._on_ready()
        now = time.monotonic()
        for name, part in self._parts.items():
            high = self._consumer.highwater(name) if part.is_ready else None
            waiting = 0 if high is None else high - part.expect
            if high is not None:
                self._show_lag(part, high - part.position)
            if waiting <= 0 or part.is_full:
                part.last_progress = now  # it is from now on that fetching could stall
            elif now - part.last_progress > self._rules.stall_seconds:
                self._fail(Stopped(f"{part.label}: {waiting} records wait unfetched"))

    def _show_lag(self, part: Partition, records: int) -> None:
        place = (part.name.topic, str(part.name.partition))
        seconds = 0 if part.oldest_ms is None else (now_ms() - part.oldest_ms) / 1000
        self._metrics.lag_records.labels(*place).set(max(0, records))
        self._metrics.lag_seconds.labels(*place).set(max(0, seconds))
