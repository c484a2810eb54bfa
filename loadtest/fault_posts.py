"""POSTs as a fault server reads and answers them. Pure."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from typing import Any

import msgspec
import zstandard
from msgspec import Struct

from loadtest.fault_judge import Sent
from loadtest.faults import Step
from loadtest.http_server import Request

REQUIRED = ("event_id", "type", "timestamp")
MAX_BODY_BYTES = 64 * 1024 * 1024
MESSAGES = {
    400: ("invalid_json", "this is no batch of events"),
    401: ("unknown_key", "the write key is not known"),
    413: ("body_too_large", "the POST is larger than allowed"),
    429: ("device_over_rate", "this device posts more often than allowed"),
    503: ("not_kept", "the events are not known to be kept"),
}


class BadPost(Exception):
    """This is no native POST."""


class Posted(Struct, frozen=True):
    """What a POST says."""

    device: str
    sent_at: str
    size: int  # inflated
    events: tuple[Sent, ...]


class Plan(Struct, frozen=True):
    """How a POST is answered; status 0: not at all."""

    status: int
    body: bytes
    headers: dict[str, str]
    rejected: frozenset[int]
    taken: bool


def read_post(request: Request, peer: str) -> Posted:
    """`peer` stands for a device that tells no id. Raises BadPost."""
    body = _inflated(request)
    try:
        batch = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadPost(f"the body is not JSON: {error}") from None
    events = batch.get("events") if isinstance(batch, dict) else None
    if not isinstance(events, list) or not events or not all(isinstance(e, dict) for e in events):
        raise BadPost("`events` is no list of objects, or empty")
    if not isinstance(batch.get("sent_at"), str):
        raise BadPost("`sent_at` is missing")
    device = next((_device(one) for one in (batch, *events) if _device(one)), peer)
    return Posted(device, batch["sent_at"], len(body), tuple(_sent(one) for one in events))


def _inflated(request: Request) -> bytes:
    encoding = request.headers.get("content-encoding", "").lower()
    try:
        if encoding == "gzip":
            return gzip.decompress(request.body)
        if encoding == "zstd":
            with zstandard.ZstdDecompressor().stream_reader(request.body) as reader:
                return reader.read(MAX_BODY_BYTES)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise BadPost(f"the body is not {encoding}: {error}") from None
    if encoding:
        raise BadPost(f"Content-Encoding is {encoding!r}")
    return request.body


def _device(one: dict[str, Any]) -> str:
    context = one.get("context")
    device = context.get("device") if isinstance(context, dict) else None
    found = device.get("id") if isinstance(device, dict) else None
    return found if isinstance(found, str) else ""


def _sent(event: dict[str, Any]) -> Sent:
    sequence = event.get("sequence")
    rest = {name: value for name, value in event.items() if name != "event_id"}
    text = msgspec.json.encode(rest, order="deterministic")
    return Sent(
        event_id=str(event.get("event_id", "")),
        sequence=sequence if isinstance(sequence, int) else 0,
        digest=hashlib.blake2b(text, digest_size=12).hexdigest(),
        rejected=any(not isinstance(event.get(name), str) for name in REQUIRED),
    )


def plan_for(step: Step, posted: Posted, server_time: str) -> Plan:
    """The answer of a step to a POST; whatever else the step does is up to who plays it."""
    if step.kind in ("429", "503"):
        retry = {"retry-after": str(step.number)} if step.number else {}
        return refused(int(step.kind), retry)
    if step.kind == "401" or (step.kind == "413" and _is_too_large(step, posted)):
        return refused(int(step.kind), {})
    if step.kind == "refuse":
        return Plan(0, b"", {}, frozenset(), taken=False)
    told = {index for index, one in enumerate(posted.events) if one.rejected}
    if step.kind == "reject":
        told |= set(range(0, len(posted.events), 3))
    rejected = [
        {
            "index": index,
            "event_id": posted.events[index].event_id,
            "code": "invalid_field",
            "message": f"told to reject - at `$.events[{index}]`",
        }
        for index in sorted(told)
    ]
    good = [one.event_id for index, one in enumerate(posted.events) if index not in told]
    reply = {
        "accepted": len(set(good)),
        "duplicates": len(good) - len(set(good)),
        "rejected": rejected,
        "stored": "kafka",
        "server_time": server_time,
    }
    status = 0 if step.kind == "cut" else 200
    return Plan(status, msgspec.json.encode(reply), {}, frozenset(told), taken=True)


def _is_too_large(step: Step, posted: Posted) -> bool:
    return posted.size > step.number if step.number else len(posted.events) > 1


def refused(status: int, headers: dict[str, str]) -> Plan:
    code, message = MESSAGES[status]
    body = msgspec.json.encode({"error": {"code": code, "message": message}})
    return Plan(status, body, headers, frozenset(), taken=False)
