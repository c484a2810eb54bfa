"""What a sink leaves in Kafka and ClickHouse, and how the next one goes on from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata

from sinks.clickhouse.ledger import ClickHouseLedger
from sinks.clickhouse.sink import ClickHouseSink, known_settings
from sinks.clickhouse.sql import AsyncClient
from sinks.clickhouse.tables import EVENTS
from sinks.intent import IDLE, Committed
from sinks.kafka_log import KafkaLog
from sinks.metrics import Metrics
from sinks.recovery import Recovery, Resume
from sinks.rows import identity_of
from sinks.sink import AppHour, Block, Chunk, Misconfigured, Row, StoredChunk, Tally
from tests.clickhouse import ClickHouseUnderTest
from tests.fakes_sink import event_id, make_polled, make_rows
from tests.kafka import KafkaUnderTest, wait_until
from tests.processes import Process
from tests.proxy import ClickHouseProxy, Harm, Insert
from tests.sink_rig import SinkRig

NOBODY = Committed(-1, None, is_ours=False)


@pytest.fixture
def rig(
    kafka: KafkaUnderTest, clickhouse: ClickHouseUnderTest, tmp_path: Path
) -> Iterator[SinkRig]:
    under_test = SinkRig(kafka, clickhouse, tmp_path)
    yield under_test
    under_test.close()


class TestOffsets:
    def test_an_idle_sink_says_that_nothing_is_in_flight(self, rig: SinkRig) -> None:
        offsets = rig.send([rig.record()], partition=1)
        rig.start().wait_ready()
        wait_until(lambda: rig.offsets() == offsets, 60, "the row")
        rig.wait_idle()

        committed = rig.committed()[TopicPartition("app-events", 1)]

        assert committed == OffsetAndMetadata(offsets[0] + 1, IDLE)

    def test_a_reset_of_the_offsets_by_hand_repeats_nothing(self, rig: SinkRig) -> None:
        offsets = rig.send([rig.record() for _ in range(30)], partition=2)
        first = rig.start(chunk_rows=10)
        rig.wait_idle()
        first.stop()
        asyncio.run(_commit(rig, TopicPartition("app-events", 2), offsets[0]))

        offsets += rig.send([rig.record()], partition=2)
        rig.start()
        rig.wait_idle()

        assert rig.offsets() == offsets
        assert [int(one) for one in rig.rows("sum(events)", "hourly", "1")] == [31]

    def test_a_group_that_lost_its_offsets_goes_on_from_the_rows(self, rig: SinkRig) -> None:
        offsets = rig.send([rig.record() for _ in range(30)], partition=3)
        first = rig.start(chunk_rows=7)
        rig.wait_idle()
        first.kill()
        rig.group = f"sink-{uuid4()}"

        copied = rig.record()
        offsets += rig.send([copied, copied], partition=3)[:1]
        rig.start()
        rig.wait_idle()

        assert rig.offsets() == offsets
        assert [int(one) for one in rig.rows("sum(events)", "hourly", "1")] == [31]


async def _commit(rig: SinkRig, place: TopicPartition, offset: int) -> None:
    """As an operator's tool does it: no metadata."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=rig.kafka.bootstrap, group_id=rig.group, enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign([place])
    await consumer.commit({place: OffsetAndMetadata(offset, "")})
    await consumer.stop()


class Down(Harm):
    """ClickHouse refuses every insert."""

    def __init__(self) -> None:
        self.refused = 0

    def refuses(self, insert: Insert) -> bool:
        self.refused += 1
        return True


class TestStopping:
    def test_a_stop_does_not_wait_for_a_clickhouse_that_is_down(self, rig: SinkRig) -> None:
        proxy = ClickHouseProxy(rig.clickhouse.url)
        rig.url = proxy.url
        rig.start().wait_ready()
        rig.wait_idle()
        proxy.harm = harm = Down()
        offsets = rig.send([rig.record() for _ in range(5)], partition=4)
        wait_until(lambda: harm.refused > 0, 60, "a refused insert")

        rig.sinks[0].popen.terminate()
        stopped = rig.sinks[0].popen.wait(10)  # less than a drain may take
        rig.url = rig.clickhouse.url
        rig.start()
        rig.wait_idle()
        proxy.close()

        assert stopped == 0
        assert rig.offsets() == offsets

    def test_twins_of_one_instance_do_not_go_on_for_ever(self, rig: SinkRig) -> None:
        twins = [rig.start("sink-0"), rig.start("sink-0")]

        wait_until(lambda: any(one.is_dead() for one in twins), 60, "the end of one twin")

        dead = next(one for one in twins if one.is_dead())
        assert dead.popen.returncode == 1
        assert "--instance sink-0 too: give each its own" in _last_line(dead)


def _last_line(process: Process) -> str:
    return process.log_file.read_text().splitlines()[-1]


