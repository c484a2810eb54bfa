"""POSTs in flight: what they count while they come, and nothing when they are answered."""

from __future__ import annotations

import asyncio
import base64
import tracemalloc
from pathlib import Path

import pytest

from tests.builders import as_body, make_batch, make_event
from tests.gateway_app import KEY, GatewayUnderTest
from tests.kafka import until
from tests.phone import Phone, in_flight

MEGA = 1024 * 1024
GOOD = as_body(make_batch())


class TestBody:
    async def test_one_declared_too_large_is_refused_before_it_is_read(
        self, gateway: GatewayUnderTest
    ) -> None:
        phone = Phone(gateway, content_length=str(5 * MEGA))

        assert await phone.status() == 413
        assert phone.taken == 0

    async def test_one_that_grows_too_large_is_not_read_to_its_end(
        self, gateway: GatewayUnderTest
    ) -> None:
        phone = Phone(gateway)
        for _ in range(5):
            await phone.send(b" " * MEGA)

        assert await phone.status() == 413
        assert phone.taken == 5

    async def test_one_that_does_not_arrive_in_time_is_408(self, tmp_path: Path) -> None:
        gateway = GatewayUnderTest(tmp_path, body_timeout_seconds=0.01)
        phone = Phone(gateway)
        await phone.send(GOOD[:10])

        assert await phone.status() == 408
        assert in_flight(gateway) == (0, 0)

    async def test_a_phone_that_leaves_is_not_answered_and_costs_nothing_any_more(
        self, gateway: GatewayUnderTest
    ) -> None:
        phone = Phone(gateway)
        await phone.send(GOOD[:10])
        phone.leave()

        assert await phone.status() is None
        assert gateway.metrics.disconnects._value.get() == 1
        assert in_flight(gateway) == (0, 0)

    async def test_parts_of_it_are_one_body(self, gateway: GatewayUnderTest) -> None:
        phone = Phone(gateway)
        await phone.send(GOOD[:10])
        await phone.send(GOOD[10:50])

        assert await phone.status(GOOD[50:]) == 200


class TestBound:
    @pytest.fixture
    def small(self, tmp_path: Path) -> GatewayUnderTest:
        return GatewayUnderTest(tmp_path, max_inflight_bytes=MEGA)

    async def test_declared_bytes_count_before_they_come(self, small: GatewayUnderTest) -> None:
        first = Phone(small, content_length=str(800_000))
        await first.send(b" ")
        second = Phone(small, content_length=str(300_000))

        assert await second.status() == 503
        assert second.taken == 0
        first.leave()

    async def test_bytes_that_were_not_declared_count_as_they_come(
        self, small: GatewayUnderTest
    ) -> None:
        first, second = Phone(small), Phone(small)
        await first.send(b" " * 800_000)
        assert in_flight(small) == (2, 800_000)

        await second.send(b" " * 300_000)

        assert await second.status() == 503
        assert await first.status(GOOD) == 200
        assert in_flight(small) == (0, 0)

    async def test_a_large_body_alone_is_taken(self, small: GatewayUnderTest) -> None:
        phone = Phone(small)
        await phone.send(b" " * 2 * MEGA)

        assert await phone.status(GOOD) == 200

    async def test_records_count_until_they_are_kept(self, small: GatewayUnderTest) -> None:
        small.publisher.holds = True
        large = [make_event(event_id=str(n), properties={"a": "x" * 30_000}) for n in range(30)]
        first = Phone(small)
        first_status = asyncio.create_task(first.status(as_body(make_batch(*large))))
        await until(lambda: bool(small.publisher.held), what="records at the publisher")

        assert in_flight(small) == (1, sum(len(one.value) for one in small.publisher.records))
        assert await Phone(small, content_length=str(200_000)).status() == 503
        small.publisher.release()
        assert await first_status == 200
        assert in_flight(small) == (0, 0)


