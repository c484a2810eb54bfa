"""What is sent: good bodies and known attacks as seeds, mutated byte by byte or value by value."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from random import Random
from typing import Any

import zstandard

from tests.builders import as_body, make_batch, make_event
from tests.gateway_app import KEY

TOKENS: Sequence[bytes] = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"0", b"-", b"1e400", b"NaN",
    b"-Infinity", b"9" * 5000, b"18446744073709551616", b"0.1e-9999", b"\\ud800", b"\\udc00\\ud800",
    b"\\u0000", b"\\u2028", b"\x00", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf", b"\r\n", b"\x1b[31m", b"[" * 2000, b'{"a":' * 2000, b"[" * 100 + b"]" * 100,
    b'"events":', b'"context":', b'"crash":', b'"properties":', b'"device":{"id":"d"}', b"x" * 300,
    b'"timestamp":', b'"sequence":9223372036854775808', b'"sent_at":null', b'"write_key":"k"',
    b'"frames":[{"in_app":1}]', b'"batch":', b'"messageId":', b'"writeKey":',
)  # fmt: skip

HTTP_TOKENS: Sequence[bytes] = (
    b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"\t", b"\r\n\r\n", b"Content-Length: 5\r\n",
    b"Content-Length: 5, 5\r\n", b"Content-Length: +5\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n",
    b"5\r\nhello\r\n", b"0x5\r\n", b"ffffffffffffffff\r\n", b"Host: i\r\n", b" folded\r\n",
    b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Connection: Upgrade\r\n",
    b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n", b"HTTP/1.0", b"HTTP/9.9", b"PRI * HTTP/2.0\r\n",
    b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n", b"a: b\r\n" * 120, b"x" * 9000, b"\xff\xfe",
    b"%zz", b"%00",
    b"?", b"#", b"//", b"http://h/", b"CONNECT h:1 HTTP/1.1\r\n", b"Content-Encoding: gzip\r\n",
)  # fmt: skip

LONG = "x" * 70_000
ATOMS: Sequence[Any] = (
    None, True, False, 0, -1, 1, 41, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400, 0.5,
    -0.0,
    1e308, 5e-324, float("nan"), float("inf"), "", "x", "x" * 64, "x" * 65, "x" * 128, "x" * 129,
    "x" * 201, LONG, "\ud800", "a\0b", "é" * 64, "\u2028", "\U0001f600", "app_open", "app_close",
    "app_crash", "track", "screen", "error", "identify", "2026-11-24T05:19:58.000Z",
    "2026-11-24T05:19:58+23:59", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e400",
    "1795497598", 1_795_497_598, 1_795_497_598_000, 1e19, 1e30,
    "0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e6f",
    [], {}, [None], [[]], {"": None}, {"a": {"b": {"c": [1, {"d": None}]}}}, [1] * 1001, ["x"] * 50,
    {str(number): number for number in range(256)}, {"x" * 129: 1}, {"device": {"id": "d"}},
    {"device": {"id": ""}}, {"device": {"id": 7}}, {"app": {"version": 1.5}},
    {"library": {"name": "n"}},
    {"type": "E", "message": "m"}, {"in_app": True, "line": "7"}, "signal", "anr",
)  # fmt: skip
NATIVE_KEYS = (
    "event_id", "type", "timestamp", "name", "session_id", "user_id", "sequence", "properties",
    "crash",
    "context", "app_id", "received_at", "unknown",
)  # fmt: skip
CRASH_KEYS = (
    "kind", "fatal", "exception", "frames", "stacktrace", "signal", "thread", "causes", "mechanism",
    "in_foreground", "unknown",
)  # fmt: skip
CONTEXT_KEYS = (
    "app", "os", "device", "network", "library", "locale", "timezone", "country", "traits",
    "screen",
)  # fmt: skip
CALL_KEYS = (
    "type", "event", "name", "messageId", "anonymousId", "userId", "timestamp", "originalTimestamp",
    "sentAt", "context", "properties", "traits", "category", "integrations", "unknown",
)  # fmt: skip

CALL = {
    "type": "track", "event": "Order Completed", "messageId": "m-1", "anonymousId": "install-1",
    "timestamp": "2026-11-24T05:19:58.000Z", "properties": {"total": 9.5},
    "context": {"app": {"version": "1"}, "library": {"name": "analytics-kotlin", "version": "1"}},
}  # fmt: skip
CRASHED = make_event(
    type="app_crash",
    crash={
        "kind": "exception",
        "exception": {"type": "E", "message": "m"},
        "frames": [{"module": "m", "function": "f", "line": 4, "in_app": True}],
        "causes": [{"type": "F"}],
    },
)
NATIVE_SEEDS = [
    as_body(make_batch()),
    as_body(make_batch(make_event(), CRASHED, make_event(type="track", name="n"))),
    as_body(make_batch(*[make_event(event_id=f"e-{number}") for number in range(30)])),
    as_body(
        {**make_event(), "sent_at": "2026-11-24T05:20:00Z", "context": {"device": {"id": "d"}}}
    ),
    b'{"sent_at":1,"events":[' + b"{}," * 1100 + b"{}]}",
    b"",
    b"[]",
]
SEGMENT_SEEDS = [
    as_body({"batch": [CALL], "sentAt": "2026-11-24T05:20:00Z", "writeKey": KEY}),
    as_body({"batch": [CALL, {**CALL, "type": "identify", "traits": {"a": 1}}] * 9}),
    as_body({**CALL, "writeKey": KEY}),
    b'{"batch":[' + b"{}," * 2600 + b"{}]}",
]


def mutated(dice: Random, seed: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """`seed` after a few accidents."""
    body = bytearray(seed)
    for _ in range(1 + min(8, int(dice.expovariate(0.7)))):
        at = dice.randrange(len(body) + 1)
        to = min(len(body), at + int(dice.expovariate(0.05)))
        match dice.randrange(8):
            case 0 if body:
                body[min(at, len(body) - 1)] ^= 1 << dice.randrange(8)
            case 1:
                del body[at:to]
            case 2:
                body[at:at] = body[at:to]
            case 3:
                del body[at:]
            case 4:
                body[at:at] = dice.randbytes(dice.randrange(1, 6))
            case 5:
                other = dice.choice(others)
                body[at:] = other[dice.randrange(len(other) + 1) :]
            case _:
                body[at:to] = dice.choice(tokens)
    return bytes(body)


def value(dice: Random, depth: int = 0) -> Any:
    """Any JSON value."""
    if depth > 3 or dice.random() < 0.8:
        return dice.choice(ATOMS)
    if dice.random() < 0.5:
        return [value(dice, depth + 1) for _ in range(dice.randrange(4))]
    return {_text(dice): value(dice, depth + 1) for _ in range(dice.randrange(4))}


def _text(dice: Random) -> str:
    while True:
        atom = dice.choice(ATOMS)
        if isinstance(atom, str) and len(atom) < 300:
            return atom


def _changed(dice: Random, good: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    changed = dict(good)
    for _ in range(dice.randrange(4)):
        key = dice.choice(keys)
        if dice.random() < 0.2:
            changed.pop(key, None)
        else:
            changed[key] = value(dice)
    return changed


def native_value(dice: Random) -> bytes:
    """A native batch with some values replaced."""
    events = []
    for _ in range(dice.randrange(1, 4)):
        event = _changed(dice, dice.choice((make_event(), CRASHED)), NATIVE_KEYS)
        if dice.random() < 0.2:
            event["crash"] = _changed(dice, CRASHED["crash"], CRASH_KEYS)
        if dice.random() < 0.2:
            event["context"] = _changed(dice, {}, CONTEXT_KEYS)
        events.append(event if dice.random() < 0.95 else value(dice))
    batch = _changed(dice, make_batch(*events), ("sent_at", "write_key", "unknown", "context"))
    if isinstance(batch.get("context"), dict) and dice.random() < 0.5:
        batch["context"] = _changed(dice, batch["context"], CONTEXT_KEYS)
    return json.dumps(batch, ensure_ascii=dice.random() < 0.8).encode("utf-8", "surrogatepass")


def segment_value(dice: Random) -> bytes:
    """A batch of Segment calls, or one call, with some values replaced."""
    calls = []
    for _ in range(dice.randrange(1, 4)):
        call = _changed(dice, CALL, CALL_KEYS)
        if dice.random() < 0.3:
            call["context"] = _changed(dice, CALL["context"], CONTEXT_KEYS)  # type: ignore[arg-type]  # a dict it is
        calls.append(call if dice.random() < 0.95 else value(dice))
    body = {"batch": calls, "writeKey": KEY} if dice.random() < 0.8 else {**CALL, "writeKey": KEY}
    body = _changed(dice, body, ("batch", "sentAt", "writeKey", "context", "unknown"))
    return json.dumps(body).encode()


def packed(dice: Random, plain: bytes) -> tuple[str, bytes]:
    """A Content-Encoding and a body that keeps its word, nearly, or not at all."""
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    name, body = dice.choice(
        (
            ("gzip", gzip.compress(plain, 1)),
            ("zstd", zstandard.compress(plain, 1)),
            ("zstd", stream.compress(plain) + stream.flush()),
            ("gzip", zlib.compress(plain, 1)),
            ("gzip", plain),
            ("br", plain),
        )
    )
    match dice.randrange(6):
        case 0:
            body = body[: dice.randrange(len(body) + 1)]
        case 1:
            body += body
        case 2:
            body = gzip.compress(body, 1) if name == "gzip" else zstandard.compress(body, 1)
        case 3:
            body = mutated(
                dice, body, (body, plain), (b"\x1f\x8b", zstandard.FRAME_HEADER, b"\0" * 9)
            )
        case 4:
            name = dice.choice((f"{name}, {name}", name.upper(), "gzip,zstd", "deflate", "\xff"))
    return name, body


BOMBS = {
    "gzip": gzip.compress(b"\0" * 20_000_000),
    "zstd": zstandard.compress(b"\0" * 20_000_000),
}  # each is a thousandth of what it becomes, or less