class Log:
    """A topic of its own with some records, and a recovery that asks the real engines."""

    def __init__(self, topic: str, cluster: str, client: AsyncClient, kafka_log: KafkaLog) -> None:
        self.place = TopicPartition(topic, 0)
        self.cluster = cluster
        self._client = client
        self.ledger = ClickHouseLedger(client, EVENTS, cluster)
        self.recovery = Recovery(self.ledger, kafka_log, cluster, 600.0, Metrics())

    async def insert(self, start: int, end: int, first_number: int = 0) -> None:
        await self.insert_events(start, [first_number + at for at in range(start, end)])

    async def insert_events(self, start: int, numbers: Sequence[int]) -> None:
        """A chunk of these events, by number."""
        rows = make_rows(enumerate(numbers, start))
        await self._write(start, len(numbers), rows, {row.bucket: Tally() for row in rows})

    async def account_for_copies(self, start: int, count: int) -> None:
        """A chunk of them alone: it has an account and no rows."""
        await self._write(start, count, [], {("demo", 0): Tally(duplicates=count)})

    async def _write(
        self, start: int, length: int, rows: list[Row], tallies: dict[AppHour, Tally]
    ) -> None:
        chunk = Chunk(self.cluster, self.place.topic, 0, start, start + length)
        sink = ClickHouseSink(self._client, EVENTS, await known_settings(self._client), 20)
        await sink.write(Block(chunk, rows, tallies, chunk.token))

    async def resume(self, committed: Committed) -> Resume:
        return await self.recovery.resume_at(self.place, committed)


@pytest.fixture
def topic(kafka: KafkaUnderTest) -> str:
    return kafka.topic()


@pytest.fixture
async def log(kafka: KafkaUnderTest, topic: str, writer: AsyncClient) -> AsyncIterator[Log]:
    """Records 0 to 19, whose event ids are their offsets."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    for offset in range(20):
        await producer.send(topic, make_polled(offset).value)
    await producer.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, enable_auto_commit=False)
    await admin.start()
    await consumer.start()
    described = await admin.describe_cluster()
    kafka_log = KafkaLog(consumer, admin, {"bootstrap_servers": kafka.bootstrap}, 10.0)
    yield Log(topic, str(described["cluster_id"]), writer, kafka_log)
    await consumer.stop()
    await admin.close()


class TestLedger:
    async def test_no_rows_are_no_chunk(self, log: Log) -> None:
        topic = log.place.topic

        assert await log.ledger.newest(topic, 0, -1) is None
        assert await log.ledger.find(topic, 0, 0) is None
        assert await log.ledger.last_row(topic, 0) is None
        assert await log.ledger.identities(topic, 0, 0, 100) == []

    async def test_the_newest_chunk_and_its_rows_are_known(self, log: Log) -> None:
        await log.insert(0, 5)
        await log.insert(5, 9)
        topic = log.place.topic

        newest = await log.ledger.newest(topic, 0, -1)
        found = await log.ledger.find(topic, 0, 0)
        identities = await log.ledger.identities(topic, 0, 3, 7)

        assert newest is not None
        assert (newest.start, newest.end) == (5, 9)
        assert found == StoredChunk(0, 5, found.age_seconds if found else -1)
        assert 0 <= newest.age_seconds < 600
        assert identities == [
            (at, identity_of("demo", "device-1", event_id(at))) for at in (3, 4, 5, 6)
        ]
        assert await log.ledger.last_row(topic, 0) == (8, event_id(8))

    async def test_of_copies_merges_leave_the_one_that_was_inserted_last(
        self, log: Log, writer: AsyncClient
    ) -> None:
        """So that a window which is read back lacks none that it needs."""
        await log.insert_events(0, [1, 2])
        await log.insert_events(2, [3, 1])
        await log.insert_events(4, [4, 5, 4])
        await writer.command("OPTIMIZE TABLE telemetry.events FINAL")

        found = await log.ledger.identities(log.place.topic, 0, 0, 7)

        assert [offset for offset, _ in found] == [1, 2, 3, 5, 6]

    async def test_of_an_old_chunk_events_are_settled_that_lie_elsewhere_since(
        self, log: Log, writer: AsyncClient
    ) -> None:
        nowhere = uuid4().int % 2**60
        await log.insert_events(0, [1, 2, 3])
        await log.insert_events(5, [1, 2, 3])
        await writer.command("OPTIMIZE TABLE telemetry.events FINAL")
        records = [make_polled(at, number) for at, number in enumerate([1, 2, 3, nowhere])]
        records.append(make_polled(4, sequence=-1))  # no row at all

        found = await log.ledger.find(log.place.topic, 0, 0)
        left = await log.ledger.identities(log.place.topic, 0, 0, 5)
        settled = await log.ledger.settled(log.place.topic, 0, records)

        assert left == []
        assert settled == {0, 1, 2}
        assert found is not None
        assert (found.start, found.end) == (0, 3)

    async def test_a_chunk_that_never_had_a_row_is_not_taken_for_a_stored_one(
        self, log: Log
    ) -> None:
        """Its account is written before its rows, which may never have followed."""
        await log.account_for_copies(10, 2)

        newest = await log.ledger.newest(log.place.topic, 0, -1)

        assert newest is not None
        assert newest.start == 10
        assert await log.ledger.find(log.place.topic, 0, 10) is None

    async def test_another_cluster_s_rows_are_not_ours(self, log: Log, writer: AsyncClient) -> None:
        await log.insert(0, 5)

        other = ClickHouseLedger(writer, EVENTS, "another-cluster")

        assert await other.newest(log.place.topic, 0, -1) is None


class TestRefusals:
    async def test_a_log_that_fits_its_rows_goes_on(self, log: Log) -> None:
        await log.insert(0, 5)

        assert await log.resume(NOBODY) == Resume(0, 5)

    async def test_rows_beyond_the_logs_end_are_refused(self, log: Log) -> None:
        await log.insert(15, 25)

        with pytest.raises(Misconfigured, match=r"holds offset 24, but the log ends at 20"):
            await log.resume(NOBODY)

    async def test_rows_of_other_events_are_refused(self, log: Log) -> None:
        await log.insert(0, 5, first_number=1000)

        with pytest.raises(Misconfigured, match="offset 4 holds another event than its row"):
            await log.resume(NOBODY)
