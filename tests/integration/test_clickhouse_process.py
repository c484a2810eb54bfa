"""The front as a process: one per folder, and what it acknowledged survives kill -9."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import psutil
import pytest

from tests.clickhouse import ClickHouseUnderTest
from tests.kafka import wait_until


@pytest.fixture
def front(tmp_path: Path) -> Iterator[ClickHouseUnderTest]:
    under_test = ClickHouseUnderTest(tmp_path)
    under_test.start()
    yield under_test
    under_test.kill()


def test_a_second_process_on_the_same_folder_is_told_so(front: ClickHouseUnderTest) -> None:
    done = subprocess.run(front.command(), capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"clickhouse: another process serves {front.folder / 'data'}"
    ]
    assert front.ask("SELECT 1") == (200, "1\n")


def test_users_that_cannot_be_read_are_a_wrong_option(tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    users.write_text("{}")
    command = [sys.executable, "-m", "infra.local.clickhouse", "--data", str(tmp_path / "data")]

    done = subprocess.run(
        [*command, "--users", str(users)], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert "--users: " in done.stderr


def test_what_was_acknowledged_survives_a_kill_and_tokens_do(front: ClickHouseUnderTest) -> None:
    front.ask(
        "CREATE TABLE telemetry.t (n UInt64) ENGINE = MergeTree ORDER BY n"
        " SETTINGS non_replicated_deduplication_window = 1000,"
        " fsync_after_insert = 1, fsync_part_directory = 1"
    )
    acknowledged: list[int] = []
    enough = threading.Event()

    def insert(number: int) -> int:
        token = {"insert_deduplication_token": str(number)}
        try:
            return front.ask(f"INSERT INTO telemetry.t SELECT {number}", url=token)[0]
        except (OSError, HTTPException):
            return 0

    def insert_until_it_dies() -> None:
        while insert(len(acknowledged)) == 200:
            acknowledged.append(len(acknowledged))
            if len(acknowledged) == 30:
                enough.set()

    inserting = threading.Thread(target=insert_until_it_dies)
    inserting.start()
    assert enough.wait(60)
    front.kill()
    inserting.join()
    front.start()

    rows = [row[0] for row in front.rows("SELECT n FROM telemetry.t ORDER BY n")]
    assert rows[: len(acknowledged)] == acknowledged
    for number in [*acknowledged, len(acknowledged)]:
        assert insert(number) == 200
    again = [row[0] for row in front.rows("SELECT n FROM telemetry.t ORDER BY n")]
    assert again == [*acknowledged, len(acknowledged)]


def test_it_ends_when_who_started_it_ends(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    front = ClickHouseUnderTest(tmp_path)
    front.parent_pid = parent.pid
    front.start()

    parent.kill()
    parent.communicate(timeout=30)

    wait_until(lambda: not psutil.pid_exists(front.pid) or front.is_dead(), 30, "its end")
    assert os.listdir(tmp_path / "data" / "store")


def test_sigterm_ends_it_and_the_next_one_finds_its_tables(front: ClickHouseUnderTest) -> None:
    front.ask("CREATE TABLE telemetry.t (n UInt64) ENGINE = MergeTree ORDER BY n")
    front.ask("INSERT INTO telemetry.t SELECT 7")

    assert front.stop() == 0

    front.start()
    assert front.rows("SELECT n FROM telemetry.t") == [[7]]
