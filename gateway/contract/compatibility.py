"""Whether a record's schema may take another's place: readers of either must live with both.

A key may be added with a default. None may go, change what it accepts, or become required; none
that was always there may become optional.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

WORDS_FOR_PEOPLE = {"description", "title", "$comment", "examples"}
KEYWORDS_OF_KEYS = {"properties", "required"}


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What of `new` is no compatible change of `old`, each named with its key."""
    return [*_of_the_whole(old, new), *_of_keys(old, new)]


def _of_the_whole(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, after = _meaning(old), _meaning(new)
    for keyword in sorted((before.keys() | after.keys()) - KEYWORDS_OF_KEYS):
        if before.get(keyword) != after.get(keyword):
            yield f"{keyword}: was {before.get(keyword)!r}, is {after.get(keyword)!r}"


def _of_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    was_required, is_required = set(old["required"]), set(new["required"])
    for name, before in old["properties"].items():
        after = new["properties"].get(name)
        if after is None:
            yield f"{name}: removed"
            continue
        if _meaning(before) != _meaning(after):
            yield f"{name}: was {_meaning(before)}, is {_meaning(after)}"
        if name in is_required - was_required:
            yield f"{name}: made required"
        if name in was_required - is_required:
            yield f"{name}: no longer required"
    for name, added in new["properties"].items():
        if name in old["properties"]:
            continue
        if name in is_required:
            yield f"{name}: added as required"
        elif "default" not in added:
            yield f"{name}: added without a default"


def _meaning(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in schema if key not in WORDS_FOR_PEOPLE}
