"""The ClickHouse engine for tests: the local front as a process, with the schema in it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from sinks.clickhouse.sql import Server, apply_schema, connect
from tests.kafka import wait_until

READY_SECONDS = 60.0


class ClickHouseUnderTest:
    """One front process on one folder; can be stopped, killed, and started again."""

    user, password = "telemetry", "writer-password"
    reader, reader_password = "reader", "reader-password"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._users = folder / "users.json"
        folder.mkdir(parents=True, exist_ok=True)
        self._users.write_text(
            json.dumps(
                {
                    "writer": {"user": self.user, "password": self.password},
                    "reader": {"user": self.reader, "password": self.reader_password},
                    "database": "telemetry",
                }
            )
        )
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.parent_pid = os.getpid()  # it ends with this process

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def command(self) -> list[str]:
        module = [sys.executable, "-m", "infra.local.clickhouse"]
        where = ["--data", str(self.folder / "data"), "--port", str(self._port)]
        return [*module, *where, "--users", str(self._users), "--parent-pid", str(self.parent_pid)]

    def start(self) -> None:
        output = self.folder / f"output-{time.monotonic_ns()}"
        with output.open("wb") as file:
            self._process = subprocess.Popen(self.command(), stdout=file)
        line = first_line(self._process, output, "clickhouse ready")
        self.url = line.split()[-1]
        self._port = int(self.url.rpartition(":")[2])

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(30)

    def is_dead(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    def server(self) -> Server:
        return Server(url=self.url, user=self.user, password=self.password)

    def migrate(self) -> None:
        async def main() -> None:
            client = await connect(self.server())
            try:
                await apply_schema(client)
            finally:
                await client.close()

        asyncio.run(main())

    def rows(self, sql: str, **params: Any) -> list[list[Any]]:
        """Rows of a query, by plain HTTP as the writer."""
        status, body = self.ask(sql + " FORMAT JSONCompact", **params)
        assert status == 200, body
        return list(json.loads(body)["data"])

    def ask(
        self, sql: str, user: str = "", password: str = "", url: dict[str, str] | None = None,
        **params: Any,
    ) -> tuple[int, str]:  # fmt: skip
        """Status and text of a statement; `params` fill `{name:Type}`."""
        values = {f"param_{name}": str(value) for name, value in params.items()} | (url or {})
        request = Request(
            f"{self.url}/?{urlencode(values)}",
            data=sql.encode(),
            headers={
                "X-ClickHouse-User": user or self.user,
                "X-ClickHouse-Key": password or self.password,
            },
        )
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode("utf-8", "replace")
        except HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")


def first_line(process: subprocess.Popen[bytes], output: Path, start: str) -> str:
    """The line that says a process is ready; fails when it ends or takes too long."""

    def found() -> str:
        return next((one for one in output.read_text().splitlines() if one.startswith(start)), "")

    wait_until(
        lambda: bool(found()) or process.poll() is not None, READY_SECONDS, f"{start!r} in {output}"
    )
    assert found(), f"the process ended with {process.poll()} before it said {start!r}"
    return found()
