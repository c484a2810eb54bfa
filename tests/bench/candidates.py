"""Gateways that are measured: ours in its variants, and others that do the same work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

import psutil
from msgspec import Struct

from gateway.contract.topics import APP_EVENTS
from tests.processes import GatewayProcess, Process, add_key

GATEWAY_CORE = 0  # everything else of a benchmark runs on the others, where there are any
YARDSTICK_TOPIC = "yardstick-events"
NO_SPOOL: dict[str, object] = {"spool_bytes": 0}


class Candidate:
    """One gateway that is up."""

    def __init__(self, name: str, process: Process, port: int, topic: str) -> None:
        self.name = name
        self.process = process
        self.port = port
        self.topic = topic
        for one in self._tree():
            _pin(one.pid, {GATEWAY_CORE})

    def cpu_seconds(self) -> float:
        """Of all its processes, as the scheduler counted it."""
        return sum(cpu_seconds(one.pid) for one in self._tree())

    def _tree(self) -> list[psutil.Process]:
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]

    def stop(self) -> None:
        self.process.stop()


class Variant(Struct, frozen=True):
    """Our gateway, started in some way."""

    name: str
    command: Sequence[str] = ("gateway", "serve")
    options: dict[str, object] = {}
    checkout: Path | None = None  # another tree of the project, whose code runs


def start_gateway(variant: Variant, bootstrap: str, folder: Path) -> Candidate:
    data = folder / variant.name.replace(" ", "-")
    data.mkdir()
    add_key("bench", data)
    options = {"spool_min_free_bytes": 0} | variant.options
    with chdir(variant.checkout or Path.cwd()):  # `python -m` takes its modules from there
        process = GatewayProcess(bootstrap, data, 0, variant.command, None, **options)
    process.wait_until_ready()
    return Candidate(variant.name, process, process.port, APP_EVENTS.name)


def start_fastapi(bootstrap: str, folder: Path) -> Candidate:
    command = ["tests.bench.peers.fastapi_gateway", bootstrap, YARDSTICK_TOPIC]
    process = Process(command, {}, "yardstick ready", folder / "fastapi.log")
    port = int(process.wait_ready().rpartition(":")[2])
    return Candidate("FastAPI, tuned", process, port, YARDSTICK_TOPIC)


def pin_others() -> None:
    """Keep this process, and what it starts from now on, off the gateways' core."""
    _pin(0, set(range(os.cpu_count() or 1)) - {GATEWAY_CORE})


def _pin(pid: int, cores: set[int]) -> None:
    if cores and (os.cpu_count() or 1) > 1:
        for thread in Path(f"/proc/{pid or os.getpid()}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


def cpu_seconds(pid: int) -> float:
    """Of all threads of a process, as the scheduler counted it."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in threads) / 1e9
