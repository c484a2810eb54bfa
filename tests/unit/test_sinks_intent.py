"""What a commit's metadata says of the chunk in flight."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from sinks.intent import IDLE, Committed, GroupOffsets, intent_metadata, parse_metadata
from tests.fakes_sink import PLACE


def test_an_intent_names_the_end_of_its_chunk() -> None:
    assert parse_metadata(5, intent_metadata(9)) == Committed(5, 9, is_ours=True)


def test_an_idle_commit_is_ours_with_nothing_in_flight() -> None:
    assert parse_metadata(5, IDLE) == Committed(5, None, is_ours=True)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        "",
        "{",
        "[]",
        "7",
        "some tool",
        "{}",
        '{"v":2,"end":9}',
        '{"v":1,"end":5}',
        '{"v":1,"end":"9"}',
        '{"v":1,"end":true}',
    ],
)
def test_anything_else_is_somebody_elses_commit(metadata: str | None) -> None:
    assert parse_metadata(5, metadata) == Committed(5, None, is_ours=False)


def test_metadata_fits_into_a_commit_whatever_the_offset() -> None:
    assert len(intent_metadata(2**63 - 1)) < 4096


class FakeAdmin:
    """Answers each read with the next of its script."""

    def __init__(self, *script: dict[TopicPartition, OffsetAndMetadata] | BaseException) -> None:
        self._script = list(script)

    async def list_consumer_group_offsets(
        self, group: str, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        answer = self._script.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


async def test_an_answer_without_the_partition_is_an_error_not_a_missing_offset() -> None:
    admin = FakeAdmin({}, KafkaError(), {PLACE: OffsetAndMetadata(7, IDLE)})
    offsets = GroupOffsets(None, admin, "group", retry_seconds=0.0)

    assert await offsets.read(PLACE) == Committed(7, None, is_ours=True)


async def test_a_cancellation_inside_the_client_does_not_end_the_reading_task() -> None:
    admin = FakeAdmin(asyncio.CancelledError(), {PLACE: OffsetAndMetadata(7, IDLE)})
    offsets = GroupOffsets(None, admin, "group", retry_seconds=0.0)

    assert await offsets.read(PLACE) == Committed(7, None, is_ours=True)
