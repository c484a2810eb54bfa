"""`python -m tests.bench.ingest`: what an event costs, ours and others', side by side in one run.

The figure is the CPU time of the gateway's processes per event that was answered 200 after Kafka's
acknowledgement (acks=all). Everything that is on by default is on. Every record is read back: a
candidate that lost one has no figure.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import msgspec
from rich.console import Console

from tests.bench.candidates import Variant, start_fastapi, start_gateway
from tests.bench.plot import bars
from tests.bench.rounds import POSTS, Cost, measure, table_of
from tests.bench.stack import broker, stored

ROUNDS = 5
OURS = Variant("telemetry gateway")
RECORDED = Path(__file__).parent / "recorded.json"  # ratios that the smoke form compares with
SMOKE_SHARE = 0.7


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--against", type=Path, help="another checkout, measured as well")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--svg", type=Path, help="draw them there")
    parser.add_argument("--smoke", action="store_true", help="a minute; fails on a low ratio")
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    posts = {size: count // 6 for size, count in POSTS.items()} if given.smoke else POSTS
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with broker(folder) as kafka:
            candidates = [start_gateway(OURS, kafka.bootstrap, folder)]
            try:
                candidates.append(start_fastapi(kafka.bootstrap, folder))
                if given.against:
                    other = Variant("other checkout", checkout=given.against)
                    candidates.append(start_gateway(other, kafka.bootstrap, folder))
                costs, kept = measure(candidates, 2 if given.smoke else given.rounds, posts)
            finally:
                for one in candidates:
                    one.stop()
            lost = []
            for topic in {one.topic for one in candidates}:
                wanted = sum(kept[one.name] for one in candidates if one.topic == topic)
                found = asyncio.run(stored(kafka.bootstrap, topic))
                console.print(f"{topic}: {wanted:,} events answered 200, {found:,} records")
                lost += [topic] if found != wanted else []
    names = [one.name for one in candidates]
    console.print(table_of(costs, names))
    if any(cost.is_noisy for cost in costs.values()):
        console.print("noisy: rounds of one cell differ by more than a quarter; measure again")
    figures = {f"{name}, {size}": cost for (name, size), cost in costs.items()}
    if given.json:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
    if given.svg:
        given.svg.write_text(bars(costs, names), encoding="utf-8")
    if lost:
        console.print(f"these figures are void: events are missing in {', '.join(lost)}")
        return 1
    return _smoke(console, costs) if given.smoke else 0


def _smoke(console: Console, costs: dict[tuple[str, int], Cost]) -> int:
    """Whether the ratios to the yardstick are near those that were recorded."""
    recorded = msgspec.json.decode(RECORDED.read_bytes(), type=dict[str, float])
    code = 0
    for (name, size), cost in costs.items():
        if name != OURS.name:
            ratio = cost.middle / costs[OURS.name, size].middle
            least = SMOKE_SHARE * recorded[str(size)]
            console.print(f"{size} per POST: {ratio:.1f} times the yardstick, least {least:.1f}")
            code = max(code, int(ratio < least))
    return code


if __name__ == "__main__":
    sys.exit(main())
