"""How much may be in flight: nothing beyond the bounds, and nothing left counted afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.refusal import Refused
from gateway.edge.admission import Admission, retry_after_seconds
from tests.builders import as_body, make_batch, make_event
from tests.gateway_app import KEY, GatewayUnderTest
from tests.kafka import until

MEGA = 1024 * 1024
GOOD = as_body(make_batch())


class TestCount:
    @given(st.lists(st.integers(0, 150), max_size=30), st.integers(1, 5))
    def test_only_a_request_alone_may_be_larger_than_the_bound(
        self, sizes: list[int], max_requests: int
    ) -> None:
        admission = Admission(max_requests, 100)
        inside: list[int] = []
        for size in sizes:
            fits = len(inside) < max_requests and (not inside or sum(inside) + size <= 100)
            if fits:
                admission.enter(size)
                inside.append(size)
            else:
                with pytest.raises(Refused, match="the gateway is full"):
                    admission.enter(size)
                admission.leave(inside.pop(0))
            assert (admission.requests, admission.bytes) == (len(inside), sum(inside))

    def test_what_is_known_better_takes_the_place_of_what_was_declared(self) -> None:
        admission = Admission(2, 100)
        admission.enter(90)

        admission.resize(90, 40)
        admission.enter(60)

        assert admission.bytes == 100

    @pytest.mark.parametrize(("requests", "size", "pressure"), [(1, 0, 0.25), (1, 50, 0.5)])
    def test_pressure_is_of_the_bound_that_is_nearer(
        self, requests: int, size: int, pressure: float
    ) -> None:
        admission = Admission(4, 100)
        for _ in range(requests):
            admission.enter(size)

        assert admission.pressure == pressure


class TestRetryAfter:
    @given(st.floats(0, 20), st.floats(0, 20), st.floats(0, 1, exclude_max=True))
    def test_is_longer_under_pressure_and_within_five_seconds_and_five_minutes(
        self, one: float, other: float, chance: float
    ) -> None:
        shorter, longer = (retry_after_seconds(p, chance) for p in sorted((one, other)))

        assert 5 <= shorter <= longer <= 300

    def test_phones_that_were_refused_together_do_not_come_back_together(self) -> None:
        waits = {retry_after_seconds(1.0, number / 100) for number in range(100)}

        assert len(waits) > 20


class Phone:
    """A POST whose body is sent, or not, by hand."""

    def __init__(self, gateway: GatewayUnderTest, **headers: str) -> None:
        self._app = gateway.http.app
        given = {"authorization": f"Bearer {KEY}", **headers}
        self._headers = [(k.replace("_", "-").encode(), v.encode()) for k, v in given.items()]
        self._events: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._sent: list[MutableMapping[str, Any]] = []
        self.taken = 0
        self.asked = asyncio.Event()  # the gateway wants more of the body than was sent
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        scope = {
            "type": "http", "method": "POST", "path": "/v1/events", "query_string": b"",
            "headers": self._headers,
        }  # fmt: skip
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> MutableMapping[str, Any]:
        if self._events.empty():
            self.asked.set()
        event = await self._events.get()
        self.taken += 1
        return event

    async def _send(self, event: MutableMapping[str, Any]) -> None:
        self._sent.append(event)

    async def send(self, chunk: bytes) -> None:
        """Send a part of the body, and wait until the gateway wants more or has answered."""
        self.asked.clear()
        self._events.put_nowait({"type": "http.request", "body": chunk, "more_body": True})
        asked = asyncio.create_task(self.asked.wait())
        await asyncio.wait({asked, self._task}, timeout=30, return_when="FIRST_COMPLETED")
        asked.cancel()

    def leave(self) -> None:
        self._events.put_nowait({"type": "http.disconnect"})

    async def status(self, last: bytes | None = None) -> int | None:
        """Send the rest of the body; the answer's status, None when there is no answer."""
        if last is not None:
            self._events.put_nowait({"type": "http.request", "body": last})
        async with asyncio.timeout(30):
            await self._task
        return int(self._sent[0]["status"]) if self._sent else None


def in_flight(gateway: GatewayUnderTest) -> tuple[float, float]:
    """Requests and bytes, as operators see them."""
    lines = dict(
        line.rsplit(" ", 1) for line in gateway.http.get("/metrics").text.splitlines() if line
    )
    prefix = "telemetry_gateway_inflight"
    return float(lines[f"{prefix}_requests"]), float(lines[f"{prefix}_bytes"])


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
