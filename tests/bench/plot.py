"""Costs as bars, one group for each number of events per POST, on a scale that grows tenfold."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.bench.rounds import Costs

WIDTH, ROW, LEFT, RIGHT = 860, 22, 190, 60
COLOURS = ("#2563eb", "#9ca3af", "#d97706", "#059669")


def bars(costs: Costs, names: Sequence[str]) -> str:
    """An SVG document."""
    sizes = sorted({size for _, size in costs})
    longest = max(cost.middle for cost in costs.values())
    low, high = 0.0, math.log10(longest * 1.2)
    parts: list[str] = []
    y = 40
    for size in sizes:
        parts.append(f'<text x="10" y="{y + 4}" font-weight="bold">{size} per POST</text>')
        y += 14
        for name, colour in zip(names, COLOURS, strict=False):
            cost = costs[name, size].middle
            width = (math.log10(max(cost, 1.0)) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
            parts += [
                f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{name}</text>',
                f'<rect x="{LEFT}" y="{y + 2}" width="{width:.0f}" height="{ROW - 6}" '
                f'fill="{colour}"/>',
                f'<text x="{LEFT + width + 6:.0f}" y="{y + 14}">{cost:.3g}</text>',
            ]
            y += ROW
        y += 22
    title = '<text x="10" y="18">CPU µs per event answered 200 (logarithmic), less is better</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
        f'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>'
        f"{title}{''.join(parts)}</svg>\n"
    )
