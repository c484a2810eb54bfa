"""A real ClickHouse engine for tests, behind its HTTP interface, in a folder of its own."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.clickhouse.sql import Server

START_SECONDS = 60.0
STOP_SECONDS = 30.0
WRITER = {"user": "telemetry", "password": "writer-secret"}
READER = {"user": "reader", "password": "reader-secret"}


class ClickHouseUnderTest:
    """One engine; empty until somebody applies the schema."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    @property
    def writer(self) -> Server:
        return Server(url=self.url, user=WRITER["user"], password=WRITER["password"])

    @property
    def reader(self) -> Server:
        """Who may only read."""
        return Server(url=self.url, user=READER["user"], password=READER["password"])

    def start(self) -> None:
        users = self._folder / "users.json"
        users.write_text(json.dumps({"writer": WRITER, "reader": READER, "database": "telemetry"}))
        log = (self._folder / "log").open("w")
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "infra.local.clickhouse"),
                *("--data", str(self._folder / "data"), "--users", str(users)),
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        log.close()
        self.url = self._ready_line().removeprefix("clickhouse ready ").strip()

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _ready_line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline() if selector.select(START_SECONDS) else ""
        if not line.startswith("clickhouse ready "):
            self._process.kill()
            why = (self._folder / "log").read_text()
            raise AssertionError(f"the ClickHouse engine did not start: {line}{why}")
        return line


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseUnderTest]:
    engine = ClickHouseUnderTest(tmp_path_factory.mktemp("clickhouse"))
    engine.start()
    yield engine
    engine.stop()
