"""The process that starts workers and keeper, starts again what ends, and drains them all.

It does nothing else, so that nothing else can end it. Workers begin when the keeper has taken over
every log it found; all end when their standard input does, as it does when this process is killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from gateway.config import GatewayConfig
from gateway.workers.run_folder import KEEPER, RunFolder

log = logging.getLogger(__name__)

START_SECONDS = 30.0  # for a process to say that it is ready
AGAIN_SECONDS = 0.1  # to the first restart, doubled for each one after it
LONGEST_AGAIN_SECONDS = 5.0
HEALTHY_SECONDS = 30.0  # of life, after which waits begin anew
KILL_SECONDS = 5.0  # beyond the time to drain


class StartFailed(Exception):
    """A process did not get ready. `code` is the exit code to end with."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class Role(Struct, frozen=True):
    """One process to keep alive: its name and its command line."""

    name: str
    arguments: Sequence[str]


def roles(run: RunFolder, workers: int, *, has_keeper: bool) -> tuple[list[Role], list[Role]]:
    """The keeper, if there is one, and the workers."""
    folder = str(run.path)
    keepers = [Role(KEEPER, ["keeper", "--run", folder])] if has_keeper else []
    of = ["--run", folder, "--workers", str(workers)]
    return keepers, [
        Role(f"worker {one}", ["worker", *of, "--index", str(one)]) for one in range(workers)
    ]


class _Member:
    """One role, and the process that plays it now."""

    def __init__(self, role: Role, environment: Mapping[str, str]) -> None:
        self.role = role
        self._environment = environment
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises StartFailed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *self.role.arguments,
            env=self._environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None  # noqa: S101  # asked for
        self.process = process
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await process.stdout.readline()
        except TimeoutError:
            process.kill()
            line = b""
        if not line:
            code = await process.wait()
            raise StartFailed(f"{self.role.name} did not get ready: exit code {code}", code)
        log.info("%s is ready: pid %d", self.role.name, process.pid)

    async def end(self, seconds: float) -> None:
        """SIGTERM, and SIGKILL to what is still there after `seconds`."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                await self.process.wait()
        except TimeoutError:
            log.error("%s does not end: killed", self.role.name)  # noqa: TRY400
            self.process.kill()
            await self.process.wait()


class Supervisor:
    """Runs the processes of one gateway on `port`."""

    def __init__(self, config: GatewayConfig, run: RunFolder, workers: int, port: int) -> None:
        environment = {
            **os.environ,
            "TELEMETRY_GATEWAY_PORT": str(port),
            "TELEMETRY_GATEWAY_DATA": config.data,
            "TELEMETRY_GATEWAY_TLS_CERT_PATH": config.tls_cert_path,
            "TELEMETRY_GATEWAY_TLS_KEY_PATH": config.tls_key_path,
        }
        keepers, serving = roles(run, workers, has_keeper=config.spool_bytes > 0)
        self._keepers = [_Member(role, environment) for role in keepers]
        self._workers = [_Member(role, environment) for role in serving]
        self._drain_seconds = config.drain_seconds + KILL_SECONDS
        self._is_stopping = False

    async def run(
        self, stop: asyncio.Event, renew: asyncio.Event, ready: Callable[[], None]
    ) -> None:
        """Run until `stop` is set; `renew` replaces the workers one by one. Raises StartFailed."""
        try:
            for member in self._keepers:
                await member.start()
            for member in self._workers:
                await member.start()
            ready()
            async with asyncio.TaskGroup() as tasks:
                watching = [
                    tasks.create_task(self._keep_alive(member))
                    for member in [*self._keepers, *self._workers]
                ]
                watching.append(tasks.create_task(self._renew_when(renew)))
                await stop.wait()
                self._is_stopping = True
                for task in watching:
                    task.cancel()
        finally:
            await asyncio.gather(*(one.end(self._drain_seconds) for one in self._workers))
            await asyncio.gather(*(one.end(self._drain_seconds) for one in self._keepers))

    async def _keep_alive(self, member: _Member) -> None:
        loop = asyncio.get_running_loop()
        wait = AGAIN_SECONDS
        while True:
            process = member.process
            assert process is not None  # noqa: S101  # it has been started
            started = loop.time()
            code = await process.wait()
            if member.process is not process:
                continue  # replaced by a newer one
            if loop.time() - started > HEALTHY_SECONDS:
                wait = AGAIN_SECONDS
            log.error("%s ended with %d; started again in %g s", member.role.name, code, wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_AGAIN_SECONDS)
            try:
                await member.start()
            except StartFailed as error:
                log.error("%s", error)  # noqa: TRY400

    async def _renew_when(self, renew: asyncio.Event) -> None:
        while True:
            await renew.wait()
            renew.clear()
            log.info("replacing the workers one by one")
            for member in self._workers:
                await self._replace(member)

    async def _replace(self, member: _Member) -> None:
        """Start a successor, and end the process when that one is ready."""
        before = _Member(member.role, {})
        before.process = member.process
        try:
            await member.start()
        except StartFailed as error:
            log.error("%s; the one before goes on", error)  # noqa: TRY400
            member.process = before.process
            return
        await before.end(self._drain_seconds)
