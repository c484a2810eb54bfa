"""Ids as ClickHouse keeps them: UUIDs. A foreign id becomes the same UUID whenever it comes."""

from __future__ import annotations

import re
from hashlib import sha1
from uuid import UUID

from gateway.contract.uuid_text import is_canonical

# Names the space of ids that are no UUIDs. Part of the stored data: never change it.
NAMESPACE = UUID("5f0c5c1e-5d1b-5a3e-9a55-0f6d5a1b7c11")

_any_case = re.compile(
    r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
).fullmatch
_LENGTH = 36  # of the longest writing
_SPACE = NAMESPACE.bytes
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def as_uuid(text: str) -> str | None:
    """The canonical form of a UUID written in any case, with or without dashes; else None."""
    if len(text) > _LENGTH:  # as ids made of a hash are
        return None
    if is_canonical(text):
        return text
    return _dashed(text.replace("-", "").lower()) if _any_case(text) else None


def foreign(*parts: str) -> str:
    """UUIDv5 of an id that is no UUID, within its app (and device).

    Made from its digits: the standard library's way over an object costs four times as much.
    """
    name = "\x1f".join(parts).encode()
    told = sha1(_SPACE + name, usedforsecurity=False).hexdigest()
    variant = _VARIANTS[told[16]]
    return f"{told[:8]}-{told[8:12]}-5{told[13:16]}-{variant}{told[17:20]}-{told[20:32]}"


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
