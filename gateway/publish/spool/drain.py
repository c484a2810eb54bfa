"""One lane's way back: its log is sent to Kafka in its order, until it is empty."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from gateway.contract.record import Run
from gateway.metrics import Metrics
from gateway.publish.publisher import Outcome, Settle
from gateway.publish.spool.disk import Disk
from gateway.publish.spool.entry import decode
from gateway.publish.spool.lane import SpoolLane

log = logging.getLogger(__name__)

Send = Callable[[Sequence[Run], Settle], None]

AGAIN_SECONDS = 1.0
GATE_SECONDS = 0.5  # for the last batch: so long new entries are held back
REST_SECONDS = 0.1  # the longest rest between two batches


class _Batch(Struct, frozen=True):
    runs: list[Run]
    entries: int
    damaged: int
    size: int  # bytes in the log
    oldest_ms: int | None


class Drain:
    """Sends one lane's log; ends when the log is empty and nothing is on its way into it."""

    def __init__(
        self,
        lane: SpoolLane,
        disk: Disk,
        send: Send,
        open_gate: Callable[[SpoolLane], None],
        metrics: Metrics,
    ) -> None:
        self._lane = lane
        self._disk = disk
        self._send = send
        self._open_gate = open_gate
        self._metrics = metrics

    async def run(self) -> None:
        lane = self._lane
        while True:
            lane.changed.clear()
            try:
                batch = await self._disk.run(self._read)
                if batch.size:
                    await self._pass_on(batch)
                    continue
            except OSError as error:
                log.error("lane %s: the spool cannot be read: %s", lane, error)  # noqa: TRY400
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if lane.gate.is_quiet:
                return
            await lane.changed.wait()

    async def _pass_on(self, batch: _Batch) -> None:
        """Send a batch and take it off the log; rest as long as that took, when the log shrinks:
        so the drain has at most half of what the brokers can do."""
        lane, loop = self._lane, asyncio.get_running_loop()
        lane.oldest_ms = batch.oldest_ms or lane.oldest_ms
        if batch.size == lane.bytes:
            lane.gate.close()
            loop.call_later(GATE_SECONDS, self._open_gate, lane)
        backlog, started = lane.bytes, loop.time()
        if batch.runs:
            outcome = await self._sent(batch.runs)
            if outcome.kept is None:
                log.warning("lane %s is not drained: %s", lane, outcome.reason)
                self._open_gate(lane)
                await asyncio.sleep(AGAIN_SECONDS)
                return
        lane.bytes = await self._disk.run(lambda: lane.log.drained(batch.size))
        self._metrics.spool_entries.labels("drained").inc(batch.entries)
        self._metrics.spool_quarantined.inc(batch.damaged)
        if not lane.gate.is_gated and lane.bytes < backlog:
            await asyncio.sleep(min(loop.time() - started, REST_SECONDS))

    async def _sent(self, runs: Sequence[Run]) -> Outcome:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._send(runs, lambda one: None if future.done() else future.set_result(one))
        return await future

    def _read(self) -> _Batch:
        """In the disk's thread: the next entries."""
        found, size = self._lane.log.read()
        runs: list[Run] = []
        damaged = 0
        for one in found:
            if one.body is None:
                damaged += 1
                continue
            try:
                runs += decode(self._lane.place[0], one.body)
            except msgspec.DecodeError:
                self._lane.log.put_aside(one.start, one.body)
                damaged += 1
        oldest = next((one.arrived_ms for one in found if one.body is not None), None)
        return _Batch(runs, len(found) - damaged, damaged, size, oldest)
