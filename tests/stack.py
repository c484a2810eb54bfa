"""The embedded stack as people run it: by its commands, in a folder of its own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

UP_SECONDS = 300
COMMAND_SECONDS = 180
PORTS = (
    "--gateway-port", "0", "--clickhouse-port", "0", "--kafka-port", "0", "--console-port", "0",
)  # fmt: skip

Done = subprocess.CompletedProcess[str]


class StackUnderTest:
    """A stack in `folder`; what it was started with stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def up(self) -> None:
        done = self.infra("up", "--detach", *PORTS)
        assert done.returncode == 0, done.stderr

    def down(self) -> Done:
        return self.infra("down")

    def infra(self, *arguments: str) -> Done:
        return _run("infra", *arguments, "--data", str(self.folder))

    def status(self) -> dict[str, Any]:
        done = self.infra("status", "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def environment(self) -> dict[str, str]:
        """What `telemetry-infra env` tells a shell."""
        lines = self.infra("env").stdout.splitlines()
        words = (shlex.split(line)[1].partition("=") for line in lines)
        return {name: value for name, _, value in words}

    def run(self, module: str, *arguments: str, **changes: str) -> Done:
        """A command of the product, told where the stack is."""
        return _run(module, *arguments, **{**self.environment(), **changes})

    def query(self, name: str, **params: str) -> list[dict[str, Any]]:
        given = [f"--param={key}={value}" for key, value in params.items()]
        done = self.run("sinks", "query", name, "--format", "json", *given)
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    def post(self, body: object) -> int:
        """POST to the native endpoint; the status, 0 where nobody answers."""
        status = self.status()
        headers = {
            "Authorization": f"Bearer {status['write_key']}",
            "Content-Type": "application/json",
        }
        url = status["gateway"]["url"] + "/v1/events"
        try:
            with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=30) as answer:
                return int(answer.status)
        except HTTPError as error:
            return error.code
        except OSError:
            return 0

    def processes(self) -> list[psutil.Process]:
        """Every living process of the stack, its supervisor first."""
        status = self.status()
        members = [status[name]["pid"] for name in ("gateway", "clickhouse", "sink", "console")]
        pids = [status["supervisor"]["pid"], *members, *status["kafka"]["pids"]]
        return [psutil.Process(pid) for pid in pids if pid is not None]


def _run(module: str, *arguments: str, **environment: str) -> Done:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=UP_SECONDS,
        check=False,
    )
