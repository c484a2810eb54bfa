"""Rows of the gateway itself: killed, stopped, and clients that send everything again."""

from __future__ import annotations

import random
import time

from tests.e2e.path_rig import GATEWAY
from tests.faults.rig import FaultRig
from tests.faults.row import Control, Found, Row, times

EARLY = ("tests.e2e.careless_gateway", "early")
COPY_WINDOW = 50_000  # the sink's default; the last copies come long after the first
EXIT_SECONDS = 25.0  # what an orchestrator gives a process to end


def killed(rig: FaultRig, scale: float) -> Found:
    """kill -9 at random moments under load; each fifth time while all brokers are frozen."""
    kills = times(scale, 50, 3)
    rig.start_path()
    with rig.steady(devices=60, pause_seconds=0.1) as load:
        for number in range(1, kills + 1):
            rig.say(f"kill {number} of {kills}")
            load.wait_accepted(random.randrange(20, 600))
            if number % 5 == 0 or number == kills:
                kill_while_brokers_stand(rig, GATEWAY)
            else:
                rig.restart_gateway()
        load.wait_all_devices()
    return Found(injected=kills, note=f"{load.unanswered} events sent again")


def kill_while_brokers_stand(rig: FaultRig, command: tuple[str, str], **options: object) -> None:
    """Frozen while POSTs are in the gateway's hands that Kafka does not have, or in its spool."""
    rig.kafka.pause_all()
    time.sleep(random.uniform(0.5, 4.0))  # the fault itself: how long the brokers stand
    rig.restart_gateway(command, **options)
    rig.kafka.resume_all()
    rig.loads[-1].wait_accepted(20)


def killed_early(rig: FaultRig, scale: float) -> Found:
    rig.start_sink()
    rig.start_gateway(EARLY, spool_bytes=0).wait_until_ready()
    kills = times(scale, 4, 2)
    with rig.steady(devices=60, pause_seconds=0.1) as load:
        for _ in range(kills):
            load.wait_accepted(200)
            kill_while_brokers_stand(rig, EARLY, spool_bytes=0)
    return Found(injected=kills)


def stopped(rig: FaultRig, scale: float) -> Found:
    """SIGTERM under load: with Kafka there, then with every broker frozen."""
    stops = times(scale, 10, 2)
    wrong: list[str] = []
    slowest = {True: 0.0, False: 0.0}
    rig.start_path()
    with rig.steady(devices=60, pause_seconds=0.1) as load:
        for number in range(stops):
            is_kafka_there = number % 2 == 0
            rig.say(f"stop {number + 1} of {stops}, Kafka {'up' if is_kafka_there else 'frozen'}")
            load.wait_accepted(300)
            if not is_kafka_there:
                rig.kafka.pause_all()
            started = time.monotonic()
            code = rig.gateway.stop()
            took = time.monotonic() - started
            slowest[is_kafka_there] = max(took, slowest[is_kafka_there])
            rig.kafka.resume_all()
            rig.start_gateway()
            if code != 0 or took > EXIT_SECONDS:
                wrong.append(f"exit code {code} after {took:.1f} s")
        load.wait_all_devices()
    note = f"exit after {slowest[True]:.1f} s at most, with Kafka frozen {slowest[False]:.1f} s"
    return Found(injected=stops, wrong=wrong, note=note)


def sent_three_times(rig: FaultRig, scale: float) -> Found:
    rig.start_sink(dedup_window_offsets=COPY_WINDOW)
    rig.start_gateway().wait_until_ready()
    with rig.steady(copies=3, pause_seconds=0.1) as load:
        load.wait_accepted(times(scale, 60_000, 2_000))
    posts = len(load.acks)
    events = sum(len(one) for one in rig.ledger.accepted().values())
    copies = posts - events // load.shape.events
    note = f"{posts} answers of 200"
    wrong = [] if load.statuses.keys() == {200} else [f"answers {dict(load.statuses)}"]
    return Found(injected=copies, wrong=wrong, note=note)


ROWS = [
    Row(
        number=1,
        title="gateway kill -9",
        fault="The gateway is killed at random moments under load, each fifth time while all "
        "brokers stand still; what it had acknowledged is stored, and the rest is sent again.",
        run=killed,
        has_variants=True,
        control=Control(
            says="a gateway that answers 200 before Kafka has acknowledged",
            run=killed_early,
            must="lost",
        ),
        seconds=280,
    ),
    Row(
        number=19,
        title="each batch sent three times",
        fault="Every POST is sent three times, and some once more at the end; each copy is "
        "accepted, and each event is one row.",
        run=sent_three_times,
        seconds=120,
        short=0.01,
    ),
    Row(
        number=24,
        title="SIGTERM",
        fault="The gateway is told to stop under load, with Kafka there and with every broker "
        "frozen; it ends what is in flight and exits with 0 in time.",
        run=stopped,
        has_variants=True,
        seconds=120,
    ),
]
