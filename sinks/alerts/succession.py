"""What a process has while it owns the partitions, and how it comes to it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from gateway.runtime import now_ms
from sinks.alerts.kafka import AlertOffsets
from sinks.alerts.outbox import Outbox
from sinks.alerts.rules import Rule
from sinks.alerts.state import Changes, State
from sinks.alerts.state_log import StateLog
from sinks.alerts.stream import Stream
from sinks.deadline import deadline

log = logging.getLogger(__name__)

ASK_SECONDS = 10.0


class Owned:
    """What a process has while it owns the partitions."""

    def __init__(self, state: State, stream: Stream, outbox: Outbox) -> None:
        self.state = state
        self.stream = stream
        self.outbox = outbox
        self.known: dict[TopicPartition, int] = {}  # events below were decided before
        self.position: dict[TopicPartition, int] = {}  # the next offset to see
        self.newest_ms: dict[TopicPartition, int] = {}
        self.committed: dict[TopicPartition, int] = {}
        self.unwritten: Changes = {}
        self.last_progress = time.monotonic()


class Succession:
    """Takes over from whoever had the partitions before."""

    def __init__(
        self,
        rules: Mapping[str, Rule],
        consumer: AIOKafkaConsumer[bytes, bytes],
        offsets: AlertOffsets,
        state_log: StateLog,
        make_outbox: Callable[[State], Outbox],
    ) -> None:
        self._rules = rules
        self._consumer = consumer
        self._offsets = offsets
        self._log = state_log
        self._make_outbox = make_outbox

    async def take_over(self, assigned: Sequence[TopicPartition]) -> Owned:
        """Read what is remembered, and go back as far as events matter that are not.

        Raises KafkaError, OSError, TimeoutError.
        """
        state = await self._log.load()
        is_first = state.born_ms is None
        if is_first:
            state.be_born(now_ms())
            await self._log.append(state.take_changes())
        stream = Stream(self._rules.values(), state)
        owned = Owned(state, stream, self._make_outbox(state))
        for name, (offset, at_ms) in (await self._committed(assigned)).items():
            if is_first or offset < 0:
                owned.known[name] = owned.position[name] = 0
                continue
            owned.known[name] = offset
            owned.newest_ms[name] = at_ms
            owned.position[name] = offset
        if stream.memory_ms:
            await self._go_back(owned, stream.memory_ms)
        log.info("watching; the state is %s", "new" if is_first else "taken over")
        return owned

    async def _committed(
        self, assigned: Sequence[TopicPartition]
    ) -> dict[TopicPartition, tuple[int, int]]:
        """Offset and newest timestamp of each partition; -1 where there is none."""
        async with deadline(ASK_SECONDS):
            found = await self._offsets.fetch(assigned)
        return {name: _progress(found[name].offset, found[name].metadata) for name in assigned}

    async def _go_back(self, owned: Owned, memory_ms: int) -> None:
        """In one request: each waits behind the fetch that the broker holds open."""
        since = {
            name: max(0, at_ms - memory_ms) for name, at_ms in owned.newest_ms.items() if at_ms
        }
        if not since:
            return
        async with deadline(ASK_SECONDS):
            found = await self._consumer.offsets_for_times(since)
        for name, place in found.items():
            if place is not None:
                owned.position[name] = min(owned.position[name], place.offset)


def _progress(offset: int, metadata: str | None) -> tuple[int, int]:
    """A committed offset, and the timestamp that its commit carries; 0 when it carries none."""
    try:
        at_ms = json.loads(metadata or "")["ms"]
    except (ValueError, KeyError, TypeError):
        at_ms = 0
    return offset, at_ms if isinstance(at_ms, int) else 0
