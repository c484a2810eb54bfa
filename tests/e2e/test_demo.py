"""The demo and the load test against a whole stack; what is wrong makes them fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from segment.analytics.client import Client

from tests.builders import make_batch, make_event
from tests.kafka import wait_until
from tests.stack import Done, StackUnderTest

SMALL = ("--devices", "40", "--seconds", "2")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    under_test = StackUnderTest(tmp_path_factory.mktemp("stack"))
    under_test.up()
    yield under_test
    under_test.down()


def app_of_its_own(stack: StackUnderTest) -> dict[str, str]:
    """The environment of an app that nobody else posts to."""
    app, key = f"app-{uuid4()}", str(uuid4())
    command = [sys.executable, "-m", "gateway", "keys", "add", app, "--key", key]
    subprocess.run(
        [*command, "--data", str(stack.folder)], check=True, stdout=subprocess.DEVNULL, timeout=60
    )
    environment = {"TELEMETRY_LOADTEST_APP": app, "TELEMETRY_LOADTEST_WRITE_KEY": key}
    wait_until(lambda: _is_known(stack, key), what="the new key")
    return environment


def _is_known(stack: StackUnderTest, key: str) -> bool:
    """A key is known when an empty batch is refused for being empty."""
    url = stack.status()["gateway"]["url"] + "/v1/events"
    command = ["curl", "-s", url, "-H", f"Authorization: Bearer {key}", "-d", ""]
    done = subprocess.run(
        [*command, "-H", "Content-Type: application/json"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return "empty_body" in done.stdout


def demo(stack: StackUnderTest, environment: dict[str, str], *more: str) -> Done:
    return stack.run("loadtest", "demo", *SMALL, *more, **environment)


class TestDemo:
    def test_the_account_closes_and_every_table_is_there(self, stack: StackUnderTest) -> None:
        done = demo(stack, app_of_its_own(stack))

        assert done.returncode == 0, done.stdout + done.stderr
        for title in (
            "The account: where every event ended",
            "Sessions per day, and their length",
            "Devices per day",
            "Crash-free devices per release",
            "Top crash groups",
            "What one phone did, in its order",
            "Freshness",
        ):
            assert title in done.stdout
        assert done.stdout.count("0 ✔") == 7
        assert "✘" not in done.stdout

    def test_the_timeline_is_in_the_phone_s_own_order(self, stack: StackUnderTest) -> None:
        done = demo(stack, app_of_its_own(stack), "--seed", "11")

        timeline = done.stdout.partition("What one phone did")[2].partition("device_timeline:")[0]
        counts = [int(one) for one in re.findall(r"(\d+)\s*$", timeline, re.MULTILINE)]
        assert len(counts) > 5
        assert counts == list(range(counts[0], counts[0] + len(counts)))

    def test_events_that_nobody_sent_do_not_close(self, stack: StackUnderTest) -> None:
        environment = app_of_its_own(stack)
        busy = subprocess.Popen(
            [sys.executable, "-c", POST_FOR_EVER],
            env={**os.environ, **stack.environment(), **environment},
        )
        try:
            done = demo(stack, environment, "--patience-seconds", "5")
        finally:
            busy.kill()
            busy.wait(30)

        assert done.returncode == 1
        assert "the account does not close" in done.stderr
        assert "✘" in done.stdout


POST_FOR_EVER = f"""
import json, os, urllib.request, uuid
batch = json.loads({json.dumps(json.dumps(make_batch(make_event())))})
headers = {{
    "Authorization": "Bearer " + os.environ["TELEMETRY_LOADTEST_WRITE_KEY"],
    "Content-Type": "application/json",
}}
while True:
    batch["events"][0]["event_id"] = str(uuid.uuid4())
    url = os.environ["TELEMETRY_LOADTEST_GATEWAY_URL"] + "/v1/events"
    request = urllib.request.Request(url, json.dumps(batch).encode(), headers)
    urllib.request.urlopen(request).read()
