"""What a load run came to: the lines of its summary, and what was wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.meter import Sample, total
from loadtest.tables import number

SHARES = (0.5, 0.9, 0.99, 0.999)


def summarise(samples: Sequence[Sample]) -> list[tuple[str, str]]:
    """(name, value), as people read them."""
    whole = total(samples)
    length = max(whole.length, 0.001)
    best = max((one.accepted / one.length for one in samples if one.length > 0), default=0.0)
    latencies = ", ".join(f"p{share * 100:g} {_ms(whole.latency_ms(share))}" for share in SHARES)
    asked = sum(whole.retry_after.values())
    return [
        ("length", f"{whole.length:,.1f} s"),
        ("phones at most", number(whole.users)),
        ("POSTs", f"{number(whole.requests)}; {whole.requests / length:,.1f} a second"),
        (
            "events acknowledged with 200",
            f"{number(whole.accepted)}; {whole.accepted / length:,.1f} a second,"
            f" {best:,.0f} in the best one",
        ),
        ("answers", answers_of(whole) or "none"),
        ("latency of answers", latencies),
        (
            "Retry-After",
            f"in {number(asked)} answers: {min(whole.retry_after)} to {max(whole.retry_after)} s"
            if asked
            else "in none",
        ),
    ]


def wrong_with(samples: Sequence[Sample]) -> list[str]:
    """What must not be in any run, however great the load; a 503 is none of it."""
    whole = total(samples)
    found: list[str] = []
    if not whole.accepted:
        found.append("no event was acknowledged")
    if whole.refused:
        found.append(f"{number(whole.refused)} POSTs got a final no or an answer without sense")
    if whole.broken:
        found.append(f"{number(whole.broken)} times a phone failed in our own code")
    return found


def answers_of(one: Sample) -> str:
    """How many answers of each status there were."""
    return ", ".join(f"{status}: {number(count)}" for status, count in sorted(one.answers.items()))


def thinned(samples: Sequence[Sample], most: int) -> list[Sample]:
    """The same in at most so many samples: neighbours are added up."""
    size = -(-len(samples) // most) or 1
    return [total(samples[start : start + size]) for start in range(0, len(samples), size)]


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.1f} ms" if milliseconds < 100 else f"{milliseconds:,.0f} ms"
