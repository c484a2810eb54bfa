"""ClickHouse's error codes as the three failures of a sink."""

from __future__ import annotations

import re

from sinks.sink import Misconfigured, Retryable, Unwritable

# A row is at fault: syntax, type, range, duplicate key, UUID, date, an operator's constraint.
PERMANENT = {6, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 376, 467, 469}
# The tables, the user or the settings are at fault.
CONFIGURATION = {16, 47, 60, 62, 81, 115, 164, 192, 193, 194, 195, 291, 497, 516}
TOO_MANY_PARTS = 252  # slow down; but "for single INSERT block" means the block, for ever

_CODE = re.compile(r"\bCode: (\d+)\. ")


def failure_of(text: str, code: int | None = None) -> Retryable | Unwritable | Misconfigured:
    """What to do about an error. Without a code, from the server or at the head of its text, it
    is the network, or a server going down."""
    if code is None:
        found = _CODE.search(text)
        code = int(found.group(1)) if found else None
    short = text[:500]
    if code == TOO_MANY_PARTS and "single INSERT block" in text:
        return Misconfigured(short)
    if code in PERMANENT:
        return Unwritable(short)
    if code in CONFIGURATION:
        return Misconfigured(short)
    return Retryable(short, cause="network" if code is None else str(code))
