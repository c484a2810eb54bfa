"""The reference client: what it decides, what its file keeps, and that a fault server finds nothing
wrong with it. Time jumps in these tests: nobody waits."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.client import Reply
from loadtest.fault_judge import Finding, Seen, judge
from loadtest.fault_server import FaultServer
from loadtest.faults import DEFAULT_SCRIPT, Player, Step, parse_script, random_steps
from loadtest.phone import (
    MAX_EVENTS,
    Advice,
    Queue,
    Queued,
    ReferencePhone,
    batch_of,
    body_of,
    decide,
)
from tests.careless_phone import CarelessPhone
from tests.gateway_app import KEY, GatewayUnderTest
from tests.live_gateway import served
from tests.time_travel import travel

BASE_MS = 1_795_497_600_000
CONTEXT = {"app": {"version": "1.0"}, "device": {"model": "Pixel 8"}}
GOOD = {"accepted": 3, "duplicates": 1, "rejected": []}


def reply(status: int, body: object = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, json.dumps(body).encode())


def advice(sent: int, answer: Reply | None, tries: int = 1) -> Advice:
    return decide(sent, answer, tries, random.Random(7))


def wrong(findings: list[Finding]) -> dict[str, int]:
    return {one.what: one.count for one in findings if one.is_wrong}


def test_a_200_settles_every_event_and_names_those_that_are_rejected() -> None:
    body = {"accepted": 2, "duplicates": 1, "rejected": [{"index": 1}], "stored": "spool"}

    found = advice(4, reply(200, body))

    assert (found.forgets, found.rejected, found.wait) == (True, (1,), 0)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        Reply(200, {}, b"<html>please log in</html>"),
        Reply(200, {}, b"\xff"),
        reply(200, GOOD),  # of four events, and five were sent
        reply(200, {"accepted": 4, "duplicates": 0, "rejected": [{"index": 5}]}),
        *(reply(status) for status in (302, 401, 403, 404, 408, 429, 500, 502, 503)),
    ],
)
def test_whatever_else_happens_all_of_them_are_kept_for_later(answer: Reply | None) -> None:
    found = advice(5, answer)

    assert not found.forgets
    assert found.most == 5
    assert found.wait > 0


@pytest.mark.parametrize("status", [400, 413, 415, 431])
def test_a_final_no_halves_the_batch_and_costs_a_lone_event(status: int) -> None:
    assert advice(5, reply(status)) == Advice(most=3)
    assert advice(1, reply(status)) == Advice(forgets=True, rejected=(0,))


def test_retry_after_is_kept_however_long_it_is() -> None:
    assert 900 <= advice(5, reply(503, retry_after="900")).wait <= 990
    assert advice(5, reply(401)).wait >= 300


@given(st.integers(1, 60), st.integers())
def test_waits_double_up_to_five_minutes(tries: int, seed: int) -> None:
    grown = min(300.0, 2.0 ** (tries - 1))

    assert grown / 2 <= decide(1, None, tries, random.Random(seed)).wait <= grown


@given(st.lists(st.integers(1, 50), min_size=1), st.integers(1, 20), st.integers(1, 200))
def test_a_batch_is_the_front_of_the_queue_within_both_limits(
    sizes: list[int], most: int, max_bytes: int
) -> None:
    queued = [Queued(number, "id", "x" * size) for number, size in enumerate(sizes)]

    batch = batch_of(queued, most, max_bytes)

    assert 1 <= len(batch) <= most
    assert batch == queued[: len(batch)]
    assert len(batch) == 1 or sum(len(one.text) + 1 for one in batch) <= max_bytes


def test_a_body_is_the_batch_in_gzip() -> None:
    body = body_of([Queued(1, "a", '{"a":1}'), Queued(2, "b", '{"b":2}')], CONTEXT, "now")

    assert json.loads(gzip.decompress(body)) == {
        "sent_at": "now",
        "context": CONTEXT,
        "events": [{"a": 1}, {"b": 2}],
    }


def test_the_file_keeps_ids_numbers_and_the_install(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue")
    for number in range(3):
        queue.put({"type": "app_open", "n": number})
    before, device = queue.first(9), queue.device_id
    queue.forget(before)
    queue.close()

    queue = Queue(tmp_path / "queue")
    queue.put({"type": "app_open", "sequence": 1, "event_id": "mine"})

    (event,) = queue.first(9)
    queue.close()
    assert [one.sequence for one in before] == [1, 2, 3]
    assert (event.sequence, queue.device_id) == (4, device)
    assert json.loads(event.text)["event_id"] == event.event_id != "mine"


def test_an_event_is_there_for_others_when_track_returns(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue")
    queue.put({"type": "app_open"})

    other = sqlite3.connect(tmp_path / "queue")
    (count,) = other.execute("SELECT count(*) FROM events").fetchone()
    (synchronous,) = queue._db.execute("PRAGMA synchronous").fetchone()
    other.close()
    queue.close()

    assert (count, synchronous) == (1, 2)  # 2: FULL


class Life:
    """A phone in front of a fault server, and what came of it."""

    def __init__(self, folder: Path, steps: list[Step], seed: int = 7) -> None:
        self._folder, self._steps, self._seed = folder, steps, seed
        self.rejected: list[Queued] = []
        self.left = 0
        self.seen: list[Seen] = []

    async def run(self, batches: int) -> Life:
        loop = asyncio.get_running_loop()
        queue = Queue(self._folder / "queue", lambda: BASE_MS + round(loop.time() * 1000))
        async with FaultServer(Player(self._steps)) as server:
            phone = ReferencePhone(
                server.url,
                "key",
                queue,
                CONTEXT,
                clock=lambda: BASE_MS + round(loop.time() * 1000),
                chance=random.Random(self._seed),
                on_rejected=self.rejected.append,
            )
            for number in range(batches):
                for _ in range(number % 7 + 2):
                    phone.track("track", name=f"n{number}", properties={"price": 9.99})
                await phone.flush()
            await phone.close()
            self.seen = server.seen
        self.left = len(queue.first(MAX_EVENTS))
        queue.close()
        return self


def test_the_reference_client_passes_every_fault_of_the_script(tmp_path: Path) -> None:
    life = travel(Life(tmp_path, parse_script(DEFAULT_SCRIPT)).run(20))

    assert {one.fault for one in life.seen} == {
        "ok", "503", "413", "cut", "reject", "429", "slow", "refuse", "401",
    }  # fmt: skip
    assert wrong(judge(life.seen)) == {}
    assert life.left == 0
    assert life.rejected


@pytest.mark.parametrize("seed", range(3))
def test_the_reference_client_passes_random_faults(tmp_path: Path, seed: int) -> None:
    dice = random_steps(random.Random(seed))
    steps = [next(dice) for _ in range(40)]

    life = travel(Life(tmp_path, steps, seed).run(60))

    assert len(life.seen) > 60
    assert wrong(judge(life.seen)) == {}
    assert life.left == 0


def test_an_answer_slower_than_a_client_waits_costs_nothing(tmp_path: Path) -> None:
    life = travel(Life(tmp_path, parse_script("slow:60*4,ok")).run(2))

    assert [one.answered for one in life.seen] == [False] * 4 + [True] * 2
    assert wrong(judge(life.seen)) == {}


def test_only_the_event_that_is_too_large_is_given_up(tmp_path: Path) -> None:
    async def run() -> list[Seen]:
        queue = Queue(tmp_path / "queue")
        async with FaultServer(Player(parse_script("413:3000*20"))) as server:
            phone = ReferencePhone(server.url, "key", queue, CONTEXT, on_rejected=given_up.append)
            for number in range(8):
                phone.track("track", name="n", properties={"pad": "x" * (4000 * (number == 5))})
            await phone.flush()
            await phone.close()
        queue.close()
        return server.seen

    given_up: list[Queued] = []
    seen = travel(run())

    assert [one.sequence for one in given_up] == [6]
    assert {e.sequence for one in seen if one.taken for e in one.events} == {1, 2, 3, 4, 5, 7, 8}
    assert wrong(judge(seen)) == {}


async def test_the_gateway_keeps_what_the_reference_client_tracks(tmp_path: Path) -> None:
    rejected: list[Queued] = []
    gateway = GatewayUnderTest(tmp_path)
    queue = Queue(tmp_path / "queue")
    async with served(gateway) as url:
        phone = ReferencePhone(url, KEY, queue, CONTEXT, on_rejected=rejected.append)
        for pad in (1, 40_000, 1):
            phone.track("track", name="n", properties={"pad": "x" * pad})
        await phone.flush()
        await phone.close()
    device, left = queue.device_id, queue.first(9)
    queue.close()

    assert [(one["device_id"], one["sequence"]) for one in gateway.rows()] == [
        (device, 1),
        (device, 3),
    ]
    assert [one.sequence for one in rejected] == [2]
    assert left == []


def test_a_careless_client_is_found_wrong() -> None:
    async def run() -> list[Seen]:
        steps = parse_script("ok,cut*5,ok,503:5,429:5*2,ok,413*3")
        async with FaultServer(Player(steps)) as server:
            phone = CarelessPhone(server.url)
            for _ in range(6):
                await phone.post(3)
            await phone.close()
            return server.seen

    found = wrong(judge(travel(run())))

    assert found == {
        "events lost": 3,
        "repeated under a changed id": 3 * 10,
        "retries sooner than Retry-After": 3,
        "retries without growing wait": 1,
        "batches not split on 413": 3,
        "repeats with the sent_at of before": 10,
    }
