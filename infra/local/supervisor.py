"""The supervisor: starts the members in order, restarts what dies, ends all when told to.

When it is itself killed, Linux ends its children; elsewhere the next start does.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import IO

from infra.local import processes, state_file
from infra.local.members import Member
from infra.local.processes import Identity
from infra.local.state_file import MemberState, Phase, StackState, State

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
STABLE_SECONDS = 30.0  # a member that ran so long starts again at once
LEFTOVER_SECONDS = 30.0


Step = Callable[[], Awaitable[None]]


class StackError(Exception):
    """The stack cannot start. The text says what failed and what to do."""


def backoff(first_seconds: float = 0.2, most_seconds: float = 10.0) -> Iterator[float]:
    """Waits before restarts: longer each time."""
    wait = first_seconds
    while True:
        yield wait
        wait = min(most_seconds, wait * 2)


def lock(data: Path) -> IO[str]:
    """Hold the folder; it is let go when the process ends. Raises StackError."""
    path = data / "run" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise StackError(f"a stack already runs in {data}") from None
    return file


def end_leftovers(data: Path) -> None:
    """End what a killed supervisor has left behind."""
    state = state_file.read(data)
    for name, member in (state.members if state else {}).items():
        if member.identity is not None and member.identity.process() is not None:
            log.warning("ending %s, left over from a killed supervisor", name)
            processes.end_leftover(member.identity, LEFTOVER_SECONDS)


class Supervisor:
    """Runs the members of one data folder."""

    def __init__(self, data: Path, members: list[Member], say: Callable[[str], None]) -> None:
        self._data = data
        self._groups = [
            list(group)
            for _, group in groupby(members, key=lambda member: member.group or member.name)
        ]
        self._say = say
        own = Identity.of(os.getpid())
        if own is None:
            raise StackError("this process cannot see itself in the process table")
        self._identity = own
        self._states: dict[str, MemberState] = {}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._phase: Phase = "starting"

    async def run(self, stop: asyncio.Event, before: Mapping[str, Step], when_ready: Step) -> None:
        """Start all, tend them until `stop`, end all. `before` runs ahead of the start of the
        group that begins with a member, `when_ready` once all run.

        Raises StackError when the start fails; what was started is ended then too.
        """
        tenders: list[asyncio.Task[None]] = []
        try:
            for group in self._groups:
                if group[0].name in before:
                    await before[group[0].name]()
                await self._first_start(group, stop)
                if stop.is_set():
                    return
                tenders += [asyncio.create_task(self._tend(member)) for member in group]
            self._phase = "ready"
            self._save()
            await when_ready()
            await stop.wait()
        finally:
            await self._end_all(tenders)

    async def _first_start(self, group: list[Member], stop: asyncio.Event) -> None:
        """Start a group's members together, and wait for each: one may need the others."""
        for member in group:
            self._say(f"starting {member.name}")
            await self._start(member, "starting")
        started = time.monotonic()
        waiting = list(group)
        while waiting and not stop.is_set():
            for member in waiting:
                self._check_start(member, started)
            ready = [member for member in waiting if await member.is_ready()]
            for member in ready:
                process = self._running[member.name]
                self._set(member.name, "running", Identity.of(process.pid))
                log.info("%s is ready, pid %d", member.name, process.pid)
            waiting = [member for member in waiting if member not in ready]
            if waiting:
                await asyncio.sleep(POLL_SECONDS)

    def _check_start(self, member: Member, started: float) -> None:
        ended = self._running[member.name].returncode is not None
        if ended or time.monotonic() > started + member.start_seconds:
            what = "ended" if ended else "did not get ready"
            text = processes.last_lines(self._log_file(member))
            raise StackError(f"{member.name} {what}; its log says:\n{text}")

    async def _start(self, member: Member, state: State) -> asyncio.subprocess.Process:
        self._set(member.name, state, None)
        try:
            command = await asyncio.to_thread(member.prepare)
            process = await processes.start(command, member.environment, self._log_file(member))
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            raise StackError(f"{member.name}: {error}") from None
        self._running[member.name] = process
        self._set(member.name, state, Identity.of(process.pid))
        return process

    async def _tend(self, member: Member) -> None:
        """Start a member again whenever it ends, until the stack stops."""
        waits = backoff()
        while True:
            started = time.monotonic()
            code = await self._running[member.name].wait()
            if time.monotonic() - started > STABLE_SECONDS:
                waits = backoff()
            wait = next(waits)
            log.warning("%s ended with %s; restart in %.1f s", member.name, code, wait)
            self._set(member.name, "restarting", None)
            await asyncio.sleep(wait)
            try:
                process = await self._start(member, "restarting")
            except StackError as error:
                log.error("%s could not be restarted: %s", member.name, error)  # noqa: TRY400
                continue
            if await self._gets_ready(member, process):
                self._set(member.name, "running", Identity.of(process.pid))
                log.info("%s is ready again, pid %d", member.name, process.pid)

    async def _gets_ready(self, member: Member, process: asyncio.subprocess.Process) -> bool:
        """Wait as long as it lives: a member may be waiting for another one."""
        while process.returncode is None:
            if await member.is_ready():
                return True
            await asyncio.sleep(POLL_SECONDS)
        return False

    async def _end_all(self, tenders: list[asyncio.Task[None]]) -> None:
        """Sink, gateway, ClickHouse, Kafka: each may still use those that come after it.

        Nothing is tended any more before the first one ends: none comes back behind our back.
        """
        self._phase = "stopping"
        self._save()
        for tender in tenders:
            tender.cancel()
        await asyncio.gather(*tenders, return_exceptions=True)
        for group in reversed(self._groups):
            await asyncio.gather(*(self._end(member) for member in group))

    async def _end(self, member: Member) -> None:
        process = self._running.get(member.name)
        if process is None:
            return
        self._set(member.name, "stopping", self._states[member.name].identity)
        if not await processes.end(process, member.patience_seconds):
            log.warning("%s did not end in time and was killed", member.name)
        self._set(member.name, "stopped", None)
        log.info("%s ended", member.name)

    def _set(self, name: str, state: State, identity: Identity | None) -> None:
        self._states[name] = MemberState(state, identity)
        self._save()

    def _save(self) -> None:
        state_file.save(self._data, StackState(self._identity, self._phase, dict(self._states)))

    def _log_file(self, member: Member) -> Path:
        return self._data / "logs" / f"{member.name}.log"
