"""The embedded stack: up, status, down; members that die, a supervisor that dies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.builders import make_batch, make_event
from tests.kafka import wait_until
from tests.stack import PORTS, StackUnderTest

MEMBERS = ("gateway", "clickhouse", "sink", "kafka", "console")
SETTLE_SECONDS = 90.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    under_test = StackUnderTest(tmp_path_factory.mktemp("stack"))
    under_test.up()
    yield under_test
    under_test.down()


def is_whole(stack: StackUnderTest) -> bool:
    status = stack.status()
    return all(status[name]["state"] == "running" for name in MEMBERS)


def store_one(stack: StackUnderTest) -> str:
    """POST an event and wait until SQL finds it; its id."""
    event_id = str(uuid4())
    batch = make_batch(make_event(event_id=event_id))
    wait_until(lambda: stack.post(batch) == 200, SETTLE_SECONDS, "an answer of 200")
    wait_until(
        lambda: len(stack.query("event_by_id", event_id=event_id)) == 1, SETTLE_SECONDS, "the row"
    )
    return event_id


class TestStatus:
    def test_it_tells_where_everything_is(self, stack: StackUnderTest) -> None:
        status = stack.status()

        assert set(status) == {
            "gateway", "clickhouse", "kafka", "sink", "console", "write_key", "supervisor",
        }  # fmt: skip
        assert set(status["gateway"]) == {"url", "pid", "state"}
        assert set(status["clickhouse"]) == {"url", "pid", "state", "user", "password", "reader"}
        assert set(status["clickhouse"]["reader"]) == {"user", "password"}
        assert set(status["kafka"]) == {"bootstrap", "pids", "state"}
        assert set(status["sink"]) == {"pid", "state"}
        assert set(status["console"]) == {"url", "pid", "state"}
        assert is_whole(stack)

    def test_where_no_stack_runs_it_is_exit_code_1(self, tmp_path: Path) -> None:
        done = StackUnderTest(tmp_path).infra("status", "--json")

        assert (done.returncode, done.stdout) == (1, "")
        assert "no stack runs" in done.stderr

    def test_passwords_lie_in_files_of_the_owner_alone(self, stack: StackUnderTest) -> None:
        status = stack.status()
        secrets = [
            status["write_key"],
            status["clickhouse"]["password"],
            status["clickhouse"]["reader"]["password"],
        ]
        files = [one for one in stack.folder.rglob("*") if one.is_file()]
        telling = [
            one for one in files if any(secret.encode() in one.read_bytes() for secret in secrets)
        ]

        assert telling
        assert [one for one in files if "logs" in one.parts]
        assert [one for one in telling if one.stat().st_mode & 0o077] == []
        assert [one for one in telling if "logs" in one.parts] == []

    def test_nobody_sees_passwords_in_the_process_table(self, stack: StackUnderTest) -> None:
        status = stack.status()
        secrets = [status["clickhouse"]["password"], status["clickhouse"]["reader"]["password"]]
        lines = [" ".join(one.cmdline()) for one in stack.processes()]

        assert [line for line in lines if any(secret in line for secret in secrets)] == []

    def test_a_frozen_member_is_told_as_stopped(self, stack: StackUnderTest) -> None:
        sink = psutil.Process(stack.status()["sink"]["pid"])
        sink.suspend()
        try:
            assert stack.status()["sink"] == {"pid": sink.pid, "state": "stopped"}
        finally:
            sink.resume()


class TestStart:
    def test_a_second_stack_in_the_same_folder_is_refused(self, stack: StackUnderTest) -> None:
        done = stack.infra("up", "--detach")

        assert done.returncode == 1
        assert "already runs" in done.stderr

    def test_a_port_that_is_taken_is_told_with_the_option_to_change_it(
        self, stack: StackUnderTest, tmp_path: Path
    ) -> None:
        taken = stack.status()["gateway"]["url"].rpartition(":")[2]
        other = StackUnderTest(tmp_path)

        done = other.infra("up", "--gateway-port", taken, *PORTS[2:])

        assert done.returncode == 1
        assert f"port {taken} is taken" in done.stderr
        assert "--gateway-port" in done.stderr

    def test_the_stack_stores_no_event_of_its_own(self, tmp_path: Path) -> None:
        fresh = StackUnderTest(tmp_path)
        fresh.up()
        try:
            assert fresh.query("account") == []
        finally:
            fresh.down()


class TestMembers:
    @pytest.mark.parametrize("name", MEMBERS)
    def test_a_killed_member_comes_back_as_it_was(self, stack: StackUnderTest, name: str) -> None:
        before = stack.status()
        pid = before[name].get("pid") or before["kafka"]["pids"][0]

        psutil.Process(pid).kill()

        def has_returned() -> bool:
            now = stack.status()[name]
            new = now.get("pid") or next(iter(now.get("pids", [])), None)
            return now["state"] == "running" and new not in (None, pid)

        wait_until(has_returned, SETTLE_SECONDS, f"another {name}")
        store_one(stack)
        after = stack.status()
        assert after["write_key"] == before["write_key"]
        assert after["gateway"]["url"] == before["gateway"]["url"]
        assert after["kafka"]["bootstrap"] == before["kafka"]["bootstrap"]
        for secret in ("url", "user", "password", "reader"):
            assert after["clickhouse"][secret] == before["clickhouse"][secret]

    def test_a_closed_loop_of_64_connections_is_not_throttled(self, stack: StackUnderTest) -> None:
        ledger = stack.folder / "ledger.jsonl"
        arguments = ("--shape", "retry-storm", "--devices", "64", "--seconds", "3")

        done = stack.run("loadtest", "run", *arguments, "--ledger", str(ledger))

        assert done.returncode == 0, done.stdout + done.stderr
        outcomes = {json.loads(line)["outcome"] for line in ledger.read_text().splitlines()}
        assert "accepted" in outcomes
        assert outcomes <= {"posted", "accepted", "duplicate", "rejected"}


class TestEnd:
    def test_down_leaves_no_process_and_up_finds_the_data(self, stack: StackUnderTest) -> None:
        event_id = store_one(stack)
        before = stack.status()
        processes = stack.processes()

        done = stack.down()

        assert done.returncode == 0, done.stderr
        assert [one for one in processes if one.is_running()] == []
        assert stack.infra("status").returncode == 1
        stack.up()
        assert len(stack.query("event_by_id", event_id=event_id)) == 1
        assert stack.status()["write_key"] == before["write_key"]
        assert stack.status()["gateway"]["url"] == before["gateway"]["url"]

    def test_a_killed_supervisor_takes_its_members_with_it(self, stack: StackUnderTest) -> None:
        event_id = store_one(stack)
        supervisor, *members = stack.processes()

        supervisor.kill()

        _, alive = psutil.wait_procs(members, timeout=60)
        assert alive == []
        assert stack.infra("status").returncode == 1
        stack.up()
        assert len(stack.query("event_by_id", event_id=event_id)) == 1
