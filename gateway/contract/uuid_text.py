"""Whether a text is a UUID. Translating its bytes to their kinds costs a third of what a regular
expression does, and gateway and sink ask it of every event."""

from __future__ import annotations

from string import hexdigits

_UUID = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"


def _kinds(digits: str) -> bytes:
    """What each byte is: a digit, a dash, or something else."""
    return bytes(
        ord("h") if chr(one) in digits else one if chr(one) == "-" else 0 for one in range(256)
    )


_CANONICAL, _ANY_CASE = _kinds("0123456789abcdef"), _kinds(hexdigits)


def is_canonical(text: str) -> bool:
    """As we write them: small letters, dashes."""
    return text.encode("utf-8", "replace").translate(_CANONICAL) == _UUID


def is_uuid(text: str) -> bool:
    """In either case, with dashes."""
    return text.encode("utf-8", "replace").translate(_ANY_CASE) == _UUID
