"""Commits to Kafka that a stale owner cannot make, and the chunk intents they carry.

aiokafka's own `commit()` takes generation and member id when it sends; after a lost heartbeat
they are empty, which the broker accepts, and a thawed owner moves the group's offsets back. So a
commit is pinned to the pair of its assignment. This is the one place that leans on private
attributes of aiokafka's consumer; the version is pinned and a contract test names them.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
    for_code,
)
from aiokafka.protocol.commit import OffsetCommitRequest
from msgspec import Struct

from sinks.deadline import deadline

VERSION = 1
IDLE = json.dumps({"v": VERSION}, separators=(",", ":"))
NO_RETENTION = -1
FENCING = (UnknownMemberIdError, IllegalGenerationError, RebalanceInProgressError)
RETRY_SECONDS = 0.1
COMMIT_SECONDS = 10.0


class Pin(Struct, frozen=True):
    """The epoch of one assignment: a static member's replacement keeps the generation, so both."""

    generation: int
    member_id: str


class Committed(Struct, frozen=True):
    """A partition's committed offset. `end` is the intent's; `is_ours` means our metadata."""

    offset: int  # -1: none
    end: int | None
    is_ours: bool


class Fenced(Exception):
    """Another owner has the partition: stop, and let recovery settle it."""


def intent_metadata(end: int) -> str:
    """The metadata that announces the chunk [committed offset, end)."""
    return json.dumps({"v": VERSION, "end": end}, separators=(",", ":"))


def paused_metadata(pause_id: str) -> str:
    """The metadata of a partition that stores nothing beyond the committed offset until the pause
    is over. To recovery it is a commit with nothing in flight."""
    return json.dumps({"v": VERSION, "paused": pause_id}, separators=(",", ":"))


def paused_by(metadata: str | None) -> str | None:
    """The pause that a partition rests in, by its commit."""
    try:
        value = json.loads(metadata or "")
    except ValueError:
        return None
    found = value.get("paused") if isinstance(value, dict) and value.get("v") == VERSION else None
    return found if isinstance(found, str) else None


def parse_metadata(offset: int, metadata: str | None) -> Committed:
    """Empty or foreign metadata means somebody else's commit: the ledger decides then."""
    try:
        value = json.loads(metadata or "")
    except ValueError:
        return Committed(offset, None, is_ours=False)
    if not isinstance(value, dict) or value.get("v") != VERSION:
        return Committed(offset, None, is_ours=False)
    end = value.get("end")
    if end is None:
        return Committed(offset, None, is_ours=True)
    if isinstance(end, int) and end > offset:
        return Committed(offset, end, is_ours=True)
    return Committed(offset, None, is_ours=False)


class GroupOffsets:
    """The group's offsets: read with their metadata, written under a pin."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer[bytes, bytes],
        admin: AIOKafkaAdminClient,
        group: str,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._consumer = consumer
        self._admin = admin
        self._group = group
        self._retry_seconds = retry_seconds

    def pin(self) -> Pin:
        """The pair of the current assignment; to be asked when partitions are assigned."""
        coordinator = self._coordinator()
        return Pin(coordinator.generation, coordinator.member_id)

    async def read(self, partition: TopicPartition) -> Committed:
        """The committed offset of one partition. Retries until Kafka answers.

        A missing key is an error that aiokafka does not raise; -1 is really none.
        """
        while True:
            try:
                async with deadline(COMMIT_SECONDS):
                    found = await self._admin.list_consumer_group_offsets(
                        self._group, partitions=[partition]
                    )
            except (KafkaError, TimeoutError, OSError):
                found = {}
            if partition in found:
                return parse_metadata(found[partition].offset, found[partition].metadata)
            await asyncio.sleep(self._retry_seconds)

    async def commit(self, partition: TopicPartition, pin: Pin, offset: int, metadata: str) -> None:
        """Commit under `pin`; returns when the broker has it. Raises Fenced."""
        request = OffsetCommitRequest(
            self._group,
            pin.generation,
            pin.member_id,
            NO_RETENTION,
            [(partition.topic, [(partition.partition, offset, metadata)])],
        )
        while True:
            code = await self._send(request)
            error = for_code(code)
            if code == 0:
                return
            if issubclass(error, FENCING):
                self._on_fenced(pin, error)
                raise Fenced(f"{partition.topic}-{partition.partition}: {error.__name__}")
            if not error.retriable:
                raise error()
            await asyncio.sleep(self._retry_seconds)

    async def _send(self, request: OffsetCommitRequest) -> int:
        """The broker's code for the one partition; retriable codes for a lost connection."""
        coordinator = self._coordinator()
        try:
            async with deadline(COMMIT_SECONDS):
                await coordinator.ensure_coordinator_known()
                response = await coordinator._send_req(request)
        except (KafkaError, TimeoutError, OSError):
            return _COORDINATOR_NOT_AVAILABLE
        code: int = response.topics[0][1][0][1]
        if code in (_COORDINATOR_NOT_AVAILABLE, _NOT_COORDINATOR):
            coordinator.coordinator_dead()
        return code

    def _on_fenced(self, pin: Pin, error: type[KafkaError]) -> None:
        """When the pin is still the coordinator's own, only joining again can help."""
        coordinator = self._coordinator()
        if self.pin() != pin:
            return
        if issubclass(error, RebalanceInProgressError):
            coordinator.request_rejoin()
        else:
            coordinator.reset_generation()

    def _coordinator(self) -> Any:
        return self._consumer._coordinator


_COORDINATOR_NOT_AVAILABLE, _NOT_COORDINATOR = 15, 16
