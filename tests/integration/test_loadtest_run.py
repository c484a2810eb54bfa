"""`telemetry-loadtest run` as people run it: locust's phones against a gateway that can fail."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from urllib.request import urlopen

import pytest
from msgspec import Struct

from loadtest.ledger import Entry
from loadtest.ledger_file import read_entries
from tests.fakes_gateway import FakeGateway, Fault
from tests.kafka import wait_until

SECONDS = 4
ENDED_SECONDS = 60.0


class Ran(Struct, frozen=True):
    """A run that has ended."""

    code: int
    output: str
    errors: str


async def start(fake_url: str, *arguments: str) -> asyncio.subprocess.Process:
    environment = {
        **os.environ,
        "TELEMETRY_LOADTEST_GATEWAY_URL": fake_url,
        "TELEMETRY_LOADTEST_WRITE_KEY": "key",
    }
    command = [sys.executable, "-m", "loadtest", "run", "--seconds", str(SECONDS), *arguments]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)


async def ended(process: asyncio.subprocess.Process) -> Ran:
    output, errors = await asyncio.wait_for(process.communicate(), ENDED_SECONDS)
    return Ran(process.returncode or 0, output.decode(), errors.decode())


async def run(fake_url: str, *arguments: str) -> Ran:
    return await ended(await start(fake_url, *arguments))


def entries(ledger: Path) -> list[Entry]:
    return [entry for entry, _ in read_entries(ledger)]


def waits(fake: FakeGateway, busy: int) -> list[float]:
    """Seconds from each of the first `busy` POSTs, which got a 503, to the next try of it."""
    tries: dict[str, list[tuple[int, float]]] = {}
    for number, (body, at) in enumerate(zip(fake.bodies, fake.arrivals, strict=True)):
        tries.setdefault(json.dumps(body["events"]), []).append((number, at))
    return [
        later[1] - one[1]
        for times in tries.values()
        for one, later in pairwise(times)
        if one[0] < busy
    ]


@pytest.mark.parametrize("shape", ["steady", "spike", "herd", "retry-storm"])
async def test_every_shape_tells_what_it_did(shape: str, tmp_path: Path) -> None:
    ledger, report = tmp_path / "run.jsonl", tmp_path / "run.html"
    async with FakeGateway() as fake:
        fake.retry_after = 1
        fake.faults += [Fault.BUSY] * 3
        arguments = ["--shape", shape, "--devices", "20", "--ledger", str(ledger)]
        ran = await run(fake.url, *arguments, "--report", str(report))
        kept, posts = set(fake.kept), len(fake.bodies)

    told = entries(ledger)
    outcomes = Counter(one.outcome for one in told)
    page = report.read_text()
    assert ran.code == 0, ran.errors
    assert kept
    assert {one.event_id for one in told if one.outcome == "accepted"} == kept
    assert outcomes["unanswered"] >= 3
    assert kept <= {one.event_id for one in told if one.outcome == "posted"}
    assert f"{outcomes['accepted']:,}; " in ran.output
    assert f"200: {posts - 3:,}, 503: 3" in ran.output
    assert f"200: {posts - 3:,}, 503: 3" in page
    assert page.count("Plotly.newPlot(") >= 5


@pytest.mark.parametrize(("shape", "honours"), [("herd", True), ("retry-storm", False)])
async def test_phones_wait_as_long_as_they_are_asked_and_storms_do_not(
    shape: str, honours: bool
) -> None:
    async with FakeGateway() as fake:
        fake.retry_after = 1
        fake.faults += [Fault.BUSY] * 20
        ran = await run(fake.url, "--shape", shape, "--devices", "20")
        found = waits(fake, 20)

    assert ran.code == 0, ran.errors
    assert found
    assert (min(found) >= 1) == honours


async def test_a_herd_comes_back_together_after_its_outage() -> None:
    async with FakeGateway() as fake:
        fake.crowd = 20
        await run(fake.url, "--shape", "herd", "--devices", "20", "--time-factor", "600")
        first = fake.bodies[:20]

    assert len({body["context"]["device"]["id"] for body in first}) == 20


async def test_a_final_no_is_found_wrong() -> None:
    async with FakeGateway() as fake:
        fake.faults += [Fault.REFUSED] * 2
        ran = await run(fake.url, "--devices", "20")

    assert ran.code == 1
    assert "2 POSTs got a final no" in ran.errors


async def test_a_gateway_that_is_not_there_is_found_wrong(tmp_path: Path) -> None:
    ledger = tmp_path / "run.jsonl"

    ran = await run(f"http://127.0.0.1:{free_port()}", "--devices", "20", "--ledger", str(ledger))

    assert ran.code == 1
    assert "no event was acknowledged" in ran.errors
    assert {one.outcome for one in entries(ledger)} == {"posted", "unanswered"}


@pytest.mark.parametrize("option", ["--ledger", "--report"])
async def test_a_file_that_cannot_be_written_is_told_before_any_load(
    option: str, tmp_path: Path
) -> None:
    async with FakeGateway() as fake:
        ran = await run(fake.url, option, str(tmp_path / "nowhere" / "file"))

    assert ran.code == 2
    assert option in ran.errors
    assert not fake.bodies


async def test_locust_s_own_page_is_there_until_the_run_is_stopped(tmp_path: Path) -> None:
    port, report = free_port(), tmp_path / "run.html"
    async with FakeGateway() as fake:
        process = await start(
            fake.url, "--devices", "20", "--web-port", str(port), "--report", str(report)
        )
        await asyncio.to_thread(
            wait_until, lambda: is_locusts_page(port), ENDED_SECONDS, "the page"
        )
        await asyncio.to_thread(wait_until, lambda: bool(fake.kept), ENDED_SECONDS, "an event")
        process.send_signal(signal.SIGINT)
        ran = await ended(process)

    assert ran.code == 0, ran.errors
    assert f"http://127.0.0.1:{port}" in ran.output
    assert "Plotly.newPlot(" in report.read_text()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def is_locusts_page(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return "<title>Locust</title>" in answer.read().decode()
    except OSError:
        return False
