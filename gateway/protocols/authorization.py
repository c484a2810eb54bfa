"""Keys in the Authorization header."""

from __future__ import annotations

import base64
import binascii

from gateway.protocols.protocol import Head


def bearer(head: Head) -> str | None:
    """The token of `Bearer TOKEN`."""
    given = head.headers.get(b"authorization", b"")
    if given.startswith(b"Bearer "):
        return given[7:].decode("latin-1").strip() or None
    scheme, _, token = head.header(b"authorization").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def basic_user(head: Head) -> str | None:
    """The user of `Basic base64(user:password)`."""
    scheme, _, encoded = head.header(b"authorization").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
    return pair.partition(":")[0] or None
