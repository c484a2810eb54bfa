"""Record batches and produce requests, byte for byte those of aiokafka's own encoders."""

from __future__ import annotations

import struct

import pytest
from aiokafka.protocol.produce import ProduceRequest_v7, ProduceResponse_v7
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.record import Run
from gateway.publish.produce import CLIENT_ID, Answer, Unreadable, read_answer, request
from gateway.publish.records import Producer, frame, seal, varint
from tests.records import of_runs

NOW_MS = 1_795_497_600_000

headers = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=200)), max_size=4)
runs = st.lists(
    st.builds(
        Run,
        topic=st.just("t"),
        key=st.binary(min_size=1, max_size=300),
        values=st.lists(st.binary(min_size=1, max_size=20_000), min_size=1, max_size=5),
        headers=headers,
    ),
    min_size=1,
    max_size=12,
)


def aiokafka_s(batch: list[Run], producer: Producer, sequence: int) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=producer.id,
        producer_epoch=producer.epoch,
        base_sequence=sequence,
        batch_size=1 << 30,
    )
    for offset, one in enumerate(of_runs(batch)):
        builder.append(offset, NOW_MS, one.key, one.value, one.headers)
    return bytes(builder.build())


class TestBatch:
    @given(runs, st.integers(0, 2**63 - 1), st.integers(0, 2**15 - 1), st.integers(0, 2**31 - 1))
    def test_it_is_the_batch_that_aiokafka_would_build(
        self, batch: list[Run], producer_id: int, epoch: int, sequence: int
    ) -> None:
        producer = Producer(producer_id, epoch)

        chunks = seal([frame(batch, 0)], len(of_runs(batch)), NOW_MS, producer, sequence)

        assert b"".join(chunks) == aiokafka_s(batch, producer, sequence)

    @given(runs, st.integers(0, 11))
    def test_runs_framed_in_two_parts_are_the_same_batch(self, batch: list[Run], cut: int) -> None:
        producer = Producer(7, 0)
        blobs = [frame(batch[:cut], 0), frame(batch[cut:], len(of_runs(batch[:cut])))]

        assert b"".join(seal(blobs, len(of_runs(batch)), NOW_MS, producer, 5)) == aiokafka_s(
            batch, producer, 5
        )

    def test_a_flipped_bit_breaks_its_checksum(self) -> None:
        one = Run("t", b"key", [b"value"])
        good = bytearray(b"".join(seal([frame([one], 0)], 1, NOW_MS, Producer(7, 0), 0)))
        assert DefaultRecordBatch(bytes(good)).validate_crc()

        good[-3] ^= 1

        assert not DefaultRecordBatch(bytes(good)).validate_crc()

    @given(st.integers(0, 2**31 - 1))
    def test_a_varint_is_read_back(self, number: int) -> None:
        value = shift = 0
        for byte in varint(number):
            value |= (byte & 0x7F) << shift
            shift += 7

        assert (value >> 1) ^ -(value & 1) == number
        assert all(byte & 0x80 for byte in varint(number)[:-1])


class TestRequest:
    def test_it_is_the_request_that_aiokafka_would_encode(self) -> None:
        batches = {"events": [(3, [b"head", b"blob"]), (7, [b"x"])], "dead": [(0, [b"yy"])]}
        chunks = request(42, 8_000, batches)

        theirs = ProduceRequest_v7(
            None, -1, 8_000, [("events", [(3, b"headblob"), (7, b"x")]), ("dead", [(0, b"yy")])]
        )
        head = theirs.build_request_header(correlation_id=42, client_id=CLIENT_ID.decode())
        message = head.encode() + theirs.encode()
        assert b"".join(chunks) == struct.pack(">i", len(message)) + message


def answer_of(correlation_id: int, codes: dict[tuple[str, int], int], throttle_ms: int) -> bytes:
    topics: dict[str, list[tuple[int, int, int, int, int]]] = {}
    for (topic, partition), code in codes.items():
        topics.setdefault(topic, []).append((partition, code, 100, -1, 0))
    body = ProduceResponse_v7(list(topics.items()), throttle_ms).encode()
    return struct.pack(">i", correlation_id) + bytes(body)


class TestAnswer:
    @given(
        st.integers(0, 2**31 - 1),
        st.dictionaries(
            st.tuples(st.sampled_from(["events", "dead"]), st.integers(0, 100)),
            st.integers(-1, 120),
            max_size=20,
        ),
        st.integers(0, 60_000),
    )
    def test_what_a_broker_encodes_is_read(
        self, correlation_id: int, codes: dict[tuple[str, int], int], throttle_ms: int
    ) -> None:
        found = read_answer(answer_of(correlation_id, codes, throttle_ms))

        assert found == Answer(correlation_id, codes, throttle_ms)

    @given(st.binary(max_size=200))
    def test_garbage_is_named_as_such(self, garbage: bytes) -> None:
        try:
            found = read_answer(garbage)
        except Unreadable:
            return
        assert answer_of(found.correlation_id, found.codes, found.throttle_ms)

    @pytest.mark.parametrize("cut", range(1, 40, 3))
    def test_a_truncated_answer_is_unreadable(self, cut: int) -> None:
        whole = answer_of(1, {("events", 3): 0, ("events", 4): 7}, 0)

        with pytest.raises(Unreadable):
            read_answer(whole[:-cut])
