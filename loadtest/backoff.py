"""How long a phone waits before it tries a POST again. Pure."""

from __future__ import annotations

import random

from msgspec import Struct

LONGEST_ASKED_SECONDS = 86_400.0  # whoever asks for more means a day
SPREAD = 0.1  # of a wait that the server asked for: never shorter, up to so much longer


class Backoff(Struct, frozen=True, kw_only=True):
    """Twice as long each time, and random, so that phones which failed together part; but at least
    what the server asks for. Real SDKs do so, and wait no longer than five minutes whatever they
    are asked for."""

    first_seconds: float
    longest_seconds: float

    def wait(self, tries: int, asked: float, chance: random.Random) -> float:
        """Seconds after so many tries; the server `asked` for some (0: for none)."""
        grown = self.first_seconds * 2.0 ** min(tries - 1, 30)
        drawn = min(self.longest_seconds, grown) * chance.uniform(0.5, 1)
        wanted = min(self.longest_seconds, asked) * chance.uniform(1, 1 + SPREAD)
        return max(drawn, wanted)


PHONE = Backoff(first_seconds=1.0, longest_seconds=300.0)


def asked_seconds(header: str) -> float:
    """The seconds of a Retry-After header; 0 for what is no number: SDKs read no dates."""
    return min(float(header), LONGEST_ASKED_SECONDS) if header.isdecimal() else 0.0
