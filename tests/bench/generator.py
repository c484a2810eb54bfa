"""A closed loop of keep-alive connections, one POST on its way in each, bodies made beforehand.

It costs about a quarter of what the gateway does per POST. A slower one would measure itself: a
gateway that waits for its clients takes POSTs one by one, and no two share a request to Kafka.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count, cycle
from uuid import uuid4

from tests.builders import make_batch, make_event
from tests.processes import KEY

CONNECTIONS = 64
SILENT_SECONDS = 30.0  # no answer on any connection for so long ends a run


def body_of(device: int, events: int) -> bytes:
    """A batch of one device."""
    batch = make_batch(
        *[make_event(event_id=str(uuid4()), sequence=one) for one in range(1, events + 1)],
    )
    batch["context"]["device"]["id"] = f"device-{device}"
    return json.dumps(batch).encode()


def request_of(
    body: bytes, path: str = "/v1/events", content_type: str = "application/json"
) -> bytes:
    """A whole POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def of_devices(devices: int, events: int) -> Iterator[bytes]:
    """Whole POSTs without end, each of the next of so many devices."""
    template = _template([str(uuid4()) for _ in range(events)])
    for number in cycle(range(devices)):
        yield template % number


def of_new_events(devices: int, events: int) -> Iterator[bytes]:
    """Whole POSTs without end, of devices in turn; no event comes twice."""
    template = _template([f"00000000-0000-4000-8000-{_ID}"] * events)
    for number in count():
        first = number * events
        yield template % (number % devices, *range(first, first + events))


_DEVICE, _ID = "d" * 10, "n" * 12  # each as long as what takes its place


def _template(ids: Sequence[str]) -> bytes:
    """A POST in which the device's number, and those of ids that have one, are to be set."""
    batch = make_batch(
        *[make_event(event_id=one, sequence=number) for number, one in enumerate(ids, 1)]
    )
    batch["context"]["device"]["id"] = f"device-{_DEVICE}"
    request = request_of(json.dumps(batch).encode())
    return request.replace(_DEVICE.encode(), b"%010d").replace(_ID.encode(), b"%012d")


class Load:
    """So many POSTs, one behind the other on each of `requests`' connections."""

    def __init__(
        self,
        port: int,
        requests: Sequence[bytes],
        good: bytes,
        others: Iterator[bytes] | None = None,
    ) -> None:
        """`good`: what an answer has that tells of a POST whose events are all kept. `others` are
        sent in place of a connection's own request."""
        self._others = others
        self._requests = requests
        self._good = good
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in requests]
        for one in self._sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, posts: int) -> int:
        """How many were good: all. Raises SystemExit when one was not, or nothing comes."""
        poll, by_fd = self._watched()
        left = posts
        others = self._others
        for one, request in by_fd.values():
            if left:
                one.sendall(request if others is None else next(others))
                left -= 1
        good = 0
        while good < posts:
            ready = poll.poll(SILENT_SECONDS)
            if not ready:
                raise SystemExit(
                    f"no answer for {SILENT_SECONDS:g} s, {good} of {posts} POSTs done"
                )
            for fd, _ in ready:
                one, request = by_fd[fd]
                answer = one.recv(65536)
                while not _is_whole(answer):
                    more = one.recv(65536)
                    if not more:
                        raise SystemExit(f"the connection was closed behind {answer[:300]!r}")
                    answer += more
                if self._good not in answer:
                    raise SystemExit(f"a POST was not kept: {answer[:500]!r}")
                good += 1
                if left:
                    one.sendall(request if others is None else next(others))
                    left -= 1
        poll.close()
        return good

    def paced(self, posts: int, per_second: float) -> list[float]:
        """Seconds from the time each POST was due to its answer. The loop is open: a POST is due
        whether or not those before it were answered, so a stall counts for all it holds up."""
        poll, by_fd = self._watched()
        idle = deque(by_fd)  # in turns: one that says nothing for long is closed
        due_of: dict[int, float] = {}
        found: list[float] = []
        sent = 0
        start = time.perf_counter()
        while len(found) < posts:
            now = time.perf_counter()
            while sent < posts and idle and (due := start + sent / per_second) <= now:
                fd = idle.popleft()
                due_of[fd] = due
                one, request = by_fd[fd]
                one.sendall(request if self._others is None else next(self._others))
                sent += 1
            next_due = start + sent / per_second
            wait = max(0.0, next_due - time.perf_counter()) if sent < posts and idle else 1.0
            for fd, _ in poll.poll(min(wait, 1.0)):
                answer = by_fd[fd][0].recv(65536)
                if self._good not in answer:
                    raise SystemExit(f"a POST was not kept: {answer[:500]!r}")
                found.append(time.perf_counter() - due_of[fd])
                idle.append(fd)
        poll.close()
        return found

    def _watched(self) -> tuple[select.epoll, dict[int, tuple[socket.socket, bytes]]]:
        """Every connection by its descriptor, with what is sent on it, and who tells of answers."""
        poll = select.epoll()
        by_fd = {
            one.fileno(): (one, request)
            for one, request in zip(self._sockets, self._requests, strict=True)
        }
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        return poll, by_fd

    def close(self) -> None:
        for one in self._sockets:
            one.close()


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    if not found:
        return False
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return len(body) >= int(length)
