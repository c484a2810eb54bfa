"""How people use an app: how long a session lasts, and how long the app is away after it. Pure."""

from __future__ import annotations

import math
import random

# Published for mobile apps: half of all sessions are shorter than 1:46, the mean is 5:26. A
# lognormal distribution has both: its mean is median * exp(sigma² / 2).
SESSION_MEDIAN_SECONDS = 106.0
SESSION_MEAN_SECONDS = 326.0
SESSION_SIGMA = math.sqrt(2 * math.log(SESSION_MEAN_SECONDS / SESSION_MEDIAN_SECONDS))

AWAY_MEAN_SECONDS = 300.0  # chosen: busy phones, so that few of them are load


def session_seconds(chance: random.Random) -> float:
    """The length of one session."""
    return chance.lognormvariate(math.log(SESSION_MEDIAN_SECONDS), SESSION_SIGMA)


def away_seconds(chance: random.Random) -> float:
    """From the end of a session to the next."""
    return chance.expovariate(1 / AWAY_MEAN_SECONDS)
