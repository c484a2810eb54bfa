"""Rows of brokers that are there and do not do as they should: mute, slow, or saying no."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from gateway.contract.record import partition_of
from gateway.contract.topics import APP_EVENTS
from tests.faults.load import SteadyLoad
from tests.faults.produce_answers import Refusals
from tests.faults.rig import FaultRig
from tests.faults.row import Found, Row, seconds, times
from tests.faults.rows.kafka import PAIRS, busiest, wait_out
from tests.kafka import wait_until
from tests.kafka_proxy import KafkaProxy

REFUSALS = (  # code, and whether the broker has written the batch all the same
    (10, False),  # MESSAGE_TOO_LARGE
    (87, False),  # INVALID_RECORD
    (2, False),  # CORRUPT_MESSAGE
    (45, False),  # OUT_OF_ORDER_SEQUENCE_NUMBER
    (19, False),  # NOT_ENOUGH_REPLICAS
    (6, False),  # NOT_LEADER_OR_FOLLOWER
    (7, True),  # REQUEST_TIMED_OUT, though it is there
    (20, True),  # NOT_ENOUGH_REPLICAS_AFTER_APPEND
    (59, False),  # UNKNOWN_PRODUCER_ID
)
SLOW_SECONDS = 0.4
OTHERS_SHARE = 0.7  # of their usual answers that the other brokers' phones must go on getting


@contextmanager
def _proxied(rig: FaultRig) -> Iterator[KafkaProxy]:
    """The gateway sees its brokers through a proxy; the sinks do not."""
    proxy = KafkaProxy(rig.kafka.bootstrap)
    rig.gateway_bootstrap = proxy.bootstrap
    try:
        rig.start_path()
        yield proxy
        rig.gateway.kill()
        rig.gateway_bootstrap = rig.kafka.bootstrap
        rig.start_gateway()
    finally:
        proxy.close()


def leaders_mute(rig: FaultRig, scale: float) -> Found:
    """Two brokers frozen for much longer than a request may take."""
    outages = times(scale, 4)
    length = seconds(scale, 15, 6)
    rig.start_path()
    with rig.steady() as load:
        for number in range(outages):
            rig.say(f"outage {number + 1} of {outages}")
            load.wait_accepted(200)
            for node in PAIRS[number % 3]:
                rig.kafka.pause(node)
            wait_out(rig, length)
            rig.kafka.heal()
            load.wait_all_devices()
    ids = int(rig.metric("kafka_producer_ids_total") or 0)
    return Found(injected=outages, note=f"{ids} producer ids in all")


def batches_refused(rig: FaultRig, scale: float) -> Found:
    """Every kind of no, one request at a time, also where the broker has written."""
    rounds = times(scale, 10)
    refusals = Refusals()
    with _proxied(rig) as proxy:
        proxy.refuse = refusals
        with rig.steady() as load:
            for number in range(1, rounds + 1):
                rig.say(f"round {number} of {rounds}")
                for code, is_written in REFUSALS:
                    goal = refusals.made + 1
                    refusals.add(code, is_written=is_written)
                    wait_until(lambda goal=goal: refusals.made >= goal, 60, "a refused request")  # type: ignore[misc]
                    load.wait_accepted(40)
            load.wait_all_devices()
        ids = int(rig.metric("kafka_producer_ids_total") or 0)
    note = f"{load.statuses[503]} answers of 503, {ids} producer ids"
    return Found(injected=refusals.made, note=note)


def slow_and_mute(rig: FaultRig, scale: float) -> Found:
    """One broker answers 0.4 s late, then not at all; its neighbours' phones must not notice."""
    phase = seconds(scale, 20, 5)
    wrong: list[str] = []
    released = threading.Event()
    with _proxied(rig) as proxy, rig.steady(devices=60) as load:
        victim = busiest(rig)
        port = rig.kafka.port_of(victim)
        load.wait_all_devices()
        others = _led_by_others(rig, load, victim)
        before = _answers(rig, load, others, phase)
        proxy.before_answer = lambda at: time.sleep(SLOW_SECONDS) if at == port else None
        slow = _answers(rig, load, others, phase)
        proxy.before_answer = partial(_hold, port, released)
        mute = _answers(rig, load, others, phase)
        released.set()
        proxy.before_answer = lambda _: None
        load.wait_all_devices()
    for name, count in (("slow", slow), ("mute", mute)):
        if count < OTHERS_SHARE * before:
            wrong.append(
                f"one broker {name}: {count} answers to the others' phones, {before} usual"
            )
    note = (
        f"answers to the others' phones: {before} usual, {slow} with it slow, {mute} with it mute"
    )
    return Found(injected=2, wrong=wrong, note=note)


def _hold(victim: int, released: threading.Event, port: int) -> None:
    if port == victim:
        released.wait(120)


def _led_by_others(rig: FaultRig, load: SteadyLoad, victim: int) -> set[int]:
    """Devices whose partition the victim does not lead."""
    leaders = asyncio.run(rig.kafka.leaders(APP_EVENTS.name))
    return {
        number
        for number in range(load.shape.devices)
        if leaders[partition_of(load.device_id(number).encode(), APP_EVENTS.partitions)] != victim
    }


def _answers(rig: FaultRig, load: SteadyLoad, devices: set[int], length: float) -> int:
    """How many answers of 200 these devices get within so many seconds."""
    since = len(load.acks)
    wait_out(rig, length)
    return sum(one.device in devices for one in load.acks[since:])


ROWS = [
    Row(
        number=6,
        title="leaders mute beyond the request timeout",
        fault="Two brokers are frozen for several times as long as a request may take: no "
        "partition is dead afterwards.",
        run=leaders_mute,
        has_variants=True,
        seconds=120,
    ),
    Row(
        number=7,
        title="batches refused",
        fault="Produce requests are answered with nine errors in turn, also where the broker has "
        "written: what is not kept is told to come again, and no partition is dead.",
        run=batches_refused,
        seconds=90,
        short=0.01,
    ),
    Row(
        number=8,
        title="one broker slow, then mute",
        fault="One broker answers 0.4 s late and then not at all: phones of the others' "
        "partitions go on being answered.",
        run=slow_and_mute,
        seconds=90,
    ),
]
