"""`python -m tests.fuzz --inputs 1000000`: exit code 1 if anything but 2xx and 4xx came of it.

`--target recorded --inputs 800000` gives each vendor's decoder 100,000 damaged requests.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.fuzz.run import Fuzz, Summary

SHOW_SECONDS = 10.0


def main(
    inputs: Annotated[int, typer.Option(help="how many")] = 1_000_000,
    seconds: Annotated[float, typer.Option(help="or for how long")] = 3600.0,
    seed: Annotated[int, typer.Option(help="of the dice")] = 1,
    target: Annotated[str, typer.Option(help="those alone whose names begin so")] = "",
    only: Annotated[str, typer.Option(help="TARGET:NUMBER, one input of a run again")] = "",
) -> None:
    """Send inputs nobody would send to the whole gateway in this process."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    started = shown = time.monotonic()

    def progress(summary: Summary) -> None:
        nonlocal shown
        if time.monotonic() - shown > SHOW_SECONDS:
            shown = time.monotonic()
            rate = summary.inputs / (shown - started)
            console.print(f"{summary.inputs} inputs, {rate:.0f}/s, {len(summary.failures)} failed")

    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(Path(folder), seed)
        if only:
            name, _, number = only.partition(":")
            asyncio.run(fuzz.one(name, int(number)))
        else:
            asyncio.run(fuzz.run(inputs, seconds, progress, target))
    took = time.monotonic() - started
    show(console, fuzz.summary)
    failures = fuzz.summary.failures
    console.print(
        f"seed {seed}: {fuzz.summary.inputs} inputs in {took:.0f} s, {len(failures)} failed"
    )
    for one in failures:
        console.print(f"{one.target}:{one.number} {one.text}", markup=False)
    sys.exit(1 if failures else 0)


def show(console: Console, summary: Summary) -> None:
    statuses = sorted({status for one in summary.answers.values() for status in one})
    table = Table("target", "inputs", *statuses, "slowest, CPU ms")
    for name, counts in summary.answers.items():
        if not counts:
            continue
        slowest = f"{summary.slowest[name] * 1000:.0f}"
        table.add_row(name, str(counts.total()), *[str(counts[one]) for one in statuses], slowest)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
