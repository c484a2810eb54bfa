"""The spool of one host: a log on disk per lane, for the time in which Kafka does not take events.

Flow: entries -> group commit, one sync for all that wait -> answers -> drained to Kafka in order.
A lane whose log is not empty is marked on the board, and its new events go behind the log. A sync
that fails acknowledges nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from gateway.metrics import Metrics
from gateway.publish.produce import Place
from gateway.publish.spool.disk import Disk
from gateway.publish.spool.drain import Drain, Send
from gateway.publish.spool.gate import Waiting
from gateway.publish.spool.lane import SpoolLane
from gateway.publish.spool.lane_log import sync_folder
from gateway.publish.spool.port import DIRECT, STORED, Done, Fate, SpoolAnswer

log = logging.getLogger(__name__)

LOCK_SECONDS = 10.0  # a predecessor that was told to stop, or was killed, is soon gone
LOCK_AGAIN_SECONDS = 0.1
WATCH_SECONDS = 1.0
READY_SHARE = 20  # of its bytes that must be free: with less the next POST may not fit
FAILED_SECONDS = 1.0  # a lane whose disk failed takes nothing for so long


class SpoolError(Exception):
    """The spool cannot be used. The text names what is in the way."""


class Board(Protocol):
    """One byte per lane, 1 where new events go behind its log. Several processes may read it."""

    def __setitem__(self, lane: int, value: int, /) -> None: ...


class SpoolOptions(Struct, frozen=True, kw_only=True):
    folder: Path
    max_bytes: int
    min_free_bytes: int  # of the disk
    alarm_seconds: float  # an entry that waits longer is logged as an error


class Spool:
    """Open it, then `run` it; `append` may be called in between."""

    def __init__(
        self,
        options: SpoolOptions,
        places: Sequence[Place],
        board: Board,
        metrics: Metrics,
        now_ms: Callable[[], int],
    ) -> None:
        self._options = options
        self._board = board
        self._metrics = metrics
        self._now_ms = now_ms
        self._lanes = [SpoolLane(number, one, options.folder) for number, one in enumerate(places)]
        self._disk = Disk(options.folder, options.min_free_bytes)
        self._lock = -1
        self._wanted = asyncio.Event()
        self._lack: str | None = None
        self._waiting_bytes = 0

    async def open(self) -> None:
        """Take over what lies there, and mark it on the board. Raises SpoolError."""
        folder = self._options.folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(folder.parent)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            async with asyncio.timeout(LOCK_SECONDS):
                while not _is_locked(self._lock):  # noqa: ASYNC110  # nobody tells us
                    await asyncio.sleep(LOCK_AGAIN_SECONDS)
        except TimeoutError:
            raise SpoolError(f"{folder}: another gateway keeps its spool here") from None
        except OSError as error:
            raise SpoolError(f"{folder}: {error.strerror}") from None
        known = {(topic, str(partition)) for topic, partition in (one.place for one in self._lanes)}
        for path in sorted(folder.glob("*/*/*.log")):
            if (path.parent.parent.name, path.parent.name) not in known:
                raise SpoolError(f"{path}: no such lane; was the number of partitions changed?")
        for lane in self._lanes:
            self._adopt(lane)
        self._lack = self._disk.lack()

    def holds(self, lane: int) -> bool:
        return self._lanes[lane].gate.is_spooled

    def append(self, lane: int, entry: bytes, is_trip: bool, done: Done) -> None:
        this = self._lanes[lane]
        if not this.gate.is_spooled and not is_trip:
            done(DIRECT)
            return
        reason = self._lack or self._full(len(entry))
        if reason is None and this.failed_until > asyncio.get_running_loop().time():
            reason = "the spool's disk failed"
        if reason is not None:
            self._metrics.spool_entries.labels("refused").inc()
            done(SpoolAnswer(Fate.FAILED, reason))
            return
        if not this.gate.is_spooled:
            self._metrics.spool_trips.inc()
            self._board[lane] = 1
            log.warning("lane %s goes to the spool", this)
        self._waiting_bytes += len(entry)
        if this.gate.take(Waiting(entry, done), is_trip):
            self._wanted.set()

    def unready_reason(self) -> str | None:
        return self._lack or self._full(self._options.max_bytes // READY_SHARE)

    async def run(self, send: Send) -> None:
        """Commit what comes, and drain it by `send`, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch())
                while True:
                    for lane in self._lanes:
                        if lane.gate.is_spooled and not lane.is_draining:
                            lane.is_draining = True
                            tasks.create_task(self._drain(lane, send))
                    await self._wanted.wait()
                    self._wanted.clear()
                    await self._commit()
        finally:
            self._disk.close()
            for lane in self._lanes:
                lane.log.close()
            os.close(self._lock)

    async def _commit(self) -> None:
        """Write and sync all that waits, and answer it."""
        loop = asyncio.get_running_loop()
        work = [(lane, lane.gate.commit()) for lane in self._lanes if lane.gate.pending]
        started = loop.time()
        results = await self._disk.commit(
            [(lane.log, [one.entry for one in taken]) for lane, taken in work]
        )
        self._metrics.spool_sync_seconds.observe(loop.time() - started)
        for (lane, taken), result in zip(work, results, strict=True):
            lane.bytes = result.bytes
            lane.gate.in_commit = 0
            self._waiting_bytes -= sum(len(one.entry) for one in taken)
            answer = STORED
            if result.error:
                self._metrics.spool_disk_errors.inc()
                lane.failed_until = loop.time() + FAILED_SECONDS
                answer = SpoolAnswer(Fate.FAILED, f"the spool's disk failed: {result.error}")
            elif lane.oldest_ms is None:
                lane.oldest_ms = self._now_ms()
            outcome = "refused" if result.error else "stored"
            self._metrics.spool_entries.labels(outcome).inc(len(taken))
            for waiting in taken:
                waiting.done(answer)
            lane.changed.set()

    async def _drain(self, lane: SpoolLane, send: Send) -> None:
        await Drain(lane, self._disk, send, self._open_gate, self._metrics).run()
        lane.is_draining = False
        lane.oldest_ms = None
        self._board[lane.number] = 0
        self._waiting_bytes -= lane.gate.to_direct()
        log.info("lane %s is drained", lane)

    def _open_gate(self, lane: SpoolLane) -> None:
        if lane.gate.open():
            self._wanted.set()

    def _full(self, more: int) -> str | None:
        used = sum(lane.bytes for lane in self._lanes) + self._waiting_bytes
        return "the spool is full" if used + more > self._options.max_bytes else None

    async def _watch(self) -> None:
        """Once a second: the disk's free space, and what people want to see."""
        was_late = False
        while True:
            self._lack = await self._disk.run(self._disk.lack)
            oldest = min((one.oldest_ms for one in self._lanes if one.oldest_ms), default=None)
            age = 0.0 if oldest is None else max(0.0, (self._now_ms() - oldest) / 1000)
            self._metrics.spool_bytes.set(sum(lane.bytes for lane in self._lanes))
            self._metrics.spool_lanes.set(sum(lane.gate.is_spooled for lane in self._lanes))
            self._metrics.spool_oldest_seconds.set(age)
            is_late = age > self._options.alarm_seconds
            if is_late and not was_late:
                log.error("the oldest spooled event has waited for %.1f hours", age / 3600)
            was_late = is_late
            await asyncio.sleep(WATCH_SECONDS)

    def _adopt(self, lane: SpoolLane) -> None:
        try:
            damage = lane.log.adopt()
        except (OSError, ValueError) as error:
            raise SpoolError(f"{self._options.folder}: lane {lane}: {error}") from None
        self._metrics.spool_torn_bytes.inc(damage.torn_bytes)
        self._metrics.spool_quarantined.inc(damage.quarantined)
        if damage.torn_bytes or damage.quarantined:
            log.warning(
                "lane %s: a torn end of %d bytes cut off, %d damaged stretches put aside",
                lane, damage.torn_bytes, damage.quarantined,
            )  # fmt: skip
        lane.bytes = lane.log.left
        lane.gate.is_spooled = lane.bytes > 0
        self._board[lane.number] = int(lane.gate.is_spooled)
        if lane.bytes:
            log.info("lane %s: %d spooled bytes taken over", lane, lane.bytes)


def _is_locked(fd: int) -> bool:
    """Whether the lock is ours now."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
