"""ClickHouse over TLS, for each process that speaks to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.authority import Authority
from tests.clickhouse import ClickHouseUnderTest
from tests.processes import Process
from tests.tls_front import TlsFront

PREFIX = "TELEMETRY_CLICKHOUSE_"


class Secured:
    def __init__(self, clickhouse: ClickHouseUnderTest, folder: Path) -> None:
        self.clickhouse = clickhouse
        self.authority = Authority(folder / "ca")
        certificate = folder / "server.pem"
        self.authority.issue().write_both(certificate)
        self.front = TlsFront(int(clickhouse.url.rpartition(":")[2]), certificate)

    def environment(self, **options: object) -> dict[str, str]:
        given = {
            "url": self.front.url,
            "user": self.clickhouse.user,
            "password": self.clickhouse.password,
            "ca_path": self.authority.ca_file,
            **options,
        }
        return {f"{PREFIX}{name.upper()}": str(value) for name, value in given.items()}


@pytest.fixture
def secured(clickhouse: ClickHouseUnderTest, tmp_path: Path) -> Iterator[Secured]:
    one = Secured(clickhouse, tmp_path)
    yield one
    one.front.close()


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command", [["sinks", "migrate"], ["sinks", "query", "tail", "--param", "app=x"]], ids=" ".join
)
def test_commands_speak_tls(secured: Secured, command: list[str]) -> None:
    done = run(*command, **secured.environment())

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ca_path": ""}, "CA_PATH: ClickHouse at 127.0.0.1:"),
        ({"ca_path": "/nowhere/ca.pem"}, "CA_PATH: /nowhere/ca.pem: No such file or directory"),
        ({"password": "wrong"}, "PASSWORD: ClickHouse at 127.0.0.1:"),
    ],
)
@pytest.mark.parametrize("command", [["sinks", "migrate"], ["sinks", "run"]], ids=" ".join)
def test_what_does_not_fit_is_one_error_that_names_the_option(
    secured: Secured, command: list[str], options: dict[str, str], said: str
) -> None:
    done = run(*command, **secured.environment(**options))

    assert done.returncode == 1
    assert done.stderr.startswith(f"telemetry-sink: {PREFIX}{said}")
    assert len(done.stderr.splitlines()) == 1
    assert "wrong" not in done.stderr


def test_the_console_asks_over_tls(secured: Secured, tmp_path: Path) -> None:
    environment = {
        **secured.environment(
            user=secured.clickhouse.reader, password=secured.clickhouse.reader_password
        ),
        "TELEMETRY_CONSOLE_PORT": "0",
        "TELEMETRY_CONSOLE_TOKENS_PATH": str(tmp_path / "tokens.json"),
    }
    console = Process(["sinks", "console"], environment, "console ready", tmp_path / "console.log")
    try:
        url = console.wait_ready().split()[-1]
        with urlopen(f"{url}/csv/retention?app=x", timeout=30) as answer:
            assert answer.status == 200
    finally:
        assert console.stop() == 0
