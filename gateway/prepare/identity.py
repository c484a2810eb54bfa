"""Ids as ClickHouse keeps them: UUIDs. A foreign id becomes the same UUID whenever it comes."""

from __future__ import annotations

import re
from uuid import UUID, uuid5

from gateway.contract.uuid_text import is_canonical

# Names the space of ids that are no UUIDs. Part of the stored data: never change it.
NAMESPACE = UUID("5f0c5c1e-5d1b-5a3e-9a55-0f6d5a1b7c11")

_any_case = re.compile(
    r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
).fullmatch


def as_uuid(text: str) -> str | None:
    """The canonical form of a UUID written in any case, with or without dashes; else None."""
    if is_canonical(text):
        return text
    return str(UUID(text)) if _any_case(text) else None


def foreign(*parts: str) -> str:
    """UUIDv5 of an id that is no UUID, within its app (and device)."""
    return str(uuid5(NAMESPACE, "\x1f".join(parts)))
