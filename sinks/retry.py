"""How long to wait before trying again: longer each time, bounded, and spread by chance."""

from __future__ import annotations

from collections.abc import Iterator


def delays(
    chances: Iterator[float], first_seconds: float = 0.2, most_seconds: float = 15.0
) -> Iterator[float]:
    """Waits without end. `chances` are uniform in [0, 1): without them all would come at once."""
    base = first_seconds
    for chance in chances:
        yield base * (0.5 + chance)
        base = min(most_seconds, base * 2)
