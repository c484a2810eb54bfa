"""Rows of `serve --workers`: each of its processes killed, one of them stuck."""

from __future__ import annotations

import os
import signal
import time

from gateway.workers.scrape import UP
from tests.e2e.path_rig import GATEWAY
from tests.faults.load import SteadyLoad
from tests.faults.rig import FaultRig
from tests.faults.row import TWO_WORKERS, Found, Row, times
from tests.kafka import wait_until

BLOCKABLE = ("tests.faults.blockable", *GATEWAY)
STUCK_EXIT = "ended with 70"  # what the supervisor logs when the watchdog has ended a worker


def members_killed(rig: FaultRig, scale: float) -> Found:
    """Workers and keeper killed, also while all brokers stand; a loop blocked; then the supervisor
    killed, and everything started anew."""
    rounds = times(scale, 10)
    rig.variant = TWO_WORKERS
    slowest = 0.0
    wrong: list[str] = []
    rig.start_sink()
    rig.start_gateway(BLOCKABLE).wait_until_ready()
    with rig.steady() as load:
        for number in range(1, rounds + 1):
            rig.say(f"round {number} of {rounds}")
            load.wait_accepted(200)
            slowest = max(slowest, *(_kill(rig, load, one) for one in ("0", "keeper", "1")))
            rig.kafka.pause_all()
            wait_until(lambda: bool(rig.spooled()), 60, "a spool")
            slowest = max(slowest, *(_kill(rig, load, one) for one in ("keeper", "1")))
            rig.kafka.resume_all()
            load.wait_all_devices()
            wrong += _block(rig, load, number)
            wrong += _kill_supervisor(rig)
            load.wait_all_devices()
    note = f"another process {slowest:.1f} s after a kill at most"
    return Found(injected=7 * rounds, wrong=wrong, note=note)


def _kill(rig: FaultRig, load: SteadyLoad, name: str) -> float:
    """kill -9 of one process; seconds until another is there in its place."""
    before = rig.gateway.members()[name]
    started = time.monotonic()
    before.kill()
    wait_until(lambda: rig.gateway.members().get(name, before) != before, 30, f"another {name}")
    took = time.monotonic() - started
    load.wait_accepted(100)
    return took


def _block(rig: FaultRig, load: SteadyLoad, number: int) -> list[str]:
    """Block a worker's loop: its watchdog ends it, and the others go on meanwhile."""
    name = str(number % 2)
    is_up = f'{UP}{{worker="{name}"}} 1.0'  # one that is still starting has no watchdog yet
    wait_until(lambda: is_up in rig.gateway.get("/metrics")[1], 30, f"worker {name}")
    stuck, log = rig.gateway.members()[name], rig.gateway.log_file
    ended_before = log.read_text().count(STUCK_EXIT)
    os.kill(stuck.pid, signal.SIGUSR1)
    load.wait_accepted(100)
    wait_until(lambda: not stuck.is_running(), 30, "the end of a stuck worker")
    wait_until(lambda: name in rig.gateway.members(), 30, "another worker")
    is_told = log.read_text().count(STUCK_EXIT) > ended_before
    return [] if is_told else ["a stuck worker did not end with 70"]


def _kill_supervisor(rig: FaultRig) -> list[str]:
    """All end with it; a new gateway takes over."""
    members = rig.gateway.members()
    rig.gateway.kill()
    try:
        wait_until(lambda: not any(one.is_running() for one in members.values()), 30, "their end")
    except AssertionError:
        return ["processes have outlived their supervisor"]
    finally:
        rig.start_gateway(BLOCKABLE)
    return []


ROWS = [
    Row(
        number=26,
        title="workers, keeper, supervisor",
        fault="Workers and keeper of `serve --workers 2` are killed, with Kafka there and with "
        "every broker frozen, a worker's event loop is blocked, and the supervisor is killed: each "
        "is started again or ends with it, and nothing is lost or out of order.",
        run=members_killed,
        seconds=400,
    ),
]
