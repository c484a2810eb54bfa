"""The product's own processes for end-to-end tests: gateway and sink, started, frozen, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

from tests.clickhouse import first_line
from tests.kafka import wait_until

KEY = "test-write-key"


class Process:
    """One process of the product."""

    def __init__(
        self, command: Sequence[str], environment: dict[str, str], ready: str, log: Path
    ) -> None:
        self.log_file = log
        self._output = log.with_suffix(".out")
        with log.open("ab") as errors, self._output.open("wb") as output:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**os.environ, **environment},
                stdout=output,
                stderr=errors,
            )
        self._ready = ready

    @property
    def pid(self) -> int:
        return self.popen.pid

    def wait_ready(self) -> str:
        return first_line(self.popen, self._output, self._ready)

    def kill(self) -> None:
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait(30)

    def freeze(self) -> None:
        self.popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.popen.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.popen.terminate()
        return self.popen.wait(60)

    def is_dead(self) -> bool:
        return self.popen.poll() is not None


def sink(
    bootstrap: str, clickhouse_url: str, user: str, password: str, log: Path,
    *, group: str, instance: str | None = None, module: str = "sinks", **options: object,
) -> Process:  # fmt: skip
    """A sink that cuts small chunks and is given up by Kafka after three seconds."""
    environment = {
        "TELEMETRY_KAFKA_BOOTSTRAP": bootstrap,
        "TELEMETRY_CLICKHOUSE_URL": clickhouse_url,
        "TELEMETRY_CLICKHOUSE_USER": user,
        "TELEMETRY_CLICKHOUSE_PASSWORD": password,
        "TELEMETRY_SINK_GROUP": group,
        "TELEMETRY_SINK_SESSION_TIMEOUT_MS": "3000",
        "TELEMETRY_SINK_HEARTBEAT_INTERVAL_MS": "500",
        "TELEMETRY_SINK_REBALANCE_TIMEOUT_MS": "10000",
        "TELEMETRY_SINK_CHUNK_AGE_SECONDS": "0.3",
        "TELEMETRY_SINK_CHUNK_ROWS": "40",
    }
    environment |= {f"TELEMETRY_SINK_{name.upper()}": str(value) for name, value in options.items()}
    command = [module, "run", *(["--instance", instance] if instance else [])]
    return Process(command, environment, "sink ready", log)


def add_key(app: str, folder: Path) -> None:
    """Let KEY write to `app`."""
    command = [sys.executable, "-m", "gateway", "keys", "add", app, "--key", KEY]
    subprocess.run([*command, "--data", str(folder)], check=True, stdout=subprocess.DEVNULL)


class GatewayProcess(Process):
    """A gateway; its keys are those of `folder`."""

    def __init__(
        self, bootstrap: str, folder: Path, port: int = 0,
        command: Sequence[str] = ("gateway", "serve"), environment: Mapping[str, str] | None = None,
        **options: object,
    ) -> None:  # fmt: skip
        environment = {
            **(environment or {}),
            "TELEMETRY_KAFKA_BOOTSTRAP": bootstrap,
            "TELEMETRY_GATEWAY_PORT": str(port),
            "TELEMETRY_GATEWAY_DATA": str(folder),
        }
        environment |= {
            f"TELEMETRY_GATEWAY_{name.upper()}": str(value) for name, value in options.items()
        }
        super().__init__(command, environment, "gateway ready", folder / "gateway.log")
        self.url = self.wait_ready().split()[-1]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def members(self) -> dict[str, psutil.Process]:
        """The processes of `serve --workers`, by name: keeper, 0, 1, …"""
        found = {}
        for one in psutil.Process(self.pid).children():
            with suppress(psutil.NoSuchProcess):  # as one is that has just been killed
                command = one.cmdline()
                name = command[command.index("--index") + 1] if "worker" in command else "keeper"
                found[name] = one
        return found

    def wait_until_ready(self) -> None:
        wait_until(lambda: self.get("/readyz")[0] == 200, what="the gateway's readiness")

    def get(self, path: str) -> tuple[int, str]:
        return self._ask(Request(self.url + path))

    def post(self, body: object, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """A native POST; status 0 when the connection breaks."""
        return self.post_bytes(json.dumps(body).encode(), headers)

    def post_bytes(self, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        every = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        every |= headers or {}
        return self._ask(Request(f"{self.url}/v1/events", data=body, headers=every))

    def _ask(self, request: Request) -> tuple[int, str]:
        try:
            with urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, HTTPException):  # an answer may be cut in its middle
            return 0, ""
