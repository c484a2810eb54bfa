"""A body of protobuf cut into its log records, which are parsed one by one.

Two bytes of a body can become a hundred in memory: only one record at a time may do so.
"""

from __future__ import annotations

from msgspec import Struct

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols.otlp.logs import MAX_RECORDS

MAX_OWN_BYTES = 64 * 1024  # of what a resource or a scope says of itself
MAX_FIELDS = 8 * MAX_RECORDS  # that are looked at

_REQUEST, _RESOURCE, _SCOPE = 1, 2, 2  # the fields that hold resources, scopes, and log records
_FIXED = {1: 8, 5: 4}  # bytes of a field by its wire type

Span = tuple[int, int]  # of a message in the body


class ScopeParts(Struct, frozen=True, gc=False):
    own: bytes  # without its records
    records: list[Span]


class ResourceParts(Struct, frozen=True, gc=False):
    own: bytes  # without its scopes
    scopes: list[ScopeParts]


def parts_of(body: bytes) -> list[ResourceParts]:
    """Raises Refused."""
    walk = _Walk(body)
    try:
        _, resources = walk.split((0, len(body)), _REQUEST, "resources", is_kept=False)
        return [_resource(walk, one) for one in resources]
    except (_Malformed, IndexError):
        text = "the body is no ExportLogsServiceRequest in protobuf"
        raise Refused(RefusalCode.INVALID_ENCODING, text) from None


def _resource(walk: _Walk, span: Span) -> ResourceParts:
    own, scopes = walk.split(span, _RESOURCE, "scopes")
    parts = [ScopeParts(*walk.split(one, _SCOPE, "log records")) for one in scopes]
    return ResourceParts(own, parts)


class _Malformed(Exception):
    """No protobuf."""


class _Walk:
    """Over the fields of a body's outer messages."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._fields = MAX_FIELDS  # that may still be looked at
        self._left = {"resources": MAX_RECORDS, "scopes": MAX_RECORDS, "log records": MAX_RECORDS}

    def split(
        self, span: Span, wanted: int, name: str, *, is_kept: bool = True
    ) -> tuple[bytes, list[Span]]:
        """A message's other fields, where these are kept, and its members of this number. Raises
        Refused, _Malformed and IndexError."""
        body, found = self._body, list[Span]()
        own: list[bytes] = []
        at, end = span
        while at < end:
            start = at
            tag, at = _varint(body, at)
            kind = tag & 7
            if kind == 2:
                size, at = _varint(body, at)
                at += size
            elif kind == 0:
                _, at = _varint(body, at)
            elif kind in _FIXED:
                at += _FIXED[kind]
            else:
                raise _Malformed
            if kind == 2 and tag >> 3 == wanted:
                found.append((at - size, at))
            elif is_kept:
                own.append(body[start:at])
            self._fields -= 1
            if len(found) > self._left[name] or self._fields < 0:
                text = f"the body has more than {MAX_RECORDS} {name}"
                raise Refused(RefusalCode.TOO_MANY_EVENTS, text)
        if at != end:
            raise _Malformed
        self._left[name] -= len(found)
        return _bounded(b"".join(own)), found


def _bounded(own: bytes) -> bytes:
    if len(own) > MAX_OWN_BYTES:
        text = f"a resource or scope has more than {MAX_OWN_BYTES} bytes"
        raise Refused(RefusalCode.CONTEXT_TOO_LARGE, text)
    return own


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends. Raises IndexError."""
    byte = body[at]
    if byte < 0x80:
        return byte, at + 1
    number, shift = byte & 0x7F, 7
    while True:
        at += 1
        byte = body[at]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at + 1
        shift += 7
        if shift > 63:
            raise _Malformed
