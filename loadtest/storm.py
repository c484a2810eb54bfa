"""A client that never waits: its bodies are encoded before the storm begins. Pure."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from loadtest.devices import Phone, Post, body_of
from loadtest.ledger import Entry
from loadtest.replies import posted


class Prebuilt(Struct, frozen=True):
    """A POST, ready for the wire, and what the ledger says of it before its first try."""

    post: Post
    body: bytes
    entries: list[Entry]


def prebuilt(number: int, seed: int, now_ms: int) -> list[Prebuilt]:
    """The POSTs of one client, which it makes again and again; `sent_at` is `now_ms`."""
    return [
        Prebuilt(post, msgspec.json.encode(body_of(post, now_ms)), posted(post))
        for post in Phone(number, seed, now_ms).posts()
    ]
