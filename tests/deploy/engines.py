"""The engines of compose.yaml, as the names and ports that the file gives them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.local import kafka as local_kafka
from tests.kafka import START_SECONDS, until_answers, wait_until

PREFIX = "KAFKA_"
NO_PROPERTIES = {"KAFKA_HEAP_OPTS"}


def properties(environment: Mapping[str, str]) -> dict[str, str]:
    """What the image makes of its environment: KAFKA_LOG_DIRS is log.dirs."""
    return {
        name.removeprefix(PREFIX).lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name not in NO_PROPERTIES
    }


class ComposeKafka:
    """Apache Kafka with exactly the configuration of the compose file, its folder apart."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._broker = local_kafka.Broker(
            folder=folder / "kafka", port=9092, controller_port=9093, log_file=folder / "kafka.log"
        )
        local_kafka.prepare(self._broker)
        said = properties(environment) | {"log.dirs": str(folder / "kafka" / "data")}
        self._broker.config_file.write_text(
            "".join(f"{name}={value}\n" for name, value in said.items())
        )
        arguments = ["-t", environment["CLUSTER_ID"], "-c", str(self._broker.config_file)]
        tool = ["kafka.tools.StorageTool", "format", *arguments]
        subprocess.run(
            local_kafka.java_tool(self._broker, *tool),
            check=True, stdout=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        self._process = subprocess.Popen(
            local_kafka.command(self._broker), stdout=subprocess.DEVNULL
        )

    def wait(self) -> None:
        asyncio.run(until_answers("kafka:9092"))

    def stop(self) -> None:
        _end(self._process)


class ComposeClickHouse:
    """The ClickHouse engine on the server's port, with the accounts that `secrets` made."""

    def __init__(self, folder: Path, writer_password: str, reader_password: str) -> None:
        users = folder / "users.json"
        accounts = {
            "writer": {"user": "telemetry", "password": writer_password},
            "reader": {"user": "reader", "password": reader_password},
            "database": "telemetry",
        }
        users.write_text(json.dumps(accounts))
        self._output = folder / "clickhouse.out"
        command = [sys.executable, "-m", "infra.local.clickhouse", "--port", "8123"]
        where = ["--data", str(folder / "clickhouse"), "--users", str(users)]
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, *where, "--parent-pid", str(os.getpid())], stdout=output
            )

    def wait(self) -> None:
        wait_until(
            lambda: b"clickhouse ready" in self._output.read_bytes(), START_SECONDS, "ClickHouse"
        )

    def stop(self) -> None:
        _end(self._process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(30)
