"""The AnyValues of OTLP's JSON as plain JSON."""

from __future__ import annotations

import math

from gateway.protocols.otlp.logs import Attributes, deeper

_MAX_INT_DIGITS = 20  # as text; an int64 has fewer
_MAX_DOUBLE_LENGTH = 64
UNSET_JSON = (b"null", b'""', b"0")  # a field of protobuf that was not set


def value_of(value: object, depth: int) -> object:
    """An AnyValue as plain JSON. What is none, though it stands for one, is taken as it is."""
    if isinstance(value, list):
        inside = deeper(depth)
        return [value_of(one, inside) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) <= 1:
        for kind, of in value.items():
            if kind == "intValue":
                return _int(of)
            if kind == "doubleValue":
                return _double(of)
            if kind in ("stringValue", "boolValue", "bytesValue"):
                return value_of(of, deeper(depth))
            if kind in ("arrayValue", "kvlistValue") and isinstance(of, dict):
                members = of.get("values")
                if kind == "arrayValue":
                    return value_of([] if members is None else members, depth)
                if members is None or isinstance(members, list):
                    return _object(members or [], deeper(depth))
    if not value:
        return None
    inside = deeper(depth)
    return {str(name): value_of(one, inside) for name, one in value.items()}


def time_of(value: object) -> object:
    """None where it was not set, which in protobuf is 0."""
    if type(value) is not str:
        value = value_of(value, 0)
    return None if value in ("", "0") else value or None


def _object(pairs: list[object], depth: int) -> Attributes:
    found: Attributes = {}
    for pair in pairs:
        if isinstance(pair, dict):
            found[str(pair.get("key") or "")] = value_of(pair.get("value"), depth)
    return found


def _int(value: object) -> object:
    """An int64, which JSON writes as text."""
    if isinstance(value, str) and len(value) <= _MAX_INT_DIGITS:
        try:
            return int(value)
        except ValueError:
            return value
    return value_of(value, 0)


def _double(value: object) -> object:
    """A double, of which JSON writes some as text: NaN and the infinities stay text."""
    if not isinstance(value, str) or len(value) > _MAX_DOUBLE_LENGTH:
        return value_of(value, 0)
    try:
        number = float(value)
    except ValueError:
        return value
    return number if math.isfinite(number) else value
