"""The loop of the legacy reader: poll, map, bury what is no event, post the rest, commit."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from gateway.contract.readiness import Lack, Lacks
from sinks.deadletter import DeadLetterWriter
from sinks.deadline import deadline
from sinks.health import Condition, told
from sinks.kafka_clients import check_access
from sinks.legacy import mapping as rows
from sinks.legacy.config import LegacyConfig
from sinks.legacy.metrics import Metrics
from sinks.legacy.poster import Poster, TooLarge
from sinks.retry import Interrupted, Patience, chances, delays
from sinks.sink import Bad, BadCode, Polled

log = logging.getLogger(__name__)

POLL_MS = 500
NO_LIMIT_MS = 24 * 3600 * 1000  # a gateway that is away must not cost us the partitions
HOUR_MS = 3_600_000
START_SECONDS = 30.0
POLL_SECONDS = 5.0
COMMIT_SECONDS = 10.0
CLOSE_SECONDS = 10.0

Records: TypeAlias = "list[ConsumerRecord[bytes, bytes]]"


async def run_legacy(
    config: LegacyConfig,
    mappings: Mapping[str, rows.Mapping],
    stop: asyncio.Event,
    on_ready: Callable[[], None],
) -> None:
    """Turn rows into events until `stop` is set.

    Raises KafkaError or TimeoutError when Kafka is not there at the start, Misconfigured when an
    operator must act.
    """
    reach = {"bootstrap_servers": config.kafka_bootstrap, **config.client_security()}
    patience = Patience(chances())
    letters = DeadLetterWriter(reach, lambda: delays(chances()))
    consumer = AIOKafkaConsumer(
        *mappings,
        **reach,
        group_id=config.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_interval_ms=NO_LIMIT_MS,
        client_id="telemetry-legacy",
    )
    stopping = asyncio.create_task(_stop_waits(stop, patience))
    metrics, condition = Metrics(), Condition()
    metrics.process.watch(condition.lacks)
    try:
        await check_access(reach)
        async with asyncio.timeout(START_SECONDS):
            await consumer.start()
        async with (
            told(config.metrics_host, config.metrics_port, metrics, condition, stop),
            aiohttp.ClientSession() as session,
        ):
            poster = Poster(
                session,
                config.gateway_url,
                config.write_key,
                config.timeout_seconds,
                patience.sleep,
                metrics,
            )
            reader = LegacyReader(mappings, poster, letters, metrics)
            condition.follow(reader)
            on_ready()
            ends: dict[TopicPartition, int] = {}  # of what is settled
            while not stop.is_set():
                reader.beat()
                for place, records in (await _poll(consumer, config.batch_rows)).items():
                    await reader.settle(place, records)
                    ends[place] = records[-1].offset + 1
                    await _commit(consumer, place, ends[place])
                metrics.lag_records.set(_lag(consumer, ends))
    except Interrupted:
        log.info("stopped while the gateway was away; the rows are read again")
    finally:
        stopping.cancel()
        await letters.close()
        await _close(consumer)


def _lag(consumer: AIOKafkaConsumer[bytes, bytes], ends: Mapping[TopicPartition, int]) -> int:
    """Of the partitions that are ours and have told of a row."""
    held = consumer.assignment() & ends.keys()
    return sum(max(0, (consumer.highwater(place) or 0) - ends[place]) for place in held)


async def _poll(
    consumer: AIOKafkaConsumer[bytes, bytes], rows: int
) -> dict[TopicPartition, Records]:
    try:
        async with deadline(POLL_SECONDS):
            found: dict[TopicPartition, Records] = await consumer.getmany(
                timeout_ms=POLL_MS, max_records=rows
            )
            return found
    except (KafkaError, TimeoutError) as error:  # as in a rebalance
        log.warning("poll: %s", str(error) or type(error).__name__)
        return {}


async def _commit(
    consumer: AIOKafkaConsumer[bytes, bytes], place: TopicPartition, offset: int
) -> None:
    """Rows whose commit failed are read again, and are the same events then."""
    try:
        async with deadline(COMMIT_SECONDS):
            await consumer.commit({place: offset})
    except (KafkaError, TimeoutError) as error:
        log.warning("commit: %s", str(error) or type(error).__name__)


async def _close(consumer: AIOKafkaConsumer[bytes, bytes]) -> None:
    try:
        async with deadline(CLOSE_SECONDS):
            await consumer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("the consumer did not stop: %s", str(error) or type(error).__name__)


async def _stop_waits(stop: asyncio.Event, patience: Patience) -> None:
    await stop.wait()
    patience.stop()


class LegacyReader:
    """Settles records: each becomes an event that the gateway has judged, or a dead letter."""

    def __init__(
        self,
        mappings: Mapping[str, rows.Mapping],
        poster: Poster,
        letters: DeadLetterWriter,
        metrics: Metrics,
    ) -> None:
        self._mappings = mappings
        self._poster = poster
        self._letters = letters
        self._metrics = metrics
        self._beat = time.monotonic()

    def beat(self) -> None:
        self._beat = time.monotonic()

    @property
    def last_tick(self) -> float:
        """Waiting for a gateway that is away, however long, is life."""
        return time.monotonic() if self._poster.trouble else self._beat

    def lacks(self) -> Lacks:
        trouble = self._poster.trouble
        return {Lack.GATEWAY: trouble} if trouble else {}

    async def settle(self, place: TopicPartition, records: Records) -> None:
        """Raises Interrupted, Misconfigured."""
        self._metrics.rows.labels("read").inc(len(records))
        bad: list[Bad] = []
        events: list[tuple[Polled, dict[str, Any]]] = []
        for record in records:
            polled = Polled(record.offset, record.key, record.value, record.timestamp)
            try:
                event = rows.event_of(self._mappings[place.topic], place.topic, record.value)
            except rows.Unmappable as error:
                bad.append(_bad(polled, error.code, str(error)))
            else:
                events.append((polled, event))
        await self._bury(place, bad)
        await self._post(place, events)

    async def _post(
        self, place: TopicPartition, events: Sequence[tuple[Polled, dict[str, Any]]]
    ) -> None:
        """In halves where the whole is too large."""
        if not events:
            return
        try:
            reply = await self._poster.post([event for _, event in events])
        except TooLarge:
            if len(events) == 1:
                text = "the gateway takes no event of this size"
                await self._bury(place, [_bad(events[0][0], BadCode.REFUSED, text)])
                return
            middle = len(events) // 2
            await self._post(place, events[:middle])
            await self._post(place, events[middle:])
        else:
            self._metrics.rows.labels("accepted").inc(reply.accepted)
            self._metrics.rows.labels("duplicate").inc(reply.duplicates)
            self._metrics.rows.labels("rejected").inc(len(reply.rejected))
            if reply.rejected:  # the gateway has put them into app-events-dead itself
                log.warning("%s: %d rows rejected at the door", place.topic, len(reply.rejected))

    async def _bury(self, place: TopicPartition, bad: Sequence[Bad]) -> None:
        if bad:
            log.warning("%s: %d rows are no events: %s", place.topic, len(bad), bad[0].code)
            await self._letters.bury(place.topic, place.partition, bad)
            self._metrics.rows.labels("dead_lettered").inc(len(bad))


def _bad(record: Polled, code: BadCode, text: str) -> Bad:
    return Bad(record, code, text, ("", max(0, record.timestamp_ms) // HOUR_MS))
