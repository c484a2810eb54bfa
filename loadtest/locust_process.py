"""The process that puts the load: locust in one of its own, as it patches whatever imports it."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

import msgspec

from loadtest.meter import Sample
from loadtest.plan import VARIABLE, Plan

STOP_SECONDS = 30  # for POSTs that are under way when the run ends
SILENCE_SECONDS = 60.0  # it says a line a second
LINE_BYTES = 1024 * 1024

_decoder = msgspec.json.Decoder(Sample)


class LoadFailed(Exception):
    """The process ended badly, or fell silent."""


class LocustProcess:
    """A run under way."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def stop(self) -> None:
        """End the run before its time."""
        if self._process.returncode is None:
            self._process.terminate()

    async def samples(self) -> AsyncIterator[Sample]:
        """What is measured, until the run is over. Raises LoadFailed."""
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101  # it is a pipe
        try:
            while line := await asyncio.wait_for(stdout.readline(), SILENCE_SECONDS):
                yield _decoder.decode(line)
            code = await asyncio.wait_for(self._process.wait(), SILENCE_SECONDS)
        except TimeoutError:
            raise LoadFailed(f"locust said nothing for {SILENCE_SECONDS:g} s") from None
        except (ValueError, msgspec.DecodeError) as error:
            raise LoadFailed(f"locust said what is no sample: {error}") from None
        if code:
            raise LoadFailed(f"locust ended with code {code}")


@asynccontextmanager
async def locust(plan: Plan, url: str, web_port: int | None) -> AsyncIterator[LocustProcess]:
    """Start the run; with a `web_port` locust's own page is served there, on loopback, until the
    run is stopped. Signals to our terminal do not reach it."""
    command = [sys.executable, "-m", "locust", "-f", str(files("loadtest") / "locustfile.py")]
    command += ["--host", url, "--skip-log-setup", "--exit-code-on-error", "0"]
    command += ["--stop-timeout", str(STOP_SECONDS)]
    if web_port is None:
        command += ["--headless"]
    else:
        command += ["--autostart", "--web-host", "127.0.0.1", "--web-port", str(web_port)]
    environment = {**os.environ, VARIABLE: msgspec.json.encode(plan).decode()}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=PIPE, limit=LINE_BYTES, start_new_session=True
    )
    try:
        yield LocustProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
