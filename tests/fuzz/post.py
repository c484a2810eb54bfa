"""One request for the application."""

from __future__ import annotations

from msgspec import Struct


class Post(Struct, frozen=True):
    """Its body comes in two parts."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    cut: int = 0
    query: bytes = b""
