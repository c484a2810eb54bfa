"""The port of a publisher: the fake that gateway tests use keeps what the real one keeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from uuid import uuid4

import pytest

from gateway.contract.topics import APP_EVENTS, APP_EVENTS_DEAD
from gateway.contract.verdict import Kept
from gateway.metrics import Metrics
from gateway.publish.kafka import KafkaOptions, KafkaPublisher
from gateway.publish.publisher import Outcome, Publisher
from gateway.runtime import now_ms
from tests.builders import make_record
from tests.fakes import FakePublisher
from tests.kafka import KafkaUnderTest, read_topic, until
from tests.records import Record, runs

WAIT_SECONDS = 60


class PublisherUnderTest:
    """A publisher, and how to look at what it kept."""

    def __init__(
        self, publisher: Publisher, read: Callable[[str], AsyncIterator[Record]] | None
    ) -> None:
        self.publisher = publisher
        self._read = read

    async def keep(self, records: Sequence[Record]) -> Outcome:
        settled: asyncio.Queue[Outcome] = asyncio.Queue()
        self.publisher.submit(runs(records), settled.put_nowait)
        async with asyncio.timeout(WAIT_SECONDS):
            return await settled.get()

    async def kept(self, topic: str, mark: str) -> list[Record]:
        """The records of a topic that carry `mark`, in their order."""
        if isinstance(self.publisher, FakePublisher):
            found = self.publisher.of(topic)
        else:
            assert self._read is not None
            found = [one async for one in self._read(topic)]
        return [one for one in found if mark.encode() in one.value]


def options(kafka: KafkaUnderTest, deadline_seconds: float = 30.0) -> KafkaOptions:
    return KafkaOptions(
        bootstrap=kafka.bootstrap,
        partitions=APP_EVENTS.partitions,
        deadline_seconds=deadline_seconds,
    )


async def running(publisher: KafkaPublisher) -> asyncio.Task[None]:
    """Its life as a task, once it is ready."""
    life = asyncio.create_task(publisher.run())
    await until(lambda: not publisher.lacks(), what="a ready publisher")
    return life


async def end(life: asyncio.Task[None]) -> None:
    life.cancel()
    with suppress(asyncio.CancelledError):
        await life


@pytest.fixture(params=["fake", "kafka"])
async def under_test(
    request: pytest.FixtureRequest, kafka: KafkaUnderTest
) -> AsyncIterator[PublisherUnderTest]:
    if request.param == "fake":
        yield PublisherUnderTest(FakePublisher(), None)
        return

    async def read(topic: str) -> AsyncIterator[Record]:
        for one in await read_topic(kafka.bootstrap, topic):
            yield Record(topic, one.key or b"", one.value or b"", list(one.headers))

    publisher = KafkaPublisher(options(kafka), now_ms, Metrics())
    life = await running(publisher)
    yield PublisherUnderTest(publisher, read)
    await end(life)


def events(mark: str, device: str, count: int, pad: int = 10) -> list[Record]:
    """Records that a sink can store, as the topics are shared by all tests."""
    values = [
        make_record(
            event_id=str(uuid4()), app_id=mark, sequence=number, properties={"pad": "x" * pad}
        )
        for number in range(count)
    ]
    return [Record(APP_EVENTS.name, device.encode(), json.dumps(one).encode()) for one in values]


class TestKeeping:
    async def test_what_is_settled_as_kept_is_there(self, under_test: PublisherUnderTest) -> None:
        mark = str(uuid4())
        records = events(mark, "device-1", 3)

        outcome = await under_test.keep(records)

        assert outcome == Outcome(Kept.KAFKA)
        assert await under_test.kept(APP_EVENTS.name, mark) == records

    async def test_headers_arrive_and_topics_are_not_mixed_up(
        self, under_test: PublisherUnderTest
    ) -> None:
        mark = str(uuid4())
        event = events(mark, "device-1", 1)
        letter = Record(APP_EVENTS_DEAD.name, b"k", mark.encode(), [("code", b"bad"), ("b", b"")])

        await under_test.keep([*event, letter])

        assert await under_test.kept(APP_EVENTS.name, mark) == event
        assert await under_test.kept(APP_EVENTS_DEAD.name, mark) == [letter]

    async def test_records_of_a_key_keep_their_order_from_call_to_call(
        self, under_test: PublisherUnderTest
    ) -> None:
        mark = str(uuid4())
        records = events(mark, "device-1", 200)
        settled: list[Outcome] = []
        all_settled = asyncio.Event()

        def settle(outcome: Outcome) -> None:
            settled.append(outcome)
            if len(settled) == 50:
                all_settled.set()

        for start in range(0, 200, 4):
            under_test.publisher.submit(runs(records[start : start + 4]), settle)
        async with asyncio.timeout(WAIT_SECONDS):
            await all_settled.wait()

        assert settled == [Outcome(Kept.KAFKA)] * 50
        assert await under_test.kept(APP_EVENTS.name, mark) == records

    async def test_a_post_larger_than_any_batch_is_kept_in_its_order(
        self, under_test: PublisherUnderTest
    ) -> None:
        mark = str(uuid4())
        records = events(mark, "device-1", 12, pad=300_000)

        assert await under_test.keep(records) == Outcome(Kept.KAFKA)
        assert await under_test.kept(APP_EVENTS.name, mark) == records

    async def test_a_largest_record_is_kept(self, under_test: PublisherUnderTest) -> None:
        mark = str(uuid4())
        records = events(mark, "device-1", 1, pad=899_000)

        assert await under_test.keep(records) == Outcome(Kept.KAFKA)

    async def test_a_ready_publisher_has_no_reason_not_to_be(
        self, under_test: PublisherUnderTest
    ) -> None:
        assert not under_test.publisher.lacks()


class TestWithoutKafka:
    async def test_before_its_life_it_says_why_it_is_not_ready(self, kafka: KafkaUnderTest) -> None:
        assert KafkaPublisher(options(kafka), now_ms, Metrics()).lacks()

    async def test_what_kafka_does_not_acknowledge_is_settled_once_and_not_as_kept(
        self, kafka: KafkaUnderTest
    ) -> None:
        publisher = KafkaPublisher(options(kafka, deadline_seconds=0.5), now_ms, Metrics())
        life = await running(publisher)
        settled: asyncio.Queue[Outcome] = asyncio.Queue()
        mark = str(uuid4())
        kafka.pause()
        try:
            publisher.submit(runs(events(mark, "device-1", 2)), settled.put_nowait)
            async with asyncio.timeout(WAIT_SECONDS):
                outcome = await settled.get()
            await until(lambda: bool(publisher.lacks()))
        finally:
            kafka.resume()
        await until(lambda: not publisher.lacks())
        after = PublisherUnderTest(publisher, None)

        assert outcome.kept is None
        assert outcome.reason
        assert await after.keep(events(mark, "device-1", 1)) == Outcome(Kept.KAFKA)
        assert settled.empty()
        await end(life)

    async def test_topics_with_another_number_of_partitions_are_refused(
        self, kafka: KafkaUnderTest
    ) -> None:
        wrong = KafkaOptions(
            bootstrap=kafka.bootstrap, partitions=APP_EVENTS.partitions + 1, deadline_seconds=1
        )
        publisher = KafkaPublisher(wrong, now_ms, Metrics())
        life = asyncio.create_task(publisher.run())

        await until(lambda: "configured" in str(publisher.lacks()))

        assert "app-events has 12 partitions, 13 are configured" in (str(publisher.lacks()))
        await end(life)
