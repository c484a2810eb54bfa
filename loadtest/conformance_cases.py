"""What the native contract says, as named requests and what must be answered to them. Pure."""

from __future__ import annotations

import gzip
import json
import random

import zstandard

from gateway.contract.event import MAX_BODY_BYTES
from loadtest.client import CHUNKED
from loadtest.conformance_events import leniency, refusals, rejections
from loadtest.conformance_finds import Case, kept, refused, with_header
from loadtest.conformance_maker import Maker
from loadtest.devices import iso, uuid7

UNKNOWN_KEY = "a-key-that-nobody-gave-out"
NO_KEY = {"Authorization": ""}


def cases(make: Maker, write_key: str) -> list[Case]:
    """All of them, in the order of the report."""
    return [
        *_answers(make),
        *_encodings(make),
        *_keys(make, write_key),
        *rejections(make),
        *leniency(make),
        *refusals(make),
    ]


def _answers(make: Maker) -> list[Case]:
    twice, asked = make.event(), {"X-Request-Id": uuid7(make.now_ms, random.Random(1))}  # noqa: S311
    return [
        Case(name="a batch is accepted", body=make.batch(), find=kept()),
        Case(
            name="the reply is JSON",
            body=make.batch(),
            find=with_header(kept(), "content-type", "application/json"),
        ),
        Case(
            name="a copy within a POST is a duplicate",
            body=make.batch(twice, twice),
            find=kept(1, 1),
        ),
        Case(name="a copy in a later POST is accepted", body=make.batch(twice), find=kept()),
        Case(
            name="an event of its own is a body",
            body=json.dumps(
                {
                    **make.event(),
                    "sent_at": iso(make.now_ms),
                    "context": {"device": {"id": make.device}},
                }
            ).encode(),
            find=kept(),
        ),
        Case(
            name="a request id is echoed",
            body=make.batch(),
            headers=asked,
            find=with_header(kept(), "x-request-id", asked["X-Request-Id"]),
        ),
        Case(
            name="a request id is echoed with a no",
            body=b"no",
            headers=asked,
            find=with_header(refused(400, "invalid_json"), "x-request-id", asked["X-Request-Id"]),
        ),
        Case(
            name="a request without an id gets one",
            body=make.batch(),
            find=with_header(kept(), "x-request-id"),
        ),
        Case(
            name="GET is told what is allowed",
            method="GET",
            body=b"",
            find=with_header(refused(405, "method_not_allowed"), "allow"),
        ),
    ]


def _encodings(make: Maker) -> list[Case]:
    zipped, gzipped = gzip.compress(make.batch()), {"Content-Encoding": "gzip"}
    small = zstandard.ZstdCompressor().compress(make.batch())
    huge = make.batch(make.event(properties={"pad": "x" * MAX_BODY_BYTES}))
    plain = make.batch()
    return [
        Case(name="gzip", body=zipped, headers=gzipped, find=kept()),
        Case(name="zstd", body=small, headers={"Content-Encoding": "zstd"}, find=kept()),
        Case(
            name="chunks without a length",
            body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(plain), plain),
            headers=dict([CHUNKED.split(": ")]),
            find=kept(),
        ),
        Case(
            name="gzip that is none",
            body=make.batch(),
            headers=gzipped,
            find=refused(400, "invalid_encoding"),
        ),
        Case(
            name="gzip that ends too early",
            body=zipped[:-12],
            headers=gzipped,
            find=refused(400, "invalid_encoding"),
        ),
        Case(
            name="an encoding nobody knows",
            body=make.batch(),
            headers={"Content-Encoding": "snappy"},
            find=refused(415, "unsupported_encoding"),
        ),
        Case(
            name="a body that inflates to too much",
            body=gzip.compress(huge),
            headers=gzipped,
            find=refused(413, "body_too_large"),
        ),
    ]


def _keys(make: Maker, write_key: str) -> list[Case]:
    unknown = {"Authorization": f"Bearer {UNKNOWN_KEY}"}
    in_body = make.batch(write_key=write_key)
    return [
        Case(name="no key", body=make.batch(), headers=NO_KEY, find=refused(401, "missing_key")),
        Case(
            name="an unknown key",
            body=make.batch(),
            headers=unknown,
            find=refused(401, "unknown_key"),
        ),
        Case(
            name="the key in X-Write-Key",
            body=make.batch(),
            headers={**NO_KEY, "X-Write-Key": write_key},
            find=kept(),
        ),
        Case(name="the key in the body", body=in_body, headers=NO_KEY, find=kept()),
        Case(
            name="two keys that differ",
            body=make.batch(write_key=UNKNOWN_KEY),
            find=refused(401, "keys_differ"),
        ),
    ]
