"""The members with which an object begins or ends as the one before it did, known by their text.

Where the text comes again only the rest is decoded, as an object of its own: so the text begins and
ends where members do, and says what it said before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Raw, Struct

LEAST_BYTES = 48  # of a text that is worth comparing

_STYLES = ((b",", b":"), (b", ", b": "))  # between members and behind names, as SDKs write them
_encode = msgspec.json.Encoder().encode


class Alike(Struct, frozen=True, gc=False):
    members: dict[str, Raw]
    text: bytes
    length: int
    is_head: bool  # else the object ends so

    def rest_of(self, text: bytes) -> bytes | None:
        """The other members, as an object; None where these are not there, or no other is."""
        if self.is_head:
            if text.startswith(self.text):
                return b"{" + text[self.length :]
        elif text.endswith(self.text):
            return text[: -self.length] + b"}"
        return None

    def joined(self, kept: dict[str, Raw], rest: dict[str, Raw]) -> dict[str, Raw]:
        """In their order."""
        return {**kept, **rest} if self.is_head else {**rest, **kept}


def alike_of(text: bytes, keys: dict[str, Raw], before: Mapping[str, Raw]) -> Alike | None:
    """Of an object that comes after another one; `keys` and `before` are theirs."""
    head, tail = _run(keys, keys, before), _run(reversed(keys), keys, before)
    is_head = len(head) >= len(tail)
    names = head if is_head else tail[::-1]
    if len(names) == len(keys):
        return None
    for comma, colon in _STYLES:
        members = comma.join([_encode(name) + colon + bytes(keys[name]) for name in names])
        whole = b"{" + members + comma if is_head else comma + members + b"}"
        if len(whole) < LEAST_BYTES:
            return None
        if text.startswith(whole) if is_head else text.endswith(whole):
            return Alike({name: keys[name] for name in names}, whole, len(whole), is_head)
    return None


def _run(names: Iterable[str], keys: Mapping[str, Raw], before: Mapping[str, Raw]) -> list[str]:
    """The first of these that say what was said before."""
    found: list[str] = []
    for name in names:
        if before.get(name) != keys[name]:
            break
        found.append(name)
    return found
