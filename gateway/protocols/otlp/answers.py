"""OTLP's answers: they speak the encoding of the request."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.contract.refusal import Refusal, Refused
from gateway.contract.verdict import Rejection
from gateway.protocols.otlp import messages
from gateway.protocols.protocol import Answer, Head

MAX_REASONS = 3  # that one answer tells

_BINARY = b"application/x-protobuf"
_BINARY_NAMES = ("application/x-protobuf", "application/protobuf")
_TEXT = b"application/json"
# Exporters send again after 429, 502, 503 and 504; they drop on any other, a 408 and a 500 too.
_STATUS = {
    Refusal.UNREADABLE: 400,
    Refusal.WRONG_CONTENT_TYPE: 400,
    Refusal.UNKNOWN_KEY: 401,
    Refusal.METHOD: 405,
    Refusal.TOO_LARGE: 413,
    Refusal.OVER_SHARE: 429,
    Refusal.SLOW: 503,
    Refusal.OVERLOADED: 503,
}
_RPC_CODE = {400: 3, 401: 16, 405: 12, 413: 3, 429: 8, 503: 14}  # of google.rpc
_encode = msgspec.json.Encoder().encode


def is_binary(head: Head) -> bool:
    """Whether the request is protobuf; all else is read as JSON."""
    content_type = head.header(b"content-type").partition(";")[0].strip().lower()
    return content_type in _BINARY_NAMES


def response(head: Head, rejected: Sequence[Rejection]) -> Answer:
    """Everything is kept but what was rejected, which is final."""
    text = _reasons(rejected)
    if is_binary(head):
        return Answer(200, messages.response_of(len(rejected), text), _BINARY)
    if not rejected:
        return Answer(200, b"{}", _TEXT)
    partial = {"rejectedLogRecords": str(len(rejected)), "errorMessage": text}
    return Answer(200, _encode({"partialSuccess": partial}), _TEXT)


def refusal(head: Head, refused: Refused) -> Answer:
    """Nothing is kept: a google.rpc.Status says why."""
    status = _STATUS[refused.refusal]
    code = _RPC_CODE[status]
    # A Python exporter drops what it is to hold for longer than its 10 s; of its own it comes back
    # after 1, 2 and 4 s.
    tells_wait = refused.refusal is not Refusal.OVERLOADED
    if is_binary(head):
        body = messages.status_of(code, refused.text)
        return Answer(status, body, _BINARY, tells_wait=tells_wait)
    body = _encode({"code": code, "message": refused.text})
    return Answer(status, body, _TEXT, tells_wait=tells_wait)


def _reasons(rejected: Sequence[Rejection]) -> str:
    reasons = [one.text for one in rejected[:MAX_REASONS]]
    if len(rejected) > MAX_REASONS:
        reasons.append(f"and {len(rejected) - MAX_REASONS} more")
    return "; ".join(reasons)
