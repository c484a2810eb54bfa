"""The supervisor over harmless processes: started in order, restarted, ended in reverse."""

from __future__ import annotations

import asyncio
import os
import sys
from itertools import islice
from pathlib import Path

import pytest
from msgspec import structs

from infra.local import state_file
from infra.local.members import Member
from infra.local.processes import Identity
from infra.local.supervisor import StackError, Supervisor, backoff, end_leftovers, lock
from tests.kafka import until

LIVES = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
DIES = "raise SystemExit('no such luck')"


def member(name: str, program: str = LIVES, *, gets_ready: bool = True) -> Member:
    async def is_ready() -> bool:
        return gets_ready

    return Member(
        name=name,
        prepare=lambda: [sys.executable, "-c", program],
        environment=dict(os.environ),
        is_ready=is_ready,
        patience_seconds=10.0,
        start_seconds=10.0,
    )


class Running:
    """A supervisor's life, and what it said."""

    def __init__(self, data: Path, *members: Member) -> None:
        self.data = data
        self.said: list[str] = []
        self.order: list[str] = []
        self._stop = asyncio.Event()
        self._ready = asyncio.Event()
        self._boss = Supervisor(data, list(members), self.said.append)

    async def before(self) -> None:
        self.order.append("before two")

    async def when_ready(self) -> None:
        self.order.append("ready")
        self._ready.set()

    async def start(self) -> None:
        self._life = asyncio.create_task(
            self._boss.run(self._stop, {"two": self.before}, self.when_ready)
        )
        waiting = asyncio.create_task(self._ready.wait())
        await asyncio.wait({self._life, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._life.done():
            await self._life

    async def stop(self) -> None:
        self._stop.set()
        await self._life

    def identity(self, name: str) -> Identity | None:
        state = state_file.read(self.data)
        return state.members[name].identity if state else None

    def kill(self, name: str) -> Identity:
        """kill -9; who it was."""
        identity = self.identity(name)
        process = identity.process() if identity else None
        assert identity is not None
        assert process is not None
        process.kill()
        return identity

    def state(self, name: str) -> str:
        state = state_file.read(self.data)
        return state.members[name].state if state else ""


async def test_members_start_in_order_and_none_is_left(tmp_path: Path) -> None:
    running = Running(tmp_path, member("one"), member("two"))
    await running.start()
    one, two = running.identity("one"), running.identity("two")
    assert one is not None
    assert two is not None
    assert state_file.running(tmp_path) is not None

    await running.stop()

    assert running.said == ["starting one", "starting two"]
    assert running.order == ["before two", "ready"]
    assert (one.process(), two.process()) == (None, None)
    assert running.state("one") == running.state("two") == "stopped"


async def test_a_group_starts_together_since_each_may_need_the_others(tmp_path: Path) -> None:
    """As brokers do: none answers before most of them run."""
    running = Running(tmp_path)
    names = ("one", "other", "third")

    async def all_run() -> bool:
        identities = [running.identity(name) for name in names]
        return all(one is not None and one.process() is not None for one in identities)

    group = [structs.replace(member(name), group="g", is_ready=all_run) for name in names]
    running = Running(tmp_path, *group, member("two"))
    await running.start()
    first = running.kill("other")

    await until(
        lambda: (
            running.identity("other") not in (None, first) and running.state("other") == "running"
        ),
        what="the killed one",
    )

    assert running.said == ["starting one", "starting other", "starting third", "starting two"]
    await running.stop()
    assert {running.state(name) for name in (*names, "two")} == {"stopped"}


async def test_one_of_a_group_that_dies_at_the_start_is_named(tmp_path: Path) -> None:
    one = structs.replace(member("one", gets_ready=False), group="g")
    other = structs.replace(member("other", DIES, gets_ready=False), group="g")

    with pytest.raises(StackError, match=r"(?s)other ended; its log says:.*no such luck"):
        await Running(tmp_path, one, other).start()


async def test_a_member_that_ends_is_started_again(tmp_path: Path) -> None:
    running = Running(tmp_path, member("one"))
    await running.start()
    first = running.identity("one")
    assert first is not None
    process = first.process()
    assert process is not None

    process.kill()

    await until(lambda: running.identity("one") not in (None, first), what="another process")
    await until(lambda: running.state("one") == "running", what="a running one")
    await running.stop()


async def test_none_comes_back_once_the_stack_stops(tmp_path: Path) -> None:
    """A member that waits for its restart must not start behind the one that is ending."""
    starts: list[str] = []

    def prepare() -> list[str]:
        starts.append("two")
        return [sys.executable, "-c", LIVES]

    deaf = structs.replace(member("one", DEAF), patience_seconds=1.0)
    running = Running(tmp_path, deaf, structs.replace(member("two"), prepare=prepare))
    await running.start()
    running.kill("two")
    await until(lambda: running.state("two") == "restarting", what="a wait before the restart")

    await running.stop()

    assert starts == ["two"]
    assert running.identity("two") is None


async def test_a_start_that_fails_is_tried_again(tmp_path: Path) -> None:
    good, bad = [sys.executable, "-c", LIVES], [str(tmp_path / "no-such-program")]
    commands = iter([good, bad, good])
    one = structs.replace(member("one"), prepare=lambda: next(commands))
    running = Running(tmp_path, one)
    await running.start()
    first = running.kill("one")

    await until(
        lambda: running.identity("one") not in (None, first) and running.state("one") == "running",
        what="the third start",
    )

    assert list(commands) == []
    await running.stop()


async def test_a_program_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    one = structs.replace(member("one"), prepare=lambda: [str(tmp_path / "no-such-program")])

    with pytest.raises(StackError, match=r"one: .*no-such-program"):
        await Running(tmp_path, one).start()


async def test_a_member_that_dies_at_the_start_is_told_with_its_own_words(tmp_path: Path) -> None:
    running = Running(tmp_path, member("one"), member("two", DIES, gets_ready=False))

    with pytest.raises(StackError, match=r"(?s)two ended; its log says:.*no such luck"):
        await running.start()

    one = running.identity("one")
    assert one is None or one.process() is None


def test_waits_before_restarts_grow_to_a_bound() -> None:
    assert list(islice(backoff(1.0, 5.0), 5)) == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_a_folder_has_one_stack(tmp_path: Path) -> None:
    held = lock(tmp_path)
    with pytest.raises(StackError, match="already runs"):
        lock(tmp_path)

    held.close()

    lock(tmp_path).close()


async def test_what_a_killed_supervisor_left_is_ended(tmp_path: Path) -> None:
    left = await asyncio.create_subprocess_exec(sys.executable, "-c", LIVES)
    identity, own = Identity.of(left.pid), Identity.of(os.getpid())
    assert identity is not None
    assert own is not None
    members = {"one": state_file.MemberState("running", identity)}
    state_file.save(tmp_path, state_file.StackState(own, "ready", members))

    await asyncio.to_thread(end_leftovers, tmp_path)

    assert await left.wait() != 0


def test_a_pid_of_another_process_is_not_taken_for_it() -> None:
    own = Identity.of(os.getpid())
    assert own is not None

    assert own.process() is not None
    assert Identity(own.pid, own.created - 100).process() is None
