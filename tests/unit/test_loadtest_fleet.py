"""The fleet at work against a gateway with faults: nothing forgotten, each phone in its order."""

from __future__ import annotations

import pytest

from loadtest.devices import Post
from loadtest.fleet import Play, run_fleet
from loadtest.ledger import Ledger
from tests.fakes_gateway import FakeGateway, Fault


def phone(name: str, posts: int, *, reply_is_lost: bool = False) -> list[Post]:
    """POSTs of two events each."""
    return [
        Post(
            device_id=name,
            at=0.0,
            context={},
            events=[
                {"event_id": f"{name}-{post}-{number}", "type": "t", "timestamp": "now"}
                for number in range(2)
            ],
            clock_skew_ms=0,
            reply_is_lost=reply_is_lost,
        )
        for post in range(posts)
    ]


async def play(
    fake: FakeGateway, *phones: list[Post], grace_seconds: float = 30.0
) -> tuple[Ledger, int]:
    """The ledger of a play, and how many events were told to be settled."""
    ledger = Ledger()
    settled: list[int] = []
    await run_fleet(
        Play(url=fake.url, write_key="key", seconds=0.01, grace_seconds=grace_seconds),
        phones,
        ledger,
        settled.append,
    )
    return ledger, sum(settled)


async def test_every_event_is_delivered_and_settled_once() -> None:
    async with FakeGateway() as fake:
        ledger, settled = await play(fake, phone("a", 3), phone("b", 2))

    assert sorted(fake.kept) == sorted(
        str(event["event_id"]) for post in (*phone("a", 3), *phone("b", 2)) for event in post.events
    )
    assert (ledger.totals().accepted, settled) == (10, 10)


@pytest.mark.parametrize(
    "fault", [Fault.BUSY, Fault.LOST_REPLY, Fault.NOT_HTTP, Fault.NOT_JSON, Fault.WRONG_SUM]
)
async def test_what_got_no_final_answer_is_sent_again_before_anything_else(fault: Fault) -> None:
    async with FakeGateway() as fake:
        fake.faults += [fault, fault]
        ledger, _ = await play(fake, phone("a", 3))

    first = [str(body["events"][0]["event_id"]) for body in fake.bodies]
    assert first == ["a-0-0"] * 3 + ["a-1-0", "a-2-0"]
    assert list(dict.fromkeys(fake.kept)) == [f"a-{post}-{n}" for post in range(3) for n in (0, 1)]
    assert ledger.totals().unanswered == 4
    assert ledger.given_up() == 0


async def test_a_final_no_is_not_repeated() -> None:
    async with FakeGateway() as fake:
        fake.faults.append(Fault.REFUSED)
        ledger, settled = await play(fake, phone("a", 2))

    assert len(fake.bodies) == 2
    assert (ledger.totals().refused, ledger.totals().accepted, settled) == (2, 2, 4)


async def test_a_phone_that_lost_a_reply_sends_the_same_events_again() -> None:
    async with FakeGateway() as fake:
        ledger, _ = await play(fake, phone("a", 1, reply_is_lost=True))

    one, again = fake.bodies
    assert one["events"] == again["events"]
    assert ledger.totals().accepted == 4


async def test_when_time_is_up_every_tried_event_is_in_the_ledger() -> None:
    async with FakeGateway() as fake:
        fake.faults += [Fault.BUSY] * 1000
        ledger, settled = await play(fake, phone("a", 3), grace_seconds=0.5)

    assert settled == 0
    assert ledger.given_up() == 2 * len({str(one["events"][0]["event_id"]) for one in fake.bodies})
    assert ledger.totals().sent == sum(len(one["events"]) for one in fake.bodies)
