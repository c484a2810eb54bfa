"""Events of other vendors, read by the strict pass and key by key: both must say the same.

Seeds are what SDKs were recorded to send, and what they usually send; some of their values are
replaced, left out, or written twice.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw

from gateway.contract.refusal import Refused
from gateway.contract.verdict import Rejected
from gateway.protocols import reading
from gateway.protocols.amplitude import event as amplitude_event
from gateway.protocols.amplitude.strict import StrictReader as AmplitudeReader
from gateway.protocols.countly import strict as countly_strict
from gateway.protocols.countly.action import tracked
from gateway.protocols.countly.context import take_context
from gateway.protocols.countly.request import Request
from gateway.protocols.mixpanel.event import told_by
from gateway.protocols.mixpanel.strict import StrictReader as MixpanelReader
from gateway.protocols.otlp import strict as otlp_strict
from gateway.protocols.otlp.logs import LogRecord, TooDeep
from gateway.protocols.otlp.text import record_of_keys
from gateway.protocols.posthog import event as posthog_event
from gateway.protocols.posthog.body import item_of
from gateway.protocols.posthog.event import Sent
from gateway.protocols.posthog.strict import StrictReader as PostHogReader
from gateway.protocols.segment import message as segment_message
from gateway.protocols.segment import strict as segment_strict
from gateway.protocols.sentry.counts import bucket_of, usual_bucket
from gateway.protocols.sentry.session import events_of_session
from gateway.protocols.sentry.strict import StrictReader as SentryReader
from gateway.protocols.sentry.wrapper import Wrapper
from tests.bench import vendors
from tests.fuzz.values import text_of

CAPTURES = Path(__file__).parents[1] / "contract" / "captures"
_raw = msgspec.json.Decoder(Raw)
_encode = msgspec.json.Encoder().encode


class Difference(Exception):
    """The two ways do not say the same."""


def captured(vendor: str) -> list[Any]:
    """The events of the recorded requests."""
    found: list[Any] = []
    for path in sorted(CAPTURES.glob(f"{vendor}-*.json")):
        for request in json.loads(path.read_text())["requests"]:
            body = base64.b64decode(request["body_base64"])
            if body[:2] == b"\x1f\x8b":
                body = gzip.decompress(body)
            if body[:5] == b"data=":
                body = parse_qs(body)[b"data"][0]
                body = body if body[:1] in b"[{" else base64.b64decode(body)
            try:
                found += _members(json.loads(body))
            except ValueError:
                continue
    return found


def _members(body: Any) -> list[Any]:
    if isinstance(body, list):
        return body
    return body.get("batch") or body.get("events") or ([body] if "event" in body else [])


def _otlp_records() -> list[Any]:
    records = vendors.otlp()["resourceLogs"][0]["scopeLogs"][0]["logRecords"][:2]
    value = {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "7"}}]}}
    pairs = [{"key": "n", "value": value}, {"key": "d", "value": {"doubleValue": 1.5}}]
    return [
        *records,
        {
            "timeUnixNano": 0, "observedTimeUnixNano": "1795497598000000000", "traceId": "ab",
            "severityNumber": 9, "severityText": "INFO", "body": {"stringValue": "b"},
            "attributes": [*pairs, {"key": "f", "value": {"boolValue": True}}],
        },
    ]  # fmt: skip


def _segment_calls() -> list[Any]:
    calls = vendors.segment()["batch"][:3]
    calls[0] |= {"originalTimestamp": "2026-11-24T05:19:57.000Z", "sentAt": vendors.SENT_AT}
    return [*captured("segment"), *captured("rudder"), *calls]


def _sentry_sessions() -> list[Any]:
    ended = {
        "sid": "e" * 32, "did": "user-1", "init": True, "started": vendors.SENT_AT,
        "timestamp": vendors.SENT_AT, "status": "exited", "errors": 0, "duration": 0.5,
        "attrs": {"release": "com.demo@1.4.2+142", "environment": "production"},
    }  # fmt: skip
    return [{**ended, "status": "crashed", "seq": 4, "init": False}, ended, vendors.sentry()[2]]


def _sentry_counts() -> list[Any]:
    (first, second, *_) = vendors.sentry_counts()[2]["aggregates"]
    return [{**first, "errored": 0, "crashed": 2, "did": "user-1"}, {"exited": 0}, first, second]


def _countly_events() -> list[Any]:
    view = {"name": "Home", "visit": 1, "segment": "Android"}
    more = {"sum": 9.5, "dur": 3, "segmentation": {"a": None, "b": [1]}}
    first, second = vendors.countly()[:2]
    return [{**first, "key": "[CLY]_view", "segmentation": view}, {**first, **more}, first, second]


SEEDS: dict[str, list[Any]] = {
    "segment": _segment_calls(),
    "posthog": [*captured("posthog"), *vendors.posthog()["batch"][:2]],
    "amplitude": [*captured("amplitude"), *vendors.amplitude()["events"][:2]],
    "mixpanel": [*captured("mixpanel"), *vendors.mixpanel()[:2]],
    "otlp": _otlp_records(),
    "sentry": _sentry_sessions(),
    "sentry's counts": _sentry_counts(),
    "countly": _countly_events(),
}


def post(dice: Random, vendor: str) -> list[Raw]:
    """A few events of one POST, of one or two seeds."""
    seeds = dice.choices(SEEDS[vendor], k=2)
    is_odd = dice.random() < 0.7  # else some are as they were, so that they are alike
    texts = [
        text_of(dice, one) if is_odd or dice.random() < 0.4 else json.dumps(one)
        for one in dice.choices(seeds, k=dice.randrange(1, 8))
    ]
    found: list[Raw] = []
    for text in texts:
        try:  # only what is an item of a body that was read
            found.append(_raw.decode(text.encode("utf-8")))
        except (msgspec.DecodeError, UnicodeEncodeError):
            continue
    return found


Pairs = Sequence[tuple[object, object]]


def _segment(raws: Sequence[Raw]) -> Pairs:
    sent = Raw(b'"2026-11-24T05:20:00.000Z"')
    return [
        (segment_strict.event_of(raw, ""), segment_message.event_of(index, raw, "", sent))
        for index, raw in enumerate(raws)
    ]


def _posthog(raws: Sequence[Raw]) -> Pairs:
    sent = Sent(None, None)
    reader = PostHogReader(sent)
    found: list[tuple[object, object]] = []
    for index, raw in enumerate(raws):
        item = item_of(raw)
        counted = posthog_event.is_counted_only(item)
        careful = None if counted else posthog_event.event_of(index, item, sent)
        found.append((reader.event_of(raw), careful))
    return found


def _amplitude(raws: Sequence[Raw]) -> Pairs:
    reader = AmplitudeReader()
    return [
        (reader.event_of(raw), amplitude_event.event_of(index, raw, None))
        for index, raw in enumerate(raws)
    ]


def _mixpanel(raws: Sequence[Raw]) -> Pairs:
    reader = MixpanelReader()
    return [
        (reader.told_by(index, raw), told_by(index, raw, "", is_profile=False, is_import=False))
        for index, raw in enumerate(raws)
    ]


def _otlp(raws: Sequence[Raw]) -> Pairs:
    return [(_said(otlp_strict.record_of, raw), _said(record_of_keys, raw)) for raw in raws]


def _said(read: Callable[[Raw], object], raw: Raw) -> object:
    try:
        record = read(raw)
    except (TooDeep, RecursionError) as error:
        return str(error)
    if not isinstance(record, LogRecord):
        return record
    return (record.event_name, record.time, record.attributes, record.body, record.others)


_wrapper = Wrapper({"sdk": Raw(b'{"name":"sentry.cocoa","version":"9"}')})


def _sentry(raws: Sequence[Raw]) -> Pairs:
    reader = SentryReader(_wrapper)
    return [(reader.events_of(bytes(raw)), _session(bytes(raw))) for raw in raws]


def _session(payload: bytes) -> object:
    try:
        return events_of_session(payload, reading.json_object(payload), _wrapper)
    except (Rejected, Refused) as error:
        return str(error)


def _counts(raws: Sequence[Raw]) -> Pairs:
    return [(usual_bucket(raw), _bucket(raw)) for raw in raws]


def _bucket(raw: Raw) -> object:
    try:
        return bucket_of(raw, _wrapper)
    except Rejected as error:
        return str(error)


_request = Request({"app_key": b"K", "device_id": b"d", "timestamp": b"1795497598000"})


def _countly(raws: Sequence[Raw]) -> Pairs:
    context = take_context(_request, {})
    return [(countly_strict.event_of(raw, context), _tracked(raw)) for raw in raws]


def _tracked(raw: Raw) -> object:
    try:
        return tracked(_request, 0, raw)
    except Rejected as error:
        return str(error)


READERS: dict[str, Callable[[Sequence[Raw]], Pairs]] = {
    "segment": _segment,
    "posthog": _posthog,
    "amplitude": _amplitude,
    "mixpanel": _mixpanel,
    "otlp": _otlp,
    "sentry": _sentry,
    "sentry's counts": _counts,
    "countly": _countly,
}


def compare(vendor: str, raws: Sequence[Raw]) -> Counter[str]:
    """How many events the strict pass took, and how many it left. Raises Difference."""
    found: Counter[str] = Counter()
    for raw, (strict, careful) in zip(raws, READERS[vendor](raws), strict=True):
        if strict is None:
            found["left"] += 1
            continue
        found["strict"] += 1
        if _encode(strict) != _encode(careful):
            raise Difference(f"{bytes(raw)!r}\n{_encode(strict)!r}\n{_encode(careful)!r}")
    return found
