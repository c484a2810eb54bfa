"""What SDKs were recorded to send, after accidents: one target for each vendor's decoder."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, quote

from msgspec import Struct

from tests.fuzz import inputs
from tests.fuzz.post import Post
from tests.fuzz.values import text_of
from tests.otlp import JSON, PROTOBUF, encoded, record, resource_logs

CAPTURES = Path(__file__).parents[1] / "contract" / "captures"
KEYS = (
    "AMP_KEY", "MPTOKEN", "phc_test", "WK_RUDDER", "WK_SEGMENT", "APPKEY", "KEY",
    "abcdef0123456789abcdef0123456789", "com.example.demo",
)  # fmt: skip
TAGS = (b"\x0a", b"\x12\x00", b"\x32", b"\x2a", b"\x08", b"\x09", b"\xff\xff\xff\xff\x0f", b"\x80")
_OTLP = resource_logs(record("app.crash", attributes={"exception.type": "E"}, body={"a": [1]}))


class Seed(Struct, frozen=True):
    """`body` is plain; `form` is the field that it was in, if any."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    form: bytes = b""


def seeds_of(vendor: str) -> list[Seed]:
    return [
        _seed(request)
        for path in sorted(CAPTURES.glob(f"{vendor}-*.json"))
        for request in json.loads(path.read_text(encoding="utf-8"))["requests"]
        if request["body_base64"] or request["query"]
    ]


def _seed(request: dict[str, Any]) -> Seed:
    body, form = base64.b64decode(request["body_base64"]), b""
    if body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    if body[:5] == b"data=":
        form, body = b"data", parse_qs(body)[b"data"][0]
        body = body if body[:1] in b"[{" else base64.b64decode(body)
    headers = [
        (name.lower().encode(), value.encode())
        for name, value in request["headers"]
        if name.lower() not in ("content-encoding", "transfer-encoding")
    ]
    return Seed(request["method"], request["path"], request["query"].encode(), headers, body, form)


def _otlp_seeds() -> list[Seed]:
    head = [(b"authorization", b"Bearer KEY")]
    return [
        *seeds_of("otlp"),
        *[
            Seed("POST", "/v1/logs", b"", [*head, (b"content-type", kind.encode())], body)
            for kind in (JSON, PROTOBUF)
            for body in [encoded(kind, _OTLP)]
        ],
    ]


SEEDS: dict[str, list[Seed]] = {
    **{
        vendor: seeds_of(vendor)
        for vendor in (
            "segment",
            "rudder",
            "posthog",
            "amplitude",
            "mixpanel",
            "sentry",
            "countly",
            "snowplow",
        )
    },
    "otlp": _otlp_seeds(),
}
TOKENS = {
    vendor: [*inputs.TOKENS, *TAGS] if vendor == "otlp" else inputs.TOKENS for vendor in SEEDS
}


def post_of(vendor: str, dice: Random) -> Post:
    """A recorded request with some of its bytes, values or query damaged."""
    seed = dice.choice(SEEDS[vendor])
    body, query = _damaged_body(vendor, seed, dice), seed.query
    if query and (not body or dice.random() < 0.2):
        others = [one.query for one in SEEDS[vendor] if one.query]
        query = inputs.mutated(dice, query, others, inputs.TOKENS)
    path = f"/{vendor}{seed.path}" if dice.random() < 0.1 else seed.path
    return Post(seed.method, path, seed.headers, body, dice.randrange(len(body) + 1), query)


def _damaged_body(vendor: str, seed: Seed, dice: Random) -> bytes:
    if not seed.body:
        return b""
    if dice.random() < 0.5 and (changed := _with_other_values(seed.body, dice)) is not None:
        body = changed
    else:
        others = [one.body for one in SEEDS[vendor] if one.body]
        body = inputs.mutated(dice, seed.body, others, TOKENS[vendor])
    if not seed.form:
        return body
    body = base64.b64encode(body) if dice.random() < 0.5 else body
    form = seed.form + b"=" + quote(body).encode()
    return inputs.mutated(dice, form, [form], inputs.TOKENS) if dice.random() < 0.1 else form


def _with_other_values(body: bytes, dice: Random) -> bytes | None:
    """Each line of JSON with some of its values replaced; None where there is none."""
    try:
        lines = [json.loads(line) for line in body.split(b"\n") if line.strip()]
    except ValueError:
        return None
    return b"\n".join(text_of(dice, one).encode("utf-8", "surrogatepass") for one in lines)
