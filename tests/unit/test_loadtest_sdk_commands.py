"""telemetry-loadtest fault-server and conformance: what they print and how they end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from gateway.runtime import now_ms
from loadtest.__main__ import app
from loadtest.conformance import Checked
from loadtest.fault_judge import Finding
from loadtest.sdk_report import show_conformance, show_judged
from tests.gateway_app import KEY, GatewayUnderTest
from tests.live_gateway import served


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fault-server", "--script", "ok,boom"), "--script: 'boom' is no step"),
        (("fault-server", "--host", "192.0.2.1"), "--port: cannot listen on 192.0.2.1:8091"),
        (("conformance", "nowhere", "--key", "k"), "'nowhere' is no URL of a gateway"),
    ],
)
def test_bad_usage_is_said_in_a_line(arguments: tuple[str, ...], said: str) -> None:
    code, output = run(*arguments)

    assert code == 2
    assert said in output
    assert "Traceback" not in output


def test_a_fault_server_that_nobody_posted_to_has_shown_nothing() -> None:
    code, output = run("fault-server", "--port", "0", "--seconds", "0.01")

    assert code == 1
    assert "fault server ready http://127.0.0.1:" in output
    assert "wrong: events" in output


def test_conformance_fails_where_nobody_answers() -> None:
    code, output = run("conformance", "http://127.0.0.1:1", "--key", "k")

    assert code == 1
    assert "✘ failed" in output
    assert "56 of 56 checks failed" in output


async def test_conformance_passes_with_our_gateway(tmp_path: Path) -> None:
    gateway = GatewayUnderTest(tmp_path)
    gateway.clock_ms = now_ms()
    async with served(gateway) as url:
        code, output = await asyncio.to_thread(run, "conformance", url, "--key", KEY)

    assert code == 0
    assert "56 of 56 checks are as it says." in output


def test_what_came_from_outside_cannot_style_a_table() -> None:
    console = Console(record=True, width=100, file=None, quiet=False)
    with console.capture() as capture:
        show_judged(console, [Finding("events lost", 1, is_wrong=True, example="[red]\x1b[2J")])
        show_conformance(console, [Checked("gzip", "500 [bold]no", "200 was due")])

    assert "[red]·[2J" in capture.get()
    assert "200 was due: 500 [bold]no" in capture.get()
