"""Bodies that are HTML forms with JSON in a field, as it is or in base64.

Linear in time and space whatever comes: the work is done by three C functions over the whole text.
"""

from __future__ import annotations

import base64
import binascii
import re

from gateway.contract.refusal import RefusalCode, Refused

MAX_FIELDS = 32
MAX_STRAYS = 1_000  # "%" without two digits, in one field: each costs a step of our own

_SOFT_ENDS = (b"%\n", b"%\r")  # a line's end in quoted-printable, which goes
_stray = re.compile(rb"%(?![0-9a-fA-F]{2})")
_json_start = re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]").match
_to_standard = bytes.maketrans(b"-_ ", b"+/+")  # a "+" that nobody escaped came as a space


def fields(body: bytes) -> dict[str, bytes]:
    """The form's fields, decoded; of repeated ones the last counts. Raises Refused."""
    parts = body.split(b"&", MAX_FIELDS)
    if len(parts) > MAX_FIELDS:
        text = f"the form has more than {MAX_FIELDS} fields"
        raise Refused(RefusalCode.INVALID_FIELD, text)
    found: dict[str, bytes] = {}
    for part in parts:
        name, _, value = part.partition(b"=")
        if not name:
            continue
        found[unescape(name).decode("utf-8", "replace")] = unescape(value)
    return found


def unescape(text: bytes) -> bytes:
    """Percent-decoded; "+" is a space, a "%" without two digits stands for itself. Raises Refused.

    Quoted-printable is the same code with another sign, and its decoder is one pass in C: the
    standard library's for URLs makes a list of all pieces.
    """
    text = text.replace(b"+", b" ")
    signs = text.count(b"%")
    if not signs:
        return text
    if not any(end in text for end in _SOFT_ENDS):
        decoded = _unescaped(text)
        if len(decoded) == len(text) - 2 * signs:  # each sign had its digits: no other is so short
            return decoded
    text = _stray.sub(b"%25", text, MAX_STRAYS)
    if _stray.search(text):
        raise Refused(RefusalCode.INVALID_FIELD, "the form's percent-encoding is broken")
    return _unescaped(text)


def _unescaped(text: bytes) -> bytes:
    return binascii.a2b_qp(text.replace(b"=", b"%3D").replace(b"%", b"="))


def is_json(text: bytes) -> bool:
    """Whether it begins as a JSON object or array."""
    return _json_start(text) is not None


def json_or_text(value: bytes) -> bytes:
    """A field's JSON, or what stands in its place."""
    try:
        return json_of(value)
    except Refused:
        return value


def json_of(value: bytes) -> bytes:
    """A field's JSON, whether it came as it is or in base64 of any alphabet. Raises Refused."""
    if is_json(value):
        return value
    text = value.translate(_to_standard).rstrip(b"=\r\n")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        error = "the form's data is neither JSON nor base64"
        raise Refused(RefusalCode.INVALID_JSON, error) from None
