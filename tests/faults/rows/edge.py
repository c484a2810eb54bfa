"""Rows of the edge, over raw sockets: what is too slow, too large, of two meanings, or endless.

uvicorn's own protocol class, which the guard replaces, is the control of each.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

from tests.faults.load import SteadyLoad
from tests.faults.rig import FaultRig
from tests.faults.row import Control, Found, Row, times
from tests.kafka import wait_until
from tests.processes import Process
from tests.raw_http import (
    AMBIGUOUS_HEADS,
    BAD_CHUNKS,
    GOOD_HEAD,
    LIVEZ,
    ask,
    connect,
    sent_behind_an_answer,
    status_of,
)

CLOSED_SECONDS = 20.0  # head and body have 5 s and 10 s to arrive, and a sweep is near
CONTROL_SECONDS = 12.0
LIVE = b'{"live":true}'
FEW = 0.01  # the scale of a control: one probe that passes is enough
HEAD_GROWTH_BYTES = 16_000_000
BEHIND_413_BYTES = 20_000_000  # what buffers of sockets swallow, and more


@contextmanager
def _guarded(rig: FaultRig) -> Iterator[SteadyLoad]:
    """A gateway with good clients meanwhile."""
    rig.start_path()
    with rig.steady(devices=20) as load:
        load.wait_accepted(100)
        yield load
        load.wait_all_devices()


@contextmanager
def _unguarded(rig: FaultRig) -> Iterator[int]:
    """The port of uvicorn's own protocol class."""
    control = Process(["tests.plain_uvicorn"], {}, "control", rig.folder / "control.log")
    try:
        yield int(control.wait_ready().rpartition(":")[2])
    finally:
        control.kill()


def _against_plain_uvicorn(probe: Callable[[int], list[str]]) -> Callable[..., Found]:
    def run(rig: FaultRig, _: float) -> Found:
        with _unguarded(rig) as port:
            return Found(injected=1, wrong=probe(port))

    return run


def slow_sockets(rig: FaultRig, scale: float) -> Found:
    with _guarded(rig) as load:
        process = psutil.Process(rig.gateway.pid)
        before, heard = process.num_fds(), len(load.acks)
        usual = _typical(load, 0)
        count, wrong = _be_slow(rig.gateway.port, scale, CLOSED_SECONDS)
        meanwhile = _typical(load, heard)
        wait_until(lambda: process.num_fds() <= before + 5, 30, "the end of slow connections")
    note = f"good clients' median answer {usual:.1f} ms before, {meanwhile:.1f} ms meanwhile"
    return Found(injected=count, wrong=wrong, note=note)


def _typical(load: SteadyLoad, since: int) -> float:
    return statistics.median(one.seconds for one in load.acks[since:]) * 1000


def _be_slow(port: int, scale: float, patience: float) -> tuple[int, list[str]]:
    """Sockets that are silent, stop in their head, or stop in their body; all must be closed."""
    count = times(scale, 2_000, 60)
    openings = (
        b"",
        b"GET /livez HTTP/1.1\r\nX: ",
        f"{GOOD_HEAD}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode(),
    )
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(port)) for _ in range(count)]
        for number, one in enumerate(slow):
            one.sendall(openings[number % len(openings)])
        try:
            wait_until(lambda: all(map(_is_closed, slow)), patience, "the end of slow sockets")
        except AssertionError:
            still = sum(not _is_closed(one) for one in slow)
            return count, [f"{still} of {count} slow sockets are still open"]
    return count, []


def _is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        while client.recv(65536):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def large_heads(rig: FaultRig, scale: float) -> Found:
    with _guarded(rig):
        process = psutil.Process(rig.gateway.pid)
        before = process.memory_info().rss
        wrong = _send_large_heads(rig.gateway.port, scale)
        grown = process.memory_info().rss - before
    if grown > HEAD_GROWTH_BYTES:
        wrong.append(f"the gateway grew by {grown // 1_000_000} MB")
    note = f"the gateway grew by {grown / 1e6:.1f} MB"
    return Found(injected=3 * times(scale, 10), wrong=wrong, note=note)


