"""uvicorn's HTTP/1.1 protocol with what it leaves open closed, and with a short way for POSTs.

Closed are heads without bound in bytes and time, bodies that go on behind an early answer, requests
without a Host. The short way: a request for a protocol's path is answered in the parser's
callbacks, without ASGI's task, queue and two messages, which cost as much as all the rest of it.

A subclass of uvicorn's own protocol over httptools; `tests/contract/test_uvicorn_protocol.py` names
what it leans on. One sweep looks at all connections: a timer each would cost more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.dispatch import Dispatch
from gateway.edge.cuts import Cut, CutCode, GuardLimits, answer_of, head_too_large
from gateway.edge.deferred import DeferredClose
from gateway.edge.exchange import Exchange
from gateway.edge.response import Response
from gateway.protocols.protocol import Head
from gateway.routing import Match

LINGER_SECONDS = 2.0  # for a client to read its answer before its connection is cut
LINGER_BYTES = 1024 * 1024  # of what it sends meanwhile
UNREAD_BYTES = 256 * 1024  # of a body nobody wanted, before its connection is closed


class _Stage(Enum):
    IDLE = "idle"  # between requests
    HEAD = "head"  # waiting for the first request, or in a head
    BODY = "body"
    REPLY = "reply"  # the request is complete
    LINGER = "linger"  # answered for good; what still comes is thrown away


_IDLE, _HEAD, _BODY, _REPLY, _LINGER = _Stage  # a member looked up in its class costs more


class Guard(HttpToolsProtocol):
    """One connection. `on_refused` hears the code of each that was cut."""

    def __init__(
        self,
        *arguments: Any,
        dispatch: Dispatch,
        limits: GuardLimits,
        on_refused: Callable[[str], None],
        **named: Any,
    ) -> None:
        super().__init__(*arguments, **named)
        self._dispatch = dispatch
        self._limits = limits
        self._on_refused = on_refused
        self._stage = _HEAD
        self._head_bytes = 0
        self._fed = 0  # bytes among which the head is that is being read
        self._left = 0  # bytes that may still come
        self._since = 0.0  # of the loop's clock: when a sweep first saw the stage; 0: not yet
        self._stalled_at = 0.0  # when the client stopped reading its answers; 0: it reads
        self._raw: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._raw = transport
        self.transport = DeferredClose(transport, self._finish)  # type: ignore[assignment]
        self._enter(_HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(self.cycle, Exchange):
            self._leave_body()
            self.cycle = None  # type: ignore[assignment]  # uvicorn begins with it
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Who does not read answers gets no more of them."""
        super().pause_writing()
        self._stalled_at = self.loop.time()
        self._raw.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled_at = 0.0
        if not self.flow.read_paused:
            self._raw.resume_reading()

    def data_received(self, data: bytes) -> None:
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if self._stage is _LINGER or (self._stage is _BODY and self._is_answered()):
            self._throw_away(len(data))
            if self._stage is _LINGER:
                return
        try:
            self._feed(data)
        except Cut as cut:
            self._refuse(cut)
        except httptools.HttpParserUpgrade:  # we do not; what follows would be another protocol
            self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            ours = error.__context__  # raised in a callback of the parser
            not_http = Cut(400, CutCode.INVALID_HTTP, "this is not HTTP/1.1")
            self._refuse(ours if isinstance(ours, Cut) else not_http)

    def _feed(self, data: bytes) -> None:
        """At most so much of a head reaches the parser, which would keep all of it."""
        self._fed = self._head_bytes + len(data)
        if self._stage is _IDLE:
            self._enter(_HEAD)
        is_head = self._stage is _HEAD
        if is_head and self._fed > self._limits.head_bytes:
            room = self._limits.head_bytes - self._head_bytes
            self.parser.feed_data(data[:room])
            if self._stage is _HEAD:
                raise head_too_large(self._limits)
            data = data[room:]
        self.parser.feed_data(data)
        if is_head and self._stage is _HEAD:
            self._head_bytes = self._fed

    def on_message_begin(self) -> None:
        """As uvicorn's, but the scope, which only ASGI wants."""
        self.url = b""
        self.headers = []
        self._stage = _HEAD
        self._since = 0.0
        self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        headers = dict(self.headers)
        version = self.parser.get_http_version()
        self._check_head(headers, version)
        self._enter(_BODY)
        found = self._dispatch.routes.find_url(self.url)
        if found is None or self._is_busy() or self.parser.should_upgrade():
            self._hand_on()
            return
        path, query, matches = found
        client = self.client
        head = Head(
            self.parser.get_method().decode("ascii"),
            path,
            query,
            headers,
            client[0] if client else "",
        )
        self._open(head, matches, keep_alive=version == "1.1" and self.parser.should_keep_alive())

    def _check_head(self, headers: dict[bytes, bytes], version: str) -> None:
        """Raises Cut."""
        limits = self._limits
        if self._fed > limits.head_bytes:  # else no head in it can be too large
            size = len(self.url) + sum([len(name) + len(value) for name, value in self.headers])
            if size > limits.head_bytes:
                raise head_too_large(limits)
        if len(self.headers) > limits.headers:
            text = f"a request has at most {limits.headers} headers"
            raise Cut(431, CutCode.TOO_MANY_HEADERS, text)
        if version not in ("1.1", "1.0"):  # the parser takes requests without one, and 2.0
            raise Cut(400, CutCode.INVALID_HTTP, "this is not HTTP/1.1")
        if len(headers) == len(self.headers):  # no name comes twice
            hosts = int(b"host" in headers)
        else:
            hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts != 1 and not (hosts == 0 and version == "1.0"):
            raise Cut(400, CutCode.HOST, "a request has one Host header")

    def _is_busy(self) -> bool:
        """Whether another request is being answered: this one is pipelined behind it."""
        return self.cycle is not None and not self.cycle.response_complete

    def _hand_on(self) -> None:
        """Let uvicorn take the head, as if it came now."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def _open(self, head: Head, matches: list[Match], *, keep_alive: bool) -> None:
        """Answer the request ourselves."""
        exchange = Exchange(self._respond, keep_alive=keep_alive)
        self.cycle = exchange  # type: ignore[assignment]  # uvicorn sees no difference
        post = exchange.post = self._dispatch.open(matches, head, exchange.respond)
        if post is not None and head.headers.get(b"expect", b"").lower() == b"100-continue":
            self._raw.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _respond(self, exchange: Exchange, response: Response) -> None:
        if self._raw.is_closing():
            return
        if not response.status:
            self._stage = _LINGER
            self._raw.close()
            return
        closes = (
            response.closes
            or not exchange.keep_alive
            or (self._stage is _BODY and self._leaves_much(response))
        )
        self._raw.write(response.to_bytes(closes=closes))
        if closes:
            self.transport.close()
        elif self.pipeline:
            super().on_response_complete()  # starts the next one
        else:
            self._answered()

    def _leaves_much(self, response: Response) -> bool:
        """Whether a good answer leaves a body unread that is longer than we would read on: its
        client must not go on sending until it is cut off, and take that for a failure."""
        if response.status >= 300:
            return False
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"0")
        is_long = not length.isdigit() or int(length) > UNREAD_BYTES
        return is_long or b"transfer-encoding" in headers

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if not isinstance(cycle, Exchange):
            super().on_body(body)
        elif cycle.post is not None:
            cycle.post.arrived(body)

    def on_message_complete(self) -> None:
        cycle = self.cycle
        if self._stage is _BODY:
            self._enter(_IDLE if cycle is not None and cycle.response_complete else _REPLY)
        if not isinstance(cycle, Exchange):
            super().on_message_complete()
        elif (post := cycle.post) is not None:
            cycle.post = None
            post.complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._answered()

    def _answered(self) -> None:
        if self._stage is _BODY:  # before all of the body is here
            self._left = UNREAD_BYTES
            self._since = 0.0
        elif self._stage is _REPLY:
            self._enter(_IDLE)

    def check(self, now: float) -> None:
        """Twice a second: end what takes too long, counted from the first time it is seen."""
        if not self._since:
            self._since = now
        waited = now - self._since
        if self._stage is _LINGER and waited > LINGER_SECONDS:
            self._raw.abort()
        elif self._stage is _BODY:
            self._check_body(waited)
        elif self._stage is _HEAD and waited > self._limits.head_seconds:
            if self._head_bytes:
                self._refuse(Cut(408, CutCode.HEAD_TIMEOUT, "the head did not arrive in time"))
            else:
                self._cut(CutCode.SILENT)
        elif self._stage is _IDLE and waited > self._limits.idle_seconds:
            self._raw.close()
        elif self._stalled_at and now - self._stalled_at > self._limits.head_seconds:
            self._cut(CutCode.UNREAD_ANSWER)

    def _check_body(self, waited: float) -> None:
        if self._is_answered():
            if waited > self._limits.head_seconds:
                self._cut(CutCode.BODY_UNREAD)
            return
        post = self.cycle.post if isinstance(self.cycle, Exchange) else None
        if post is not None and waited > post.body_seconds:
            post.too_slow()

    def _enter(self, stage: _Stage) -> None:
        """The clock is read by the sweep, not here: most stages are over before it comes."""
        self._stage = stage
        self._since = 0.0
        self._head_bytes = 0

    def _is_answered(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete

    def _throw_away(self, size: int) -> None:
        self._left -= size
        if self._left >= 0:
            return
        if self._stage is _LINGER:
            self._raw.abort()
        else:
            self._cut(CutCode.BODY_UNREAD)

    def _cut(self, code: CutCode) -> None:
        self._on_refused(code)
        self._stage = _LINGER
        self._raw.abort()

    def _refuse(self, cut: Cut) -> None:
        """Answer in the application's place, and close."""
        self._on_refused(cut.code)
        if not self._leave_body() and self._is_busy():
            self._stage = _LINGER  # a complete request is being answered: it comes again
            self._raw.close()
            return
        self._raw.write(answer_of(cut))
        self._linger()

    def _leave_body(self) -> bool:
        """Whoever waits for the rest of a body hears that its client has gone; False: nobody."""
        cycle = self.cycle
        if isinstance(cycle, Exchange):
            post, cycle.post = cycle.post, None
            if post is not None:
                post.gone()
            return post is not None
        if cycle is None or not cycle.more_body or cycle.response_started:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return True

    def _finish(self) -> None:
        """The application's side is done. A client in the middle of its body must still be able to
        read its answer, which a reset would take away."""
        if self._stage is _BODY:
            self._linger()
        else:
            self._raw.close()

    def _linger(self) -> None:
        self._enter(_LINGER)
        self._left = LINGER_BYTES
        if self._raw.can_write_eof():
            self._raw.write_eof()
            self.flow.resume_reading()
        else:
            self._raw.close()
