"""What `status --json` says of the brokers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from infra.local.processes import Identity
from infra.local.stack_file import Wanted, load_or_make
from infra.local.state_file import MemberState, StackState, State, report

OWN = Identity.of(os.getpid())


def kafka(folder: Path, brokers: int, **states: State) -> Any:
    """The report's `kafka`, of brokers that have this very process unless they wait for one."""
    assert OWN is not None
    members = {
        name.replace("_", "-"): MemberState(state, OWN if state == "running" else None)
        for name, state in states.items()
    }
    stack = load_or_make(folder, Wanted(gateway=0, clickhouse=0, kafka=0, brokers=brokers))
    return report(stack, StackState(OWN, "ready", members), "", "")["kafka"]


def test_three_brokers_run_when_each_does(tmp_path: Path) -> None:
    found = kafka(tmp_path, 3, kafka_1="running", kafka_2="running", kafka_3="running")

    assert found["state"] == "running"
    assert found["pids"] == [os.getpid()] * 3
    assert len(found["bootstrap"].split(",")) == 3


def test_the_broker_that_does_not_run_is_named(tmp_path: Path) -> None:
    found = kafka(tmp_path, 3, kafka_1="running", kafka_2="restarting", kafka_3="running")

    assert found["state"] == "kafka-2 restarting"
    assert found["pids"] == [os.getpid()] * 2


def test_one_broker_needs_no_name(tmp_path: Path) -> None:
    assert kafka(tmp_path, 1, kafka="restarting") == {
        "bootstrap": kafka(tmp_path, 1, kafka="running")["bootstrap"],
        "pids": [],
        "state": "restarting",
    }


def test_brokers_of_somebody_else_are_external(tmp_path: Path) -> None:
    found = kafka(tmp_path, 1)

    assert (found["pids"], found["state"]) == ([], "external")