def _send_large_heads(port: int, scale: float) -> list[str]:
    """A head of 20 MB, one of 100,000 headers, one just beyond the limit."""
    many = b"".join(b"x-%d: 1\r\n" % number for number in range(100_000))
    heads = (
        LIVEZ[:-2] + b"X: " + b"a" * 20_000_000 + b"\r\nConnection: close\r\n\r\n",
        LIVEZ[:-2] + many + b"Connection: close\r\n\r\n",
        LIVEZ[:-2] + b"X: " + b"a" * 33_000 + b"\r\nConnection: close\r\n\r\n",
    )
    statuses = [status_of(ask(port, head)) for _ in range(times(scale, 10)) for head in heads]
    return [f"a head was answered {one}" for one in statuses if one not in (0, 431)]


def smuggling(rig: FaultRig, scale: float) -> Found:
    with _guarded(rig):
        wrong = _smuggle(rig.gateway.port, scale)
    probes = 2 * len(AMBIGUOUS_HEADS) + len(BAD_CHUNKS)
    return Found(injected=probes * times(scale, 20), wrong=wrong)


def _smuggle(port: int, scale: float) -> list[str]:
    wrong: list[str] = []
    for _ in range(times(scale, 20)):
        for head in AMBIGUOUS_HEADS:
            for body in ("0\r\n\r\n", ""):
                first = f"POST /v1/events HTTP/1.1\r\n{head}\r\n{body}"
                answer = _ask_briefly(port, first.encode() + LIVEZ)
                if status_of(answer) != 400 or LIVE in answer:
                    wrong.append(f"{head!r} was answered {answer[:60]!r}")
        for chunk in BAD_CHUNKS:
            first = f"{GOOD_HEAD}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
            answer = _ask_briefly(port, first.encode() + b"\r\n" + chunk + LIVEZ)
            if status_of(answer) not in (0, 400) or LIVE in answer:
                wrong.append(f"the chunk {chunk!r} was answered {answer[:60]!r}")
    return wrong[:5]


def _ask_briefly(port: int, request: bytes) -> bytes:
    """A server that waits for more says nothing."""
    with connect(port) as client:
        client.settimeout(3)
        with contextlib.suppress(ConnectionError):
            client.sendall(request)
        found = b""
        try:
            while chunk := client.recv(65536):
                found += chunk
        except OSError:
            pass
    return found


def endless_bodies(rig: FaultRig, scale: float) -> Found:
    with _guarded(rig):
        wrong = _send_endless(rig.gateway.port, scale)
        body = GOOD_HEAD + "Content-Type: application/json\r\nContent-Length: 9000000\r\n\r\n"
        answer = ask(rig.gateway.port, body.encode() + b"x" * 700_000)
    if status_of(answer) != 413:
        wrong.append(f"the 413 cannot be read: {answer[:60]!r}")
    return Found(injected=times(scale, 10), wrong=wrong)


def _send_endless(port: int, scale: float) -> list[str]:
    taken = [sent_behind_an_answer(port, megabytes=500) for _ in range(times(scale, 10))]
    worst = max(taken)
    return [f"{worst // 1_000_000} MB were read after a 413"] if worst > BEHIND_413_BYTES else []


def _control(probe: Callable[[int], list[str]]) -> Control:
    return Control(
        says="uvicorn's own protocol class", run=_against_plain_uvicorn(probe), must="wrong"
    )


ROWS = [
    Row(
        number=30,
        title="slow sockets",
        fault="2,000 sockets are silent, stop in their head or in their body: all are closed in "
        "time, and good clients go on.",
        run=slow_sockets,
        control=_control(lambda port: _be_slow(port, FEW, CONTROL_SECONDS)[1]),
        seconds=60,
    ),
    Row(
        number=31,
        title="large heads",
        fault="Heads of 20 MB, of 100,000 headers and just beyond the limit: 431, and memory "
        "stays as it was.",
        run=large_heads,
        control=_control(lambda port: _send_large_heads(port, FEW)),
        seconds=30,
    ),
    Row(
        number=32,
        title="request smuggling",
        fault="31 requests of two meanings: 400 and close, and what stands behind them never runs.",
        run=smuggling,
        control=_control(lambda port: _smuggle(port, FEW)),
        seconds=30,
    ),
    Row(
        number=33,
        title="body behind a 413",
        fault="500 MB of body behind a 413: the connection is closed within a few, and a client "
        "that reads sees its 413.",
        run=endless_bodies,
        control=_control(lambda port: _send_endless(port, FEW)),
        seconds=40,
    ),
]
