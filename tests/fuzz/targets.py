"""Where inputs go, and what must hold whatever they are: an answer that is true, and never 5xx."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import MutableMapping
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import uvicorn
from msgspec import Raw
from uvicorn.server import ServerState

from gateway.contract import record
from gateway.contract.refusal import RefusalCode
from gateway.contract.topics import MAX_RECORD_BYTES
from gateway.edge.cuts import GuardLimits
from gateway.edge.guard import Guard
from gateway.protocols.native.wire import NativeError, NativeReply
from tests.builders import as_body, make_batch
from tests.fakes import FakeTransport
from tests.fuzz import inputs, recorded
from tests.fuzz.post import Post
from tests.gateway_app import KEY, GatewayUnderTest
from tests.records import Record

STATUSES = {200, 204, 400, 401, 403, 404, 405, 408, 413, 415, 429, 431}
MAX_CPU_SECONDS = 2.0  # that one input may cost
OUTCOMES = ("accepted", "duplicate", "rejected")
SEGMENT_PATHS = (
    "/v1/batch", "/v1/b", "/v1/import", "/v1/track", "/v1/identify", "/v1/alias",
    "/segment/v1/batch",
)  # fmt: skip

_flat = msgspec.json.Decoder(dict[str, Raw])
_reply = msgspec.json.Decoder(NativeReply)
_error = msgspec.json.Decoder(NativeError)
_key_of_record = re.compile(rb'[{,]"([a-z_]+)":')


class Violation(Exception):
    """What must always hold did not."""


class Application:
    """The gateway over a fake publisher, asked without a server. Its clock ticks with each POST."""

    def __init__(self, folder: Path) -> None:
        self.under_test = GatewayUnderTest(folder)
        for key in recorded.KEYS:
            self.under_test.add_key("recorded", key)
        self._app: Any = self.under_test.http.app
        self._letters = 0

    async def ask(self, post: Post) -> str:
        """The status of the answer. Raises Violation."""
        under_test = self.under_test
        under_test.clock_ms += 1
        under_test.publisher.records.clear()
        before = [under_test.count(one) for one in OUTCOMES]
        self._letters = int(under_test.metrics.dead_letters.labels("kept")._value.get())
        sent: list[MutableMapping[str, Any]] = []
        parts = [post.body[: post.cut], post.body[post.cut :]]

        async def receive() -> MutableMapping[str, Any]:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(event: MutableMapping[str, Any]) -> None:
            sent.append(event)

        scope = {
            "type": "http", "method": post.method, "path": post.path, "query_string": post.query,
            "headers": post.headers, "client": ("192.0.2.1", 5),
        }  # fmt: skip
        await self._app(scope, receive, send)
        status = int(sent[0]["status"])
        body = b"".join(one.get("body", b"") for one in sent)
        counts = [under_test.count(one) - was for one, was in zip(OUTCOMES, before, strict=True)]
        self._check(post, status, body, counts)
        return str(status)

    def _check(self, post: Post, status: int, body: bytes, counts: list[int]) -> None:
        if status not in STATUSES:
            raise Violation(f"status {status}: {body[:200]!r}")
        records = self.under_test.publisher.of("app-events")
        if len(records) != counts[0]:
            raise Violation(f"{counts[0]} events accepted, {len(records)} records")
        for one in records:
            check_record(one)
        if status == 200 and post.path == "/v1/events":
            reply = _reply.decode(body)
            if [reply.accepted, reply.duplicates, len(reply.rejected)] != counts:
                raise Violation(f"the verdicts {body[:200]!r} are not what was counted: {counts}")
        elif status != 200:
            if any(counts) or records:
                raise Violation(f"status {status}, and yet something was kept: {counts}")
            if status >= 400 and body.startswith(b'{"error":{'):
                RefusalCode(_error.decode(body).error.code)
        self._check_sums()
        self.check_idle()

    def _check_sums(self) -> None:
        """Every event that was counted is counted by its type or its code, too; an original that
        was counted as kept lies among the dead letters."""
        metrics, count = self.under_test.metrics, self.under_test.count
        letters = int(metrics.dead_letters.labels("kept")._value.get())
        told, self._letters = letters - self._letters, letters
        kept = len(self.under_test.publisher.of("app-events-dead"))
        sums = {
            "types": (count("accepted"), sum(metrics.accepted_types.counts.values())),
            "codes": (count("rejected"), sum(metrics.rejections.counts.values())),
            "letters": (told, kept),
        }
        for name, (one, other) in sums.items():
            if one != other:
                raise Violation(f"the {name} do not add up: {one} and {other}")

    def check_idle(self) -> None:
        """Raises Violation unless nothing is left of what was asked."""
        admission = self._app.dispatch.services.admission
        if (admission.requests, admission.bytes, admission.keys) != (0, 0, 0):
            raise Violation(f"{admission.requests} requests are still counted")
        if self.under_test.metrics.bugs._value.get():
            raise Violation("an internal error was counted")


def check_cost(cpu_seconds: float) -> None:
    """Raises Violation."""
    if cpu_seconds > MAX_CPU_SECONDS:
        raise Violation(f"it took {cpu_seconds:.1f} s of CPU")


def check_record(one: Record) -> None:
    """What lies in Kafka is flat JSON of known columns, each once, and UTF-8. Raises Violation."""
    try:
        one.value.decode()
        one.key.decode()
        names = _flat.decode(one.value)
        json.loads(one.value, parse_int=str, parse_float=str)  # numbers may be beyond any type
    except (ValueError, msgspec.DecodeError) as error:
        raise Violation(f"a record is broken: {error}") from None
    if not names.keys() <= set(record.COLUMNS) or next(iter(names)) != "event_id":
        raise Violation(f"a record has other keys than its columns: {sorted(names)}")
    size = 1 + sum(len(name) + 3 + len(bytes(raw)) + 1 for name, raw in names.items())
    if size != len(one.value):  # a key that stands twice would be longer than what is decoded
        raise Violation("a record has a key twice")
    if not one.key or len(one.value) > MAX_RECORD_BYTES:
        raise Violation(f"a record of {len(one.value)} bytes under the key {one.key!r}")


def _json_head(encoding: str = "", key: str = KEY) -> list[tuple[bytes, bytes]]:
    headers = [(b"authorization", b"Bearer " + key.encode())]
    if encoding:
        headers.append((b"content-encoding", encoding.encode("latin-1", "replace")))
    return headers


def _native_body(dice: Random) -> bytes:
    if dice.random() < 0.6:
        return inputs.native_value(dice)
    seed = dice.choice(inputs.NATIVE_SEEDS)
    return inputs.mutated(dice, seed, inputs.NATIVE_SEEDS, inputs.TOKENS)


def native(dice: Random) -> Post:
    body = _native_body(dice)
    return Post("POST", "/v1/events", _json_head(), body, dice.randrange(len(body) + 1))


def segment(dice: Random) -> Post:
    if dice.random() < 0.6:
        body = inputs.segment_value(dice)
    else:
        seed = dice.choice(inputs.SEGMENT_SEEDS)
        body = inputs.mutated(dice, seed, inputs.SEGMENT_SEEDS, inputs.TOKENS)
    basic = [(b"authorization", b"Basic dGVzdC13cml0ZS1rZXk6")] if dice.random() < 0.7 else []
    return Post("POST", dice.choice(SEGMENT_PATHS), basic, body, dice.randrange(len(body) + 1))


def encoded(dice: Random) -> Post:
    """Compressed bodies, and now and then a bomb."""
    if dice.random() < 0.002:
        encoding, body = dice.choice(list(inputs.BOMBS.items()))
    else:
        encoding, body = inputs.packed(dice, _native_body(dice))
    return Post("POST", "/v1/events", _json_head(encoding), body, dice.randrange(len(body) + 1))


_GOOD = as_body(make_batch())
_HEADERS = (
    b"authorization", b"x-write-key", b"content-type", b"content-length", b"content-encoding",
    b"x-request-id", b"x-forwarded-for", b"x-retry-count", b"origin", b"host", b"x-device-id",
)  # fmt: skip
_VALUES = (
    b"", b"Bearer", b"Bearer ", b"bearer  " + KEY.encode(), b"Basic !!!", b"Basic \xff",
    b"application/json", b"application/json;charset=\xff", b"text/plain", b"-1", b"1e3", b"\xb2",
    b"99999999999999999999999", b"4194305", b"gzip", b"identity", b"a" * 64, b"a" * 65,
    b"Basic Og==", b"a\x1b[31mb", b"192.0.2.1, nobody", KEY.encode(), b"\xd9\xa3", b"0",
)  # fmt: skip


def head(dice: Random) -> Post:
    """A good body behind odd headers, paths and methods."""
    headers = _json_head() if dice.random() < 0.8 else []
    for _ in range(dice.randrange(4)):
        text = dice.choice(_VALUES) if dice.random() < 0.8 else dice.randbytes(dice.randrange(40))
        headers.append((dice.choice(_HEADERS), text))
    path = dice.choice(("/v1/events", "/v1/events/", "/native/v1/events", *SEGMENT_PATHS))
    method = dice.choice(("POST", "POST", "POST", "GET", "OPTIONS", "PUT", "x" * 50))
    return Post(method, path, headers, _GOOD)


_REQUEST = (
    b"POST /v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + KEY.encode() + b"\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_GOOD)
) + _GOOD
_WIRE_SEEDS = [
    _REQUEST,
    _REQUEST * 2,
    b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n" + _REQUEST,
    b"POST /v1/events HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n",
    b"POST /v1/batch HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}",
    b"OPTIONS /v1/events HTTP/1.1\r\nHost: h\r\nOrigin: x\r\n\r\n",
]


def wire(dice: Random) -> bytes:
    """Bytes off a socket."""
    return inputs.mutated(dice, dice.choice(_WIRE_SEEDS), _WIRE_SEEDS, inputs.HTTP_TOKENS)


class Connection:
    """The guard over the same application, its socket played by hand."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._state = ServerState()
        self._cut: list[str] = []
        app: Any = application.under_test.http.app
        self._dispatch = app.dispatch
        self._config = uvicorn.Config(
            app, loop="none", lifespan="off", log_config=None, access_log=False, ws="none",
            server_header=False, date_header=False, proxy_headers=False,
        )  # fmt: skip
        self._config.load()
        self._limits = GuardLimits(head_bytes=8 * 1024, headers=60, head_seconds=5, idle_seconds=5)

    async def ask(self, data: bytes, cut: int) -> str:
        """The statuses that were written. Raises Violation."""
        self._application.under_test.publisher.records.clear()
        guard = Guard(
            self._config,
            self._state,
            {},
            dispatch=self._dispatch,
            limits=self._limits,
            on_refused=self._cut.append,
        )
        raw = FakeTransport()
        guard.connection_made(raw)
        for part in (data[:cut], data[cut:]):
            if part and not raw.is_closed:
                guard.data_received(part)
            await self._settle()
        guard.connection_lost(None)
        await self._settle()
        if self._state.tasks or self._state.connections:
            raise Violation(f"{len(self._state.tasks)} tasks outlive their connection")
        written = bytes(raw.written).replace(b"HTTP/1.1 100 Continue", b"")  # no answer yet
        statuses = re.findall(rb"HTTP/1\.1 (\d{3}) ", written)
        if len(statuses) > data.upper().count(b"HTTP/") + 1:
            raise Violation(f"{len(statuses)} answers: {written[:300]!r}")
        if any(int(one) >= 500 for one in statuses):
            raise Violation(f"{statuses}: {written[:300]!r}")
        self._application.check_idle()
        return statuses[0].decode() if statuses else "none"

    async def _settle(self) -> None:
        """Let requests run until they end or want more."""
        for _ in range(12):
            await asyncio.sleep(0)
            if not self._state.tasks:
                return