"""


class TestVerify:
    @pytest.fixture
    def run(self, stack: StackUnderTest, tmp_path: Path) -> tuple[dict[str, str], Path]:
        """A load of locust's, and its ledger."""
        environment, ledger = app_of_its_own(stack), tmp_path / "run.jsonl"
        arguments = (*SMALL, "--time-factor", "1200", "--ledger", str(ledger))
        done = stack.run("loadtest", "run", *arguments, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return environment, ledger

    def verify(self, stack: StackUnderTest, environment: dict[str, str], ledger: Path) -> Done:
        asked = ("--ledger", str(ledger), "--patience-seconds", "20")
        return stack.run("loadtest", "verify", *asked, **environment)

    def test_what_was_accepted_is_stored(
        self, stack: StackUnderTest, run: tuple[dict[str, str], Path]
    ) -> None:
        environment, ledger = run
        done = self.verify(stack, environment, ledger)

        assert done.returncode == 0, done.stdout + done.stderr
        accepted = [json.loads(line)["outcome"] for line in ledger.read_text().splitlines()]
        assert accepted.count("accepted") > 100

    def test_an_event_in_the_ledger_that_was_never_stored_is_lost(
        self, stack: StackUnderTest, run: tuple[dict[str, str], Path]
    ) -> None:
        environment, ledger = run
        with ledger.open("a") as file:
            file.write('{"device_id":"d","event_id":"never-sent","outcome":"accepted"}\n')

        done = stack.run(
            "loadtest", "verify", "--ledger", str(ledger), "--patience-seconds", "1", **environment
        )

        assert done.returncode == 1
        assert "never-sent" in done.stdout
        assert "disagree" in done.stderr

    def test_a_ledger_that_lacks_an_event_finds_a_row_too_many(
        self, stack: StackUnderTest, run: tuple[dict[str, str], Path]
    ) -> None:
        environment, ledger = run
        assert self.verify(stack, environment, ledger).returncode == 0
        lines = ledger.read_text().splitlines(keepends=True)
        victim = next(json.loads(line)["event_id"] for line in lines if '"accepted"' in line)
        ledger.write_text("".join(line for line in lines if victim not in line))

        done = self.verify(stack, environment, ledger)

        assert done.returncode == 1
        assert victim[:20] in done.stdout


class TestCommands:
    def test_without_a_key_it_says_where_to_get_one(self, stack: StackUnderTest) -> None:
        done = stack.run("loadtest", "demo", TELEMETRY_LOADTEST_WRITE_KEY="")

        assert done.returncode == 2
        assert "TELEMETRY_LOADTEST_WRITE_KEY is empty" in done.stderr

    def test_a_wrong_key_fails_the_demo(self, stack: StackUnderTest) -> None:
        done = demo(stack, {"TELEMETRY_LOADTEST_WRITE_KEY": "wrong"}, "--patience-seconds", "3")

        assert done.returncode == 1
        assert "refused whole POSTs" in done.stderr

    def test_no_gateway_is_one_line(self, stack: StackUnderTest) -> None:
        done = stack.run("loadtest", "demo", TELEMETRY_LOADTEST_GATEWAY_URL="http://127.0.0.1:1")

        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line.startswith("telemetry-loadtest: no gateway answers at http://127.0.0.1:1")

    def test_a_ledger_that_is_not_there_is_a_wrong_option(self, stack: StackUnderTest) -> None:
        done = stack.run("loadtest", "verify", "--ledger", "/nowhere")

        assert done.returncode == 2
        assert "--ledger" in done.stderr


class TestSegment:
    def test_the_unmodified_sdk_s_calls_are_rows(self, stack: StackUnderTest) -> None:
        status = stack.status()
        errors: list[object] = []
        install = str(uuid4())
        client = Client(
            status["write_key"],
            host=status["gateway"]["url"],
            on_error=lambda error, _: errors.append(error),
            gzip=True,
        )
        calls = {
            "identify": client.identify("user-1", {"plan": "pro"}, anonymous_id=install),
            "app_open": client.track("user-1", "Application Opened", {}, anonymous_id=install),
            "screen": client.screen("user-1", name="Home", anonymous_id=install),
            "track": client.track("user-1", "Bought", {"price": 9.99}, anonymous_id=install),
        }
        client.flush()
        client.join()

        assert errors == []
        for event_type, (_, call) in calls.items():
            row = stored(stack, str(call["messageId"]))
            assert (row["event_type"], row["device_id"]) == (event_type, install)
            assert row["protocol"] == "segment"


def stored(stack: StackUnderTest, event_id: str) -> dict[str, Any]:
    """The row of an event, once it is there."""
    wait_until(lambda: bool(stack.query("event_by_id", event_id=event_id)), 60, "the row")
    return stack.query("event_by_id", event_id=event_id)[0]
