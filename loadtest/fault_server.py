"""A server that stands in for a gateway and plays faults to an SDK; it keeps what the SDK did."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any

import msgspec

from loadtest.devices import iso
from loadtest.fault_judge import Seen
from loadtest.fault_posts import BadPost, Plan, Posted, plan_for, read_post, refused
from loadtest.faults import OK, Player, Step
from loadtest.http_server import Request, answer, read_request

PATH = "/v1/events"
CALM_SHARE = 2 / 3  # of a bounded run: from then on all is well, so that an SDK can deliver
AGAIN_SECONDS = 0.2


class CannotListen(Exception):
    """The address is taken, or none of this machine."""


class FaultServer:
    """Answers on one address until it is closed. `seconds` and `posts` bound the run, 0: not."""

    def __init__(
        self, player: Player, *, host: str = "127.0.0.1", port: int = 0,
        seconds: float = 0, posts: int = 0, calms_down: bool = False,
    ) -> None:  # fmt: skip
        self._player = player
        self._host, self._port = host, port
        self._seconds, self._posts, self._calms_down = seconds, posts, calms_down
        self.seen: list[Seen] = []
        self.ended = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._now = asyncio.get_running_loop().time

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> FaultServer:
        """Raises CannotListen."""
        self._began = self._now()
        try:
            await self._listen()
        except OSError as error:
            raise CannotListen(f"{self._host}:{self._port}: {error.strerror or error}") from None
        if self._seconds:
            self._spawn(self._end_later())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._server.close()  # another one, where a task was about to listen again

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._accept, self._host, self._port, start_serving=False
        )
        self._port = self._server.sockets[0].getsockname()[1]
        await self._server.start_serving()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._spawn(self._serve(reader, writer))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_later(self) -> None:
        await asyncio.sleep(self._seconds)
        self.ended.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while (request := await read_request(reader, writer)) is not None:
                if request.method != "POST" or request.path != PATH:
                    writer.write(answer(404, b"", {}))
                elif not await self._post(request, reader, writer):
                    break
        finally:
            self._writers.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _post(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the connection goes on."""
        at, step = self._now(), self._next_step()
        peer = str(writer.get_extra_info("peername", ("",))[0])
        try:
            posted, problem = read_post(request, peer), ""
            plan = plan_for(step, posted, iso(time.time_ns() // 1_000_000))
        except BadPost as bad:
            posted, problem = Posted(peer, "", 0, ()), str(bad)
            plan = refused(400, {})
        is_there = step.kind != "slow" or await _stays(reader, step.number)
        answered = is_there and plan.status != 0
        self._keep(at, step, posted, plan, problem, answered=answered)
        if step.kind == "refuse" and not problem:
            self._refuse(step.number)
            return False
        if not answered:
            return False
        writer.write(answer(plan.status, plan.body, plan.headers))
        return True

    def _next_step(self) -> Step:
        share = max(
            (self._now() - self._began) / self._seconds if self._seconds else 0.0,
            len(self.seen) / self._posts if self._posts else 0.0,
        )
        is_calm = self._calms_down and share >= CALM_SHARE
        return OK if is_calm else self._player.next(self._now())

    def _keep(
        self, at: float, step: Step, posted: Posted, plan: Plan, problem: str, *, answered: bool
    ) -> None:
        events = tuple(
            msgspec.structs.replace(one, rejected=index in plan.rejected)
            for index, one in enumerate(posted.events)
        )
        self.seen.append(
            Seen(
                at=at,
                ended=self._now(),
                device=posted.device,
                sent_at=posted.sent_at,
                events=events,
                fault=step.kind,
                status=plan.status,
                answered=answered,
                taken=plan.taken,
                retry_after=int(plan.headers.get("retry-after", "0")),
                problem=problem,
            )
        )
        if self._posts and len(self.seen) >= self._posts:
            self.ended.set()

    def _refuse(self, seconds: float) -> None:
        """Take no connections for a while, and cut those that are there."""
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._spawn(self._listen_later(seconds))

    async def _listen_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        while True:
            try:
                return await self._listen()
            except OSError:  # somebody took the port meanwhile
                await asyncio.sleep(AGAIN_SECONDS)


async def _stays(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Wait; whether the client was there all the time."""
    leaves = asyncio.create_task(reader.read(1))
    try:
        done, _ = await asyncio.wait({leaves}, timeout=seconds)
        return not done
    finally:
        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
