"""Rows of hostile bodies, over sockets into the whole path: what is taken must be storable. Many
more are made in this process, where an input costs a tenth."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random

from msgspec import Struct

from tests.faults.rig import FaultRig
from tests.faults.row import Found, Row, times
from tests.fuzz import targets
from tests.fuzz.post import Post
from tests.fuzz.run import Fuzz, Summary
from tests.fuzz.targets import STATUSES
from tests.raw_http import connect

SEED = 1
CLIENTS = 9  # odd, so that each meets every maker
ANSWER_SECONDS = 10.0
IN_PROCESS_SECONDS = 1800.0

Maker = Callable[[Random], Post]


def compressed(rig: FaultRig, scale: float) -> Found:
    return _send(rig, (targets.encoded,), times(scale, 20_000, 300))


def strange(rig: FaultRig, scale: float) -> Found:
    found = _send(rig, (targets.native, targets.segment), times(scale, 80_000, 600))
    inputs = times(scale, 900_000, 1_000)

    def progress(summary: Summary) -> None:
        rig.say(f"{summary.inputs} of {inputs} inputs in one process")

    fuzz = Fuzz(rig.folder / "fuzz", SEED)
    summary = asyncio.run(fuzz.run(inputs, IN_PROCESS_SECONDS, progress))
    found.wrong += [f"{one.target}:{one.number} {one.text}" for one in summary.failures[:5]]
    found.injected += summary.inputs
    found.note += f"; {summary.inputs} inputs in one process, {len(summary.failures)} failed"
    return found


class Told(Struct):
    """What one client was answered."""

    statuses: Counter[int]
    wrong: list[str]
    slowest: float = 0.0  # seconds


def _send(rig: FaultRig, makers: tuple[Maker, ...], count: int) -> Found:
    """So many inputs: each answer is one of ours, each accepted event a row or a copy of one."""
    rig.start_sink()
    rig.start_gateway().wait_until_ready()
    with ThreadPoolExecutor(CLIENTS) as threads:
        told = list(
            threads.map(
                lambda first: _ask(rig, makers, range(first, count, CLIENTS)), range(CLIENTS)
            )
        )
    statuses = sum((one.statuses for one in told), Counter[int]())
    wrong = [text for one in told for text in one.wrong]
    if rig.gateway.get("/livez")[0] != 200:
        wrong.append("the gateway does not answer any more")
    if bugs := rig.metric("internal_errors_total"):
        wrong.append(f"{bugs:.0f} internal errors")
    accepted = rig.outcomes().get("accepted", 0)
    wrong += _unaccounted(rig, accepted)
    answers = ", ".join(f"{many}x {status}" for status, many in sorted(statuses.items()))
    slowest = max(one.slowest for one in told)
    note = f"{answers}; slowest {slowest * 1000:.0f} ms"
    return Found(injected=count, wrong=wrong[:5], note=note, acknowledged=accepted)


def _ask(rig: FaultRig, makers: tuple[Maker, ...], numbers: range) -> Told:
    told = Told(Counter(), [])
    client = _Client(rig.gateway.port)
    for number in numbers:
        maker = makers[number % len(makers)]
        post = maker(Random(f"{SEED}:{maker.__name__}:{number}"))
        started = time.monotonic()
        status = client.ask(post)
        told.slowest = max(told.slowest, time.monotonic() - started)
        told.statuses[status] += 1
        if status not in STATUSES | {0}:
            told.wrong.append(f"{maker.__name__}:{number} was answered {status}")
        if numbers.start == 0:
            rig.say(f"{number} of {numbers.stop} inputs")
    client.close()
    return told


def _unaccounted(rig: FaultRig, accepted: int) -> list[str]:
    rig.wait_idle()
    ((rows, copies, dead),) = rig.rows(
        "sum(inserted), sum(duplicates), sum(dead)", "chunks FINAL", "1"
    )
    wrong = []
    if int(rows) + int(copies) + int(dead) != accepted:
        wrong.append(f"{accepted} events accepted, {rows} rows, {copies} copies, {dead} dead")
    if int(dead):
        wrong.append(f"the sink could not store {dead} events that the gateway had accepted")
    if rig.sinks[0].is_dead():
        wrong.append("the sink has ended")
    return wrong


class _Client:
    """Keep-alive while the gateway keeps it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, post: Post) -> int:
        """The status; 0 when the connection was closed without one."""
        if self._socket is None:
            self._socket = connect(self._port)
            self._socket.settimeout(ANSWER_SECONDS)
        length = b"content-length: %d\r\n" % len(post.body)
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in post.headers)
        head = f"{post.method} {post.path} HTTP/1.1\r\nHost: h\r\n".encode() + lines + length
        try:
            self._socket.sendall(head + b"\r\n" + post.body[: post.cut])
            self._socket.sendall(post.body[post.cut :])
        except ConnectionError:
            pass  # an early answer may still be there to read
        return self._read(self._socket)

    def _read(self, client: socket.socket) -> int:
        found = b""
        try:
            while True:
                head, mark, body = found.partition(b"\r\n\r\n")
                _, _, rest = head.lower().partition(b"content-length: ")
                if mark and len(body) >= int(rest.split(b"\r\n", 1)[0] or b"0"):
                    break
                piece = client.recv(65536)
                if not piece:
                    self.close()
                    break
                found += piece
        except ConnectionError:
            self.close()
        if b"connection: close" in found.lower():
            self.close()
        return int(found[9:12]) if found.startswith(b"HTTP/1.1 ") else 0

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


ROWS = [
    Row(
        number=28,
        title="compressed bodies and bombs",
        fault="Bodies compressed well and badly, cut, nested, and bombs: 4xx or verdicts, never "
        "500, and each accepted event is stored.",
        run=compressed,
        seconds=65,
    ),
    Row(
        number=29,
        title="hostile bodies",
        fault="Native and Segment bodies nobody would send: 4xx or verdicts, never 500, and each "
        "accepted event is stored. Many more in one process: compressed ones, heads, raw bytes and "
        "logs of the spool, too.",
        run=strange,
        seconds=600,
        short=0.01,
    ),
]
