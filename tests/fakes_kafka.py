"""Brokers made of Python: they read produce requests, and answer what a test tells them to."""

from __future__ import annotations

import asyncio
import struct
from collections import defaultdict
from collections.abc import Iterable

from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7
from aiokafka.record.default_records import DefaultRecordBatch

from gateway.publish.connection import ProduceConnection
from gateway.publish.produce import CLIENT_ID
from gateway.publish.records import Producer

HEADER_BYTES = 10 + len(CLIENT_ID)


class Sent:
    """One request as a broker reads it."""

    def __init__(self, connection: ProduceConnection, message: bytes) -> None:
        self._connection = connection
        (self.correlation_id,) = struct.unpack_from(">i", message, 4)
        decoded = ProduceRequest_v7.decode(message[HEADER_BYTES:])
        self.batches = {
            (topic, partition): bytes(batch)
            for topic, partitions in decoded.topics
            for partition, batch in partitions
        }

    def _read(self, topic: str, partition: int) -> DefaultRecordBatch:
        batch = DefaultRecordBatch(self.batches[topic, partition])
        assert batch.validate_crc()
        return batch

    def values(self, topic: str, partition: int) -> list[bytes]:
        return [bytes(one.value or b"") for one in self._read(topic, partition)]

    def sequence(self, topic: str, partition: int) -> int:
        return int(self._read(topic, partition).base_sequence)

    def producer(self, topic: str, partition: int) -> Producer:
        batch = self._read(topic, partition)
        return Producer(batch.producer_id, batch.producer_epoch)

    def answer(self, code: int, throttle_ms: int = 0, correlation_id: int | None = None) -> None:
        """The same code for every batch."""
        topics: dict[str, list[tuple[int, int, int, int, int]]] = {}
        for topic, partition in self.batches:
            topics.setdefault(topic, []).append((partition, code, 100, -1, 0))
        self._send(list(topics.items()), throttle_ms, correlation_id)

    def answer_nothing(self) -> None:
        """An answer that mentions no batch."""
        self._send([], 0, None)

    def answer_raw(self, data: bytes) -> None:
        self._connection.data_received(data)

    def _send(self, topics: list[object], throttle_ms: int, correlation_id: int | None) -> None:
        head = struct.pack(">i", self.correlation_id if correlation_id is None else correlation_id)
        body = head + bytes(ProduceResponse_v7(topics, throttle_ms).encode())
        self._connection.data_received(struct.pack(">i", len(body)) + body)


class _Transport(asyncio.Transport):
    """Hands every request that is written to its broker's queue."""

    def __init__(self, queue: asyncio.Queue[Sent]) -> None:
        super().__init__()
        self._queue = queue
        self._connection: ProduceConnection | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, ProduceConnection)
        self._connection = protocol

    def resume_reading(self) -> None:
        """Nothing is paused here."""

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        written = b"".join(list_of_data)
        (size,) = struct.unpack_from(">i", written)
        assert size == len(written) - 4
        assert self._connection is not None
        self._queue.put_nowait(Sent(self._connection, written[4:]))

    def abort(self) -> None:
        """Nothing is open here."""


class FakeBrokers:
    """The cluster of a test: who leads what, and who can be reached."""

    def __init__(self, leaders: dict[tuple[str, int], int]) -> None:
        self.leaders = leaders
        self.metadata_wanted = 0
        self.dialled: list[int] = []
        self.refuses = 0  # so many dials
        self._queues: dict[int, asyncio.Queue[Sent]] = defaultdict(asyncio.Queue)
        self._connections: dict[int, ProduceConnection] = {}

    def leader(self, topic: str, partition: int) -> int | None:
        return self.leaders.get((topic, partition))

    def want_metadata(self) -> None:
        self.metadata_wanted += 1

    async def dial(self, node: int, connection: ProduceConnection) -> None:
        if self.refuses:
            self.refuses -= 1
            raise ConnectionError("told to refuse")
        self.dialled.append(node)
        connection.take_over(_Transport(self._queues[node]), None)
        self._connections[node] = connection

    def requests(self, node: int) -> asyncio.Queue[Sent]:
        return self._queues[node]

    def cut(self, node: int) -> None:
        """The node's connection breaks."""
        self._connections[node].connection_lost(None)
