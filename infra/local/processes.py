"""Processes of the stack: started so that they end with us, known by more than their pid."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import psutil
from msgspec import Struct

MAX_LOG_BYTES = 20 * 1024 * 1024
_PR_SET_PDEATHSIG = 1


class Identity(Struct, frozen=True):
    """A process. A pid alone may be somebody else's by now."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """None when it has ended already."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def process(self) -> psutil.Process | None:
        """The living process, None when it has ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 0.1
            alive = same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return process if alive else None

    def is_stopped(self) -> bool:
        """Whether somebody has sent it SIGSTOP."""
        process = self.process()
        try:
            return process is not None and process.status() == psutil.STATUS_STOPPED
        except psutil.Error:
            return False


async def start(
    command: Sequence[str], environment: Mapping[str, str], log_file: Path
) -> asyncio.subprocess.Process:
    """Start a member in a session of its own, with its output in its log file."""
    log = _open_log(log_file)
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=partial(_die_with, os.getpid()) if sys.platform == "linux" else None,
        )
    finally:
        os.close(log)


def _open_log(log_file: Path) -> int:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    if log_file.exists() and log_file.stat().st_size > MAX_LOG_BYTES:
        log_file.replace(log_file.with_suffix(".log.1"))
    return os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _die_with(parent_pid: int) -> None:
    """Runs in the child before it becomes the member: Linux ends it when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it has ended already
        os._exit(1)


async def end(process: asyncio.subprocess.Process, patience_seconds: float) -> bool:
    """SIGTERM, then SIGKILL; True when it ended by itself."""
    if process.returncode is not None:
        return True
    for number in (signal.SIGCONT, signal.SIGTERM):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
    try:
        async with asyncio.timeout(patience_seconds):
            await process.wait()
            return True
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        return False


def end_leftover(identity: Identity, patience_seconds: float) -> None:
    """End a process of a stack whose supervisor was killed."""
    process = identity.process()
    if process is None:
        return
    with contextlib.suppress(psutil.Error):
        process.resume()
        process.terminate()
        try:
            process.wait(patience_seconds)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(patience_seconds)


def last_lines(log_file: Path, count: int = 12) -> str:
    """The end of a log, for people who ask why."""
    try:
        text = log_file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-count:])
