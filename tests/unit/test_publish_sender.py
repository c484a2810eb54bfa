"""The sender against brokers made of Python: every answer, and every silence, case by case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.contract.record import Run
from gateway.contract.verdict import Kept
from gateway.publish.errors import name_of
from gateway.publish.lane import Lane, Part, Post
from gateway.publish.publisher import Outcome
from gateway.publish.records import Producer
from gateway.publish.sender import Sender, SenderOptions
from tests.fakes_kafka import FakeBrokers, Sent

ONE, OTHER = Producer(1, 0), Producer(2, 0)
DONE, OUT_OF_ORDER, DUPLICATE = 0, 45, 46
NOT_LEADER, TIMED_OUT, TOO_LARGE, SERVER_ERROR = 6, 7, 10, -1


class Counters:
    def __init__(self) -> None:
        self.requests = 0
        self.errors: list[str] = []
        self.restamps = 0

    def produced(self, seconds: float) -> None:
        self.requests += 1

    def failed(self, error: str) -> None:
        self.errors.append(error)

    def restamped(self) -> None:
        self.restamps += 1


class Rig:
    """Two lanes, led by nodes 1 and 2; what was sent is answered by hand."""

    def __init__(self) -> None:
        self.brokers = FakeBrokers({("events", 0): 1, ("events", 1): 2})
        self.counters = Counters()
        self.lanes = [Lane("events", 0), Lane("events", 1)]
        self.sender = Sender(
            self.lanes,
            self.brokers,
            self.counters,
            SenderOptions(request_timeout_seconds=5.0),
            lambda: 1_795_497_600_000,
        )
        self.settled: dict[str, Outcome] = {}
        self._deadline = asyncio.get_running_loop().time() + 1000

    def submit(self, name: str, lane: int = 0, size: int = 10) -> None:
        """One POST of one record."""
        record = Run("events", b"key", [name.encode().ljust(size, b".")])
        post = Post(1, self._deadline, self._settle(name))
        self.lanes[lane].add(Part(post, [record]))
        self.sender.kick(self.lanes[lane])

    def _settle(self, name: str) -> Callable[[Outcome], None]:
        def settle(outcome: Outcome) -> None:
            assert name not in self.settled
            self.settled[name] = outcome

        return settle

    async def sent(self, node: int = 1) -> Sent:
        """The next request to a node."""
        async with asyncio.timeout(10):
            return await self.brokers.requests(node).get()

    async def quiet(self, node: int = 1) -> bool:
        """Whether nothing more is sent, however often the sender looks."""
        for _ in range(20):
            self.sender.tick(0.0)
            await asyncio.sleep(0)
        return self.brokers.requests(node).empty()

    async def again(self, node: int = 1) -> Sent:
        """The next request, when the wait before a retry is over."""
        queue = self.brokers.requests(node)
        async with asyncio.timeout(10):
            while queue.empty():
                self.sender.tick(0.0)
                await asyncio.sleep(0.01)
        return queue.get_nowait()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    made = Rig()
    made.sender.start(ONE)
    yield made
    await made.sender.close()


def names(sent: Sent, partition: int = 0) -> list[str]:
    return [value.decode().rstrip(".") for value in sent.values("events", partition)]


class TestOrder:
    async def test_one_request_is_open_and_the_rest_gathers(self, rig: Rig) -> None:
        rig.submit("a")
        first = await rig.sent()
        for name in ("b", "c", "d"):
            rig.submit(name)
        assert await rig.quiet()

        first.answer(DONE)

        second = await rig.sent()
        assert (names(first), names(second)) == (["a"], ["b", "c", "d"])
        assert (first.sequence("events", 0), second.sequence("events", 0)) == (0, 1)
        assert rig.settled == {"a": Outcome(Kept.KAFKA)}

    async def test_brokers_do_not_wait_for_each_other(self, rig: Rig) -> None:
        rig.submit("a", lane=0)
        await rig.sent(1)
        rig.submit("b", lane=1)

        (await rig.sent(2)).answer(DONE)
        rig.submit("c", lane=1)

        assert names(await rig.sent(2), 1) == ["c"]
        assert list(rig.settled) == ["b"]

    async def test_a_batch_has_its_bound(self, rig: Rig) -> None:
        rig.submit("a")
        first = await rig.sent()
        for number in range(5):
            rig.submit(f"b{number}", size=400_000)

        first.answer(DONE)
        second = await rig.sent()
        second.answer(DONE)
        third = await rig.sent()

        assert names(second) == ["b0", "b1"]
        assert names(third) == ["b2", "b3"]
        assert third.sequence("events", 0) == 3

    async def test_a_post_that_was_told_to_come_again_is_not_sent(self, rig: Rig) -> None:
        rig.submit("a")
        first = await rig.sent()
        rig.submit("b")
        rig.submit("c")
        rig.lanes[0].queue[0].post.end(Outcome(None, "too late"))

        first.answer(DONE)

        assert names(await rig.sent()) == ["c"]


class TestAnswers:
    @pytest.mark.parametrize("code", [DONE, DUPLICATE])
    async def test_what_is_there_is_kept(self, rig: Rig, code: int) -> None:
        rig.submit("a")
        (await rig.sent()).answer(code)
        rig.submit("b")

        assert (await rig.sent()).sequence("events", 0) == 1
        assert rig.settled == {"a": Outcome(Kept.KAFKA)}

    @pytest.mark.parametrize("code", [3, 5, 6, 7, 13, 19, 20, 56, 74, 75, 89])
    async def test_what_may_pass_is_sent_again_as_the_same_bytes(self, rig: Rig, code: int) -> None:
        rig.submit("a")
        first = await rig.sent()
        rig.submit("b")

        first.answer(code)
        second = await rig.again()

        assert second.batches == first.batches
        assert rig.settled == {}
        assert rig.counters.errors == [name_of(code)]

    @pytest.mark.parametrize("code", [TOO_LARGE, 2, 29, 87])
    async def test_a_refused_batch_fails_alone_and_its_sequence_is_not_spent(
        self, rig: Rig, code: int
    ) -> None:
        rig.submit("a")
        first = await rig.sent()
        rig.submit("b")

        first.answer(code)
        second = await rig.sent()
        second.answer(DONE)
        rig.submit("c")
        third = await rig.sent()

        assert rig.settled["a"].kept is None
        assert name_of(code) in rig.settled["a"].reason
        assert rig.settled["b"] == Outcome(Kept.KAFKA)
        assert [one.sequence("events", 0) for one in (first, second, third)] == [0, 0, 1]
        assert {one.producer("events", 0) for one in (first, second, third)} == {ONE}

    @pytest.mark.parametrize("code", [SERVER_ERROR, 119])
    async def test_after_an_error_that_tells_nothing_the_sequence_is_not_used_again(
        self, rig: Rig, code: int
    ) -> None:
        rig.submit("a")
        first = await rig.sent()
        rig.submit("b")

        first.answer(code)

        assert rig.settled["a"].kept is None
        assert await rig.quiet()
        assert rig.sender.wants_producer
        rig.sender.start(OTHER)
        second = await rig.sent()
        assert (second.producer("events", 0), second.sequence("events", 0)) == (OTHER, 0)

    @pytest.mark.parametrize("code", [OUT_OF_ORDER, 47, 59, 90])
    async def test_a_broker_that_has_lost_count_gets_another_producer(
        self, rig: Rig, code: int
    ) -> None:
        rig.submit("x", lane=1)
        other_broker = await rig.sent(2)
        rig.submit("a")
        first = await rig.sent()

        first.answer(code)

        assert not rig.sender.wants_producer  # a request is still open, as the old producer
        other_broker.answer(DONE)
        await rig.quiet()
        assert rig.sender.wants_producer
        assert rig.brokers.metadata_wanted > 0
        rig.sender.start(OTHER)
        second = await rig.sent()
        assert (second.producer("events", 0), second.sequence("events", 0)) == (OTHER, 0)
        assert names(second) == ["a"]
        second.answer(DONE)
        await rig.quiet()
        assert rig.settled == {"x": Outcome(Kept.KAFKA), "a": Outcome(Kept.KAFKA)}
        assert rig.counters.restamps == 0

    async def test_a_lane_that_the_answer_does_not_mention_is_sent_again(self, rig: Rig) -> None:
        rig.submit("a")
        first = await rig.sent()

        first.answer_nothing()

        assert (await rig.again()).batches == first.batches

    async def test_a_broker_that_throttles_us_is_left_alone(self, rig: Rig) -> None:
        rig.submit("a")
        (await rig.sent()).answer(DONE, throttle_ms=100_000)
        rig.submit("b")

        assert await rig.quiet()
        assert "a" in rig.settled


class TestSilence:
    async def test_a_lost_connection_leaves_the_same_bytes_to_be_sent(self, rig: Rig) -> None:
        rig.submit("a")
        first = await rig.sent()

        rig.brokers.cut(1)
        second = await rig.again()
        second.answer(DUPLICATE)
        await rig.quiet()

        assert second.batches == first.batches
        assert rig.settled == {"a": Outcome(Kept.KAFKA)}
        assert rig.brokers.dialled == [1, 1]

    async def test_an_answer_that_is_overdue_is_given_up_with_its_socket(self, rig: Rig) -> None:
        rig.submit("a")
        first = await rig.sent()

        rig.sender.tick(asyncio.get_running_loop().time() + 4.9)
        assert await rig.quiet()
        rig.sender.tick(asyncio.get_running_loop().time() + 5.1)

        assert (await rig.again()).batches == first.batches

    async def test_the_answer_of_a_given_up_socket_changes_nothing(self, rig: Rig) -> None:
        rig.submit("a")
        first = await rig.sent()
        rig.sender.tick(asyncio.get_running_loop().time() + 5.1)

        first.answer(DONE)

        assert rig.settled == {}
        (await rig.again()).answer(DONE)
        await rig.quiet()
        assert rig.settled == {"a": Outcome(Kept.KAFKA)}

    @pytest.mark.parametrize(
        "garbage", [b"\x7f\xff\xff\xff", b"\0\0\0\x04nope", b"HTTP/1.1 400 Bad Request\r\n\r\n"]
    )
    async def test_garbage_costs_the_connection_only(self, rig: Rig, garbage: bytes) -> None:
        rig.submit("a")
        first = await rig.sent()

        first.answer_raw(garbage)

        assert (await rig.again()).batches == first.batches

    async def test_an_answer_to_another_request_is_garbage(self, rig: Rig) -> None:
        rig.submit("a")
        first = await rig.sent()

        first.answer(DONE, correlation_id=999)

        assert (await rig.again()).batches == first.batches
        assert rig.settled == {}

    async def test_a_new_leader_gets_the_same_bytes_once_the_old_one_is_silent(
        self, rig: Rig
    ) -> None:
        rig.submit("a")
        first = await rig.sent(1)
        rig.brokers.leaders["events", 0] = 2

        assert await rig.quiet(2)  # the old leader may still answer
        rig.brokers.cut(1)

        assert (await rig.again(2)).batches == first.batches

    async def test_without_a_leader_a_lane_waits_and_asks(self, rig: Rig) -> None:
        del rig.brokers.leaders["events", 0]
        rig.submit("a")

        assert await rig.quiet()
        assert rig.brokers.metadata_wanted > 0
        rig.brokers.leaders["events", 0] = 2
        rig.sender.wake()
        assert names(await rig.again(2)) == ["a"]

    async def test_a_broker_that_cannot_be_reached_is_tried_again(self, rig: Rig) -> None:
        rig.brokers.refuses = 2
        rig.submit("a")

        assert names(await rig.again()) == ["a"]
        assert rig.counters.errors == ["connect", "connect"]

    async def test_a_batch_of_unknown_outcome_under_another_producer_is_counted(
        self, rig: Rig
    ) -> None:
        rig.submit("a")
        await rig.sent()
        rig.submit("x", lane=1)
        other = await rig.sent(2)
        rig.brokers.cut(1)
        rig.brokers.refuses = 1000
        other.answer(OUT_OF_ORDER)
        await rig.quiet()

        rig.sender.start(OTHER)

        assert rig.counters.restamps == 1


async def test_before_it_has_a_producer_nothing_leaves() -> None:
    rig = Rig()
    rig.submit("a")

    assert await rig.quiet()
    assert rig.sender.wants_producer
    rig.sender.start(ONE)
    assert names(await rig.sent()) == ["a"]
    await rig.sender.close()
