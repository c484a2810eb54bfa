"""How long people use an app: as published."""

from __future__ import annotations

import math
import random
from statistics import fmean, median

from loadtest.usage import (
    AWAY_MEAN_SECONDS,
    SESSION_MEAN_SECONDS,
    SESSION_MEDIAN_SECONDS,
    SESSION_SIGMA,
    away_seconds,
    session_seconds,
)


def test_the_distribution_has_the_published_median_and_mean() -> None:
    assert (SESSION_MEDIAN_SECONDS, SESSION_MEAN_SECONDS) == (60 + 46, 5 * 60 + 26)
    assert math.isclose(
        SESSION_MEDIAN_SECONDS * math.exp(SESSION_SIGMA**2 / 2), SESSION_MEAN_SECONDS
    )


def test_drawn_sessions_have_them_too() -> None:
    chance = random.Random(1)
    lengths = [session_seconds(chance) for _ in range(50_000)]

    assert math.isclose(median(lengths), SESSION_MEDIAN_SECONDS, rel_tol=0.05)
    assert math.isclose(fmean(lengths), SESSION_MEAN_SECONDS, rel_tol=0.1)


def test_the_app_is_away_for_as_long_as_chosen() -> None:
    chance = random.Random(1)
    away = [away_seconds(chance) for _ in range(50_000)]

    assert min(away) >= 0
    assert math.isclose(fmean(away), AWAY_MEAN_SECONDS, rel_tol=0.05)
