"""Self-describing JSON: data and the schema that says what it is."""

from __future__ import annotations

from msgspec import Raw, Struct

from gateway.contract.refusal import Refused
from gateway.protocols import forms, reading
from gateway.protocols.loose import without_nulls

MAX_CONTEXTS = 64  # of one event


class Described(Struct, frozen=True, gc=False):
    name: str  # of `iglu:vendor/name/format/version`; empty where there is none
    data: Raw

    def keys(self) -> dict[str, Raw]:
        """Those of its data, as far as it is an object."""
        return without_nulls(reading.as_object(self.data))


def event_of(text: str) -> Described | None:
    """What `ue_pr` or `ue_px` describes: JSON, or that in base64. None where it is neither."""
    outer = _object(text)
    return described(outer.get("data"))


def contexts_of(text: str) -> list[Described] | None:
    """What `co` or `cx` describes; None where that cannot be read, or is too much."""
    members = reading.as_list(_object(text).get("data"))
    if members is None or len(members) > MAX_CONTEXTS:
        return None
    found = [described(one) for one in members]
    return [one for one in found if one is not None] if None not in found else None


def described(raw: Raw | None) -> Described | None:
    keys = reading.as_object(raw)
    parts = reading.as_text(keys.get("schema")).split("/")
    if "data" not in keys or len(parts) < 2:
        return None
    return Described(parts[1], keys["data"])


def _object(text: str) -> dict[str, Raw]:
    try:
        return reading.json_object(forms.json_of(text.encode("utf-8", "replace")))
    except Refused:
        return {}
