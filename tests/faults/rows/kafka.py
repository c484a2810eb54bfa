"""Rows of Kafka: brokers killed and frozen, one, two and all of them; answers that lie or fail."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from gateway.contract.topics import APP_EVENTS
from tests.faults.rig import FaultRig
from tests.faults.row import Control, Found, Row, seconds, times

UNSORTED = ("tests.e2e.careless_gateway", "unsorted")
PAIRS = ((1, 2), (2, 3), (3, 1))


def busiest(rig: FaultRig) -> int:
    """The node that leads the most partitions."""
    leaders = asyncio.run(rig.kafka.leaders(APP_EVENTS.name))
    ((node, _),) = Counter(leaders.values()).most_common(1)
    return node


def one_killed(rig: FaultRig, scale: float) -> Found:
    """The busiest leader is killed, and back when the others have taken over."""
    kills = times(scale, 10)
    rig.start_path()
    with rig.steady() as load:
        for number in range(1, kills + 1):
            rig.say(f"kill {number} of {kills}")
            load.wait_accepted(200)
            rig.kafka.kill(busiest(rig))
            load.wait_all_devices()
            rig.kafka.heal()
    return Found(injected=kills, note=f"{load.statuses[503]} answers of 503")


def all_down(rig: FaultRig, scale: float) -> Found:
    """Outages of every broker in turn frozen and killed, then a long one."""
    count = times(scale, 5)
    short, long = seconds(scale, 20, 5), seconds(scale, 600, 8)
    if rig.variant.workers > 1:
        long = seconds(scale, 60, 8)
    outages = [short] * count + [long]
    acknowledged = 0
    rig.start_path()
    with rig.steady() as load:
        for number, length in enumerate(outages):
            rig.say(f"outage {number + 1} of {len(outages)}, {length:.0f} s")
            load.wait_accepted(200)
            if number % 2:
                rig.kafka.kill_all()
            else:
                rig.kafka.pause_all()
            before = load.accepted
            wait_out(rig, length)
            acknowledged += load.accepted - before
            rig.kafka.heal()
            load.wait_all_devices()
    note = f"{acknowledged} events acknowledged during outages of {sum(outages):.0f} s"
    return Found(injected=len(outages), note=note)


def drained_unsorted(rig: FaultRig, scale: float) -> Found:
    rig.start_sink()
    rig.start_gateway(UNSORTED).wait_until_ready()
    with rig.steady() as load:
        load.wait_accepted(200)
        rig.kafka.pause_all()
        wait_out(rig, seconds(scale, 20, 6))
        rig.kafka.heal()
        load.wait_all_devices()
    return Found(injected=1)


def two_down(rig: FaultRig, scale: float) -> Found:
    """Two of three killed: the third alone must not acknowledge."""
    outages = times(scale, 5)
    length = seconds(scale, 15, 5)
    rig.start_path()
    with rig.steady() as load:
        for number in range(outages):
            rig.say(f"outage {number + 1} of {outages}, {length:.0f} s")
            load.wait_accepted(200)
            for node in PAIRS[number % 3]:
                rig.kafka.kill(node)
            wait_out(rig, length)
            rig.kafka.heal()
            load.wait_all_devices()
    return Found(injected=outages, note=f"{load.statuses[503]} answers of 503")


def wait_out(rig: FaultRig, length: float) -> None:
    """The fault itself takes so many seconds."""
    end = time.monotonic() + length
    while (left := end - time.monotonic()) > 0:
        rig.say(f"outage, {left:.0f} s left")
        time.sleep(min(left, 1.0))


ROWS = [
    Row(
        number=4,
        title="one of three brokers SIGKILL",
        fault="The broker that leads most partitions is killed under load and comes back when "
        "the others lead; nothing is lost, twice or out of order.",
        run=one_killed,
        has_variants=True,
        seconds=180,
    ),
    Row(
        number=2,
        title="all brokers down",
        fault="All three brokers are frozen or killed at once, for a while and for long; what was "
        "acknowledged before and meanwhile is stored in order.",
        run=all_down,
        has_variants=True,
        control=Control(
            says="a gateway that drains its spool in no order",
            run=drained_unsorted,
            must="inverted",
        ),
        seconds=850,
        short=0.01,
    ),
    Row(
        number=5,
        title="two of three brokers down",
        fault="Two brokers are killed: the third may not acknowledge alone, and takes up again "
        "when one is back.",
        run=two_down,
        has_variants=True,
        seconds=180,
    ),
]
