"""The sender: lanes in, produce requests out, idempotent, acks=all. Callbacks, no task per batch.

One request is open per broker, with the next batch of each of its lanes; meanwhile lanes gather
what comes (group commit). What a broker answers decides by the table in `errors`. An answer that
never comes leaves an outcome that only the broker knows: the same bytes go out again, to whoever
leads by then, and the broker drops what it has already.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from msgspec import Struct

from gateway.publish.connection import ProduceConnection, RefusedByKafka
from gateway.publish.errors import Fate, fate_of, name_of
from gateway.publish.lane import Batch, Lane
from gateway.publish.produce import Answer, Place, request
from gateway.publish.records import Producer

log = logging.getLogger(__name__)

BATCH_BYTES = 900_000 + 4_096  # of one batch; a largest record still fits
REQUEST_BYTES = 16 * 1024 * 1024  # of all batches of one request
RETRY_SECONDS = 0.05
DIAL_AGAIN_SECONDS = 0.2
REFUSED_SECONDS = (1.0, 15.0)  # before it is tried again: at first, and doubled up to
CORRELATION_IDS = 2**31
BROKER_SHARE = 0.8  # of a request's time: so that a slow broker still says so itself


class Brokers(Protocol):
    """What the sender needs of the cluster."""

    def leader(self, topic: str, partition: int) -> int | None:
        """The node that leads a partition; None where none is known."""

    def want_metadata(self) -> None:
        """The leaders may have changed: ask for them soon."""

    async def dial(self, node: int, connection: ProduceConnection) -> None:
        """Connect to a node and hand the connection its transport. Raises ConnectionError."""


class Counters(Protocol):
    """What the sender counts."""

    def produced(self, seconds: float) -> None:
        """A request was answered after so long."""

    def failed(self, error: str) -> None:
        """A batch was answered with this error, or its request with none."""

    def restamped(self) -> None:
        """A batch of unknown outcome goes out under another producer id: it may be there twice."""


class _Broker:
    """One node, as far as we talk to it."""

    def __init__(self, node: int) -> None:
        self.node = node
        self.connection: ProduceConnection | None = None
        self.dialling: asyncio.Task[None] | None = None
        self.open: dict[Place, Batch] = {}  # the batches of the open request
        self.correlation_id = 0
        self.sent_at = 0.0
        self.not_before = 0.0  # after a failed dial, or when it throttles us
        self.refused_wait = 0.0  # the newest of several refusals in a row


class SenderOptions(Struct, frozen=True, kw_only=True):
    request_timeout_seconds: float = 10.0


class Sender:
    """Sends what its lanes hold. `producer` must be given before anything leaves."""

    def __init__(
        self,
        lanes: Iterable[Lane],
        brokers: Brokers,
        counters: Counters,
        options: SenderOptions,
        now_ms: Callable[[], int],
    ) -> None:
        self._now_ms = now_ms
        self._lanes = list(lanes)
        self._brokers = brokers
        self._counters = counters
        self._options = options
        self._nodes: dict[int, _Broker] = {}
        self._dirty: dict[Lane, None] = {}  # in the order in which they have something to send
        self._producer: Producer | None = None
        self._is_scheduled = False
        self._is_closed = False

    @property
    def wants_producer(self) -> bool:
        """Whether it stands still until `start` is called with a producer id."""
        return self._producer is None and not any(one.open for one in self._nodes.values())

    def start(self, producer: Producer) -> None:
        """Send as this producer; batches that wait for an answer are numbered anew."""
        for lane in self._lanes:
            if lane.unresolved is not None and lane.unresolved.is_unknown:
                self._counters.restamped()
            lane.start_again(producer)
        self._producer = producer
        self.wake()

    def kick(self, lane: Lane) -> None:
        """The lane has something new."""
        self._dirty[lane] = None
        self._schedule()

    def wake(self) -> None:
        """Something has changed: look at every lane that waits."""
        for lane in self._lanes:
            if lane.unresolved is not None or lane.queue:
                self._dirty[lane] = None
        self._schedule()

    def tick(self, now: float) -> None:
        """Ten times a second: requests whose answer is overdue, and waits that are over."""
        for broker in self._nodes.values():
            overdue = now - broker.sent_at > self._options.request_timeout_seconds
            if broker.open and overdue and broker.connection is not None:
                broker.connection.lose("no answer in time")
        if self._dirty:
            self._schedule()

    async def close(self) -> None:
        """Close every connection; what is open stays of unknown outcome."""
        self._is_closed = True
        dialling = [one.dialling for one in self._nodes.values() if one.dialling is not None]
        for task in dialling:
            task.cancel()
        await asyncio.gather(*dialling, return_exceptions=True)
        for broker in self._nodes.values():
            if broker.connection is not None:
                broker.connection.lose("the gateway stops")

    def _schedule(self) -> None:
        if not self._is_scheduled and self._dirty and not self._is_closed:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Send the next batch of every dirty lane whose broker has no request open."""
        self._is_scheduled = False
        if self._producer is None or self._is_closed:
            return
        now = time.monotonic()
        now_ms = self._now_ms()
        requests: dict[_Broker, list[Batch]] = {}
        sizes: dict[_Broker, int] = {}
        for lane in list(self._dirty):
            if lane.unresolved is None and not lane.queue:
                del self._dirty[lane]
                continue
            broker = self._broker_of(lane, now)
            if broker is None or sizes.get(broker, 0) > REQUEST_BYTES:
                continue
            batch = lane.unresolved or lane.make_batch(BATCH_BYTES, now_ms, self._producer)
            if batch is None:
                del self._dirty[lane]
                continue
            if batch.is_in_flight or batch.not_before > now:
                continue
            requests.setdefault(broker, []).append(batch)
            sizes[broker] = sizes.get(broker, 0) + sum(map(len, batch.chunks))
            del self._dirty[lane]
        for broker, batches in requests.items():
            self._send(broker, batches, now)

    def _broker_of(self, lane: Lane, now: float) -> _Broker | None:
        """The lane's leader, when it can take a request now."""
        node = self._brokers.leader(lane.topic, lane.partition)
        if node is None:
            self._brokers.want_metadata()
            return None
        broker = self._nodes.get(node)
        if broker is None:
            broker = self._nodes[node] = _Broker(node)
        if broker.open or broker.not_before > now:
            return None
        if broker.connection is None:
            if broker.dialling is None:
                broker.dialling = asyncio.create_task(self._dial(broker))
            return None
        return broker

    def _send(self, broker: _Broker, batches: list[Batch], now: float) -> None:
        by_topic: dict[str, list[tuple[int, list[bytes]]]] = {}
        for batch in batches:
            batch.is_in_flight = True
            lane = batch.lane
            by_topic.setdefault(lane.topic, []).append((lane.partition, batch.chunks))
            broker.open[lane.topic, lane.partition] = batch
        broker.correlation_id = (broker.correlation_id + 1) % CORRELATION_IDS
        broker.sent_at = now
        timeout_ms = int(self._options.request_timeout_seconds * 1000 * BROKER_SHARE)
        assert broker.connection is not None  # noqa: S101  # `_broker_of` has seen to it
        broker.connection.write(request(broker.correlation_id, timeout_ms, by_topic))

    async def _dial(self, broker: _Broker) -> None:
        connection = ProduceConnection(
            lambda answer: self._answered(broker, answer),
            lambda reason: self._lost(broker, connection, reason),
        )
        try:
            await self._brokers.dial(broker.node, connection)
        except RefusedByKafka as error:
            first, most = REFUSED_SECONDS
            broker.refused_wait = wait = min(broker.refused_wait * 2 or first, most)
            log.error("broker %d, again in %g s: %s", broker.node, wait, error)  # noqa: TRY400
            self._counters.failed("refused")
            broker.not_before = time.monotonic() + wait
        except ConnectionError as error:
            log.warning("broker %d cannot be reached: %s", broker.node, error)
            self._counters.failed("connect")
            broker.not_before = time.monotonic() + DIAL_AGAIN_SECONDS
            self._brokers.want_metadata()
        else:
            broker.refused_wait = 0.0
            broker.connection = None if connection.is_lost else connection
        finally:
            broker.dialling = None
        self.wake()

    def _answered(self, broker: _Broker, answer: Answer) -> None:
        if answer.correlation_id != broker.correlation_id or not broker.open:
            assert broker.connection is not None  # noqa: S101  # it has just spoken
            broker.connection.lose("an answer to another request")
            return
        now = time.monotonic()
        self._counters.produced(now - broker.sent_at)
        batches, broker.open = broker.open, {}
        if answer.throttle_ms > 0:
            broker.not_before = now + answer.throttle_ms / 1000
        for place, batch in batches.items():
            self._resolve(batch, answer.codes.get(place), now)
        if self._producer is None:
            self._brokers.want_metadata()  # whoever brings it brings a producer id too
        self._schedule()

    def _resolve(self, batch: Batch, code: int | None, now: float) -> None:
        """What the answer means for one batch; None: it was not mentioned."""
        batch.is_in_flight = batch.is_unknown = False
        lane = batch.lane
        fate = Fate.RETRY if code is None else fate_of(code)
        if fate is Fate.DONE:
            lane.written()
        else:
            name = "missing" if code is None else name_of(code)
            self._counters.failed(name)
            if fate is Fate.REFUSED:
                lane.refused(f"Kafka refused the batch: {name}")
            elif fate is Fate.UNCLEAR:
                lane.refused(f"Kafka failed: {name}")
                self._producer = None
            elif fate is Fate.RENEW:
                self._producer = None
            else:
                batch.not_before = now + RETRY_SECONDS
                if fate is Fate.REFRESH:
                    self._brokers.want_metadata()
        if lane.unresolved is not None or lane.queue:
            self._dirty[lane] = None

    def _lost(self, broker: _Broker, connection: ProduceConnection, reason: str) -> None:
        """The open request's outcome is unknown: the same bytes go out again."""
        if broker.connection is not connection:
            return
        broker.connection = None
        batches, broker.open = broker.open, {}
        if self._is_closed:
            return
        if batches:
            self._counters.failed("connection")
        log.warning("broker %d lost: %s, %d batches open", broker.node, reason, len(batches))
        now = time.monotonic()
        for batch in batches.values():
            batch.is_in_flight = False
            batch.is_unknown = True
            batch.not_before = now + RETRY_SECONDS
            self._dirty[batch.lane] = None
        self._brokers.want_metadata()
        self._schedule()
