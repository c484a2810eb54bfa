"""What a running stack tells about itself: who runs, in which state. Written at every change."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from infra.local.processes import Identity
from infra.local.stack_file import Stack, load, write_private

State = Literal["starting", "running", "restarting", "stopping", "stopped", "failed", "external"]


Phase = Literal["starting", "ready", "stopping"]


class MemberState(Struct, frozen=True):
    state: State
    identity: Identity | None = None


class StackState(Struct, frozen=True):
    supervisor: Identity
    phase: Phase
    members: dict[str, MemberState]


def state_path(data: Path) -> Path:
    return data / "run" / "state.json"


def save(data: Path, state: StackState) -> None:
    write_private(state_path(data), msgspec.json.encode(state))


def read(data: Path) -> StackState | None:
    """The last state written, whether or not its processes still live."""
    try:
        return msgspec.json.decode(state_path(data).read_bytes(), type=StackState)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def running(data: Path) -> StackState | None:
    """The state of the stack that runs there now; None when none does."""
    state = read(data)
    return state if state is not None and state.supervisor.process() is not None else None


def report(
    stack: Stack, state: StackState, environ_kafka: str, environ_url: str
) -> dict[str, object]:
    """The status as `telemetry-infra status --json` prints it."""
    kafka_pids, kafka_state = _brokers(state)
    clickhouse_pid, clickhouse_state = _member(state, "clickhouse")
    gateway_pid, gateway_state = _member(state, "gateway")
    sink_pid, sink_state = _member(state, "sink")
    console_pid, console_state = _member(state, "console")
    return {
        "gateway": {"url": stack.gateway_url, "pid": gateway_pid, "state": gateway_state},
        "clickhouse": {
            "url": environ_url or stack.clickhouse_url,
            "pid": clickhouse_pid,
            "state": clickhouse_state,
            "user": stack.writer.user,
            "password": stack.writer.password,
            "reader": {"user": stack.reader.user, "password": stack.reader.password},
        },
        "kafka": {
            "bootstrap": environ_kafka or stack.bootstrap,
            "pids": kafka_pids,
            "state": kafka_state,
        },
        "sink": {"pid": sink_pid, "state": sink_state},
        "console": {"url": stack.console_url, "pid": console_pid, "state": console_state},
        "write_key": stack.write_key,
        "supervisor": {"pid": state.supervisor.pid, "state": state.phase},
    }


def _brokers(state: StackState) -> tuple[list[int], str]:
    """The pids of all brokers; `running` when each one is, else which one is what."""
    names = [name for name in state.members if name.partition("-")[0] == "kafka"]
    if len(names) <= 1:
        pid, alone = _member(state, "kafka")
        return [pid] if pid is not None else [], alone
    found = {name: _member(state, name) for name in names}
    others = [f"{name} {one}" for name, (_, one) in found.items() if one != "running"]
    pids = [pid for pid, _ in found.values() if pid is not None]
    return pids, ", ".join(others) or "running"


def _member(state: StackState, name: str) -> tuple[int | None, str]:
    """Pid and state as they are now: a member may have ended since, or been stopped."""
    member = state.members.get(name, MemberState("external"))
    if member.identity is None:
        return None, member.state
    if member.identity.process() is None:
        return None, "restarting" if state.phase != "stopping" else "stopped"
    if member.identity.is_stopped():
        return member.identity.pid, "stopped"
    return member.identity.pid, member.state


__all__ = ["MemberState", "StackState", "State", "load", "read", "report", "running", "save"]
