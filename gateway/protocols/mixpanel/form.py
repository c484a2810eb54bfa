"""Fields of a form or a query, percent-decoded, within bounds."""

from __future__ import annotations

import base64
import binascii

MAX_FIELDS = 32  # what stands behind them is not looked at
MAX_FIELD_NAME_BYTES = 64

_QUOTED_PRINTABLE = bytes.maketrans(b"%+", b"= ")
_URL_SAFE = bytes.maketrans(b"-_ ", b"+/+")  # in a form that escapes nothing, a plus is a space


def fields_of(text: bytes) -> dict[str, bytes]:
    """The fields by name; of repeated ones the first counts."""
    found: dict[str, bytes] = {}
    for part in text.split(b"&", MAX_FIELDS)[:MAX_FIELDS]:
        name, _, value = part.partition(b"=")
        if 0 < len(name) <= MAX_FIELD_NAME_BYTES:
            found.setdefault(_unquoted(name).decode("utf-8", "replace"), _unquoted(value))
    return found


def as_json(value: bytes) -> bytes:
    """A field that holds JSON, or JSON in base64. What is neither stays as it is."""
    if value.lstrip()[:1] in (b"[", b"{"):
        return value
    text = value.strip().translate(_URL_SAFE).rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return value


def _unquoted(text: bytes) -> bytes:
    """Percent-decoded. Quoted-printable is the same code but for its mark, and has a decoder in
    C: that of urllib takes seconds of one CPU for a body of nothing but escapes."""
    if b"%" not in text:
        return text.replace(b"+", b" ")
    return binascii.a2b_qp(text.replace(b"=", b"%3D").translate(_QUOTED_PRINTABLE))
