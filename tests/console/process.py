"""The console as a process of its own, over a ClickHouse engine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.clickhouse import ClickHouseUnderTest, first_line


class ConsoleUnderTest:
    """One `telemetry-sink console`, asking as the user that may only read."""

    def __init__(self, clickhouse: ClickHouseUnderTest, folder: Path, **options: str) -> None:
        self._folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if "TELEMETRY_" not in name},
            "TELEMETRY_CLICKHOUSE_URL": clickhouse.url,
            "TELEMETRY_CLICKHOUSE_USER": clickhouse.reader,
            "TELEMETRY_CLICKHOUSE_PASSWORD": clickhouse.reader_password,
            "TELEMETRY_CONSOLE_PORT": "0",
            "TELEMETRY_CONSOLE_LIVE_SECONDS": "0.3",
            "TELEMETRY_CONSOLE_TOKENS_PATH": str(folder / "tokens.json"),
            **{f"TELEMETRY_CONSOLE_{name.upper()}": value for name, value in options.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        output = self._folder / f"console-{time.monotonic_ns()}"
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sinks", "console"], env=self._environment, stdout=file
            )
        self.url = first_line(self._process, output, "console ready").split()[-1]

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `telemetry-sink` command in this console's environment."""
        return subprocess.run(
            [sys.executable, "-m", "sinks", *arguments],
            env=self._environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