class TestShare:
    @pytest.fixture
    def shared(self, tmp_path: Path) -> GatewayUnderTest:
        """Two keys; each may have one of two requests."""
        under_test = GatewayUnderTest(
            tmp_path, max_inflight_requests=2, max_inflight_key_percent=50
        )
        under_test.add_key("other", "other-key")
        return under_test

    async def test_a_key_over_its_share_is_429_before_its_body_and_others_are_not_touched(
        self, shared: GatewayUnderTest
    ) -> None:
        first = Phone(shared)
        await first.send(GOOD[:10])
        second, other = Phone(shared), Phone(shared, authorization="Bearer other-key")

        assert await second.status() == 429
        assert second.taken == 0
        assert 5 <= int(second.headers[b"retry-after"]) <= 300
        assert await other.status(GOOD) == 200
        assert await first.status(GOOD[10:]) == 200

    async def test_a_key_in_the_body_is_held_to_its_share_too(
        self, shared: GatewayUnderTest
    ) -> None:
        body = as_body(make_batch(make_event(), make_event(event_id="2"), write_key=KEY))
        first = Phone(shared)
        await first.send(GOOD[:10])
        second = Phone(shared, authorization="")

        assert await second.status(body) == 429
        assert shared.count("refused") == 2
        assert await first.status(GOOD[10:]) == 200
        assert in_flight(shared) == (0, 0)

    async def test_segment_s_sdks_are_told_429_too(self, shared: GatewayUnderTest) -> None:
        basic = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
        first = Phone(shared)
        await first.send(GOOD[:10])
        second = Phone(shared, path="/v1/batch", authorization=basic)

        assert await second.status() == 429
        assert b"key_over_share" in second.body
        first.leave()

    async def test_a_full_gateway_answers_503_to_everybody(self, shared: GatewayUnderTest) -> None:
        phones = [Phone(shared), Phone(shared, authorization="Bearer other-key")]
        for one in phones:
            await one.send(GOOD[:10])

        assert await Phone(shared).status() == 503
        assert await Phone(shared, authorization="Bearer nobody-s").status() == 503
        for one in phones:
            one.leave()


class TestMemory:
    @pytest.mark.parametrize("repeats", [False, True], ids=["events", "copies of one event"])
    async def test_is_bounded_while_nothing_is_acknowledged(
        self, tmp_path: Path, repeats: bool
    ) -> None:
        """Copies leave one record: their body must not stay for it."""
        under_test = GatewayUnderTest(
            tmp_path, max_inflight_bytes=4 * MEGA, max_inflight_requests=100
        )
        under_test.publisher.holds = True
        events = [
            make_event(event_id="0" if repeats else str(n), properties={"a": "x" * 20_000})
            for n in range(40)
        ]
        body = as_body(make_batch(*events))
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            waiting = []
            for _ in range(120):
                phone = Phone(under_test)
                phone.say(bytes(bytearray(body)))  # a body of its own, as off a socket
                await until(lambda: phone.taken == 1 or phone.is_answered)  # noqa: B023
                if not phone.is_answered:
                    waiting.append(phone)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert 4 <= len(waiting) <= 100  # of 120 POSTs, 96 MB
        assert after - before < 3 * 4 * MEGA
        under_test.publisher.release()
        assert {await one.status() for one in waiting} == {200}
        assert in_flight(under_test) == (0, 0)


async def test_a_client_that_has_gone_is_not_started(gateway: GatewayUnderTest) -> None:
    phone = Phone(gateway)
    await phone.send(GOOD)
    phone.leave()

    assert await phone.status() is None
    assert gateway.publisher.records == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (GOOD, {}, 200),
        (b"{", {}, 400),
        (GOOD, {"authorization": "Bearer wrong"}, 401),
        (b" " * 5 * MEGA, {}, 413),
        (GOOD, {"content_type": "text/plain"}, 415),
        (b"x", {"content_encoding": "gzip"}, 400),
    ],
)
def test_after_its_answer_a_request_counts_no_more(
    gateway: GatewayUnderTest, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert gateway.post(body, **headers).status_code == status
    assert in_flight(gateway) == (0, 0)
