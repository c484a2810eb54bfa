"""Bodies that are almost JSON, made JSON: NaN and Infinity, lone surrogates, absurd numbers.

Common JSON writers produce them (Python's writes NaN, JavaScript's a cut emoji), and one such
value must not cost the other events of its body. What has no JSON form becomes null, a lone
surrogate becomes "?", a number out of range becomes its text.
"""

from __future__ import annotations

import json
import math

MAX_DIGITS = 18


def salvage(body: bytes) -> bytes | None:
    """The body as JSON that every parser takes, or None when it is not JSON at all."""
    try:
        value = json.loads(
            body.decode("utf-8-sig", "replace"),
            parse_constant=lambda _: None,
            parse_float=_float,
            parse_int=_int,
        )
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return None


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _int(text: str) -> int | str:
    return int(text) if len(text) <= MAX_DIGITS else text
