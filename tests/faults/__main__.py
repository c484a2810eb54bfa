"""`python -m tests.faults run [ROW …]`: exit code 1 when a row failed, or a negative control did
not. `python -m tests.faults report` writes docs/FAULTS.md from the results."""

from __future__ import annotations

import logging
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gateway.runtime import BAD_USAGE, FOUND_WRONG
from tests.faults.judge import run_row
from tests.faults.results import ROOT, Results, RowResult, commit_now
from tests.faults.rig import Engines
from tests.faults.row import Row, Variant
from tests.faults.rows import ROWS
from tests.faults.table import page_of, table_of

SHOW_SECONDS = 10.0
PAGE = ROOT / "docs" / "FAULTS.md"

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


class Screen:
    """Progress: a line for each row, and now and then what it is at."""

    def __init__(self) -> None:
        self.console = Console(width=None if sys.stdout.isatty() else 140)
        self._row = ""
        self._shown = 0.0
        self._started = time.monotonic()

    def begin(self, row: Row, name: str, place: str) -> None:
        self._row = name
        about = f", about {row.seconds:.0f} s at full volume"
        self._line(f"{place} {row.title}{about}")

    def say(self, text: str) -> None:
        if time.monotonic() - self._shown > SHOW_SECONDS:
            self._line(text)

    def end(self, result: RowResult) -> None:
        word = "good" if result.is_good else "FAILED"
        self._line(
            f"{word} after {result.seconds:.0f} s {'; '.join(result.complaints)} {result.note}"
        )

    def _line(self, text: str) -> None:
        self._shown = time.monotonic()
        clock = f"{(self._shown - self._started) / 60:5.1f} min"
        self.console.print(f"{clock}  row {self._row:4} {text}", markup=False, highlight=False)


@app.command()
def run(
    rows: Annotated[list[str] | None, typer.Argument(help="as 13 or 13b; all without any")] = None,
    scale: Annotated[float, typer.Option(min=0.001, max=10, help="of the volumes")] = 1.0,
    again: Annotated[bool, typer.Option("--again", help="also rows that are done")] = False,
) -> None:
    """Run rows of the failure catalogue that are not done for this commit and scale."""
    logging.disable(logging.CRITICAL)  # clients that look for brokers we have killed
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # sockets by the thousand
    screen, results, commit = Screen(), Results(), commit_now()
    chosen = _chosen(rows or [])
    done = {} if again or not commit else results.latest(scale, commit)
    todo = [(row, variant) for row, variant in chosen if _name(row, variant) not in done]
    screen.console.print(f"{len(todo)} rows to run, {len(chosen) - len(todo)} done before")
    with tempfile.TemporaryDirectory(prefix="faults-engines-") as folder:
        engines = Engines(Path(folder))
        try:
            for number, (row, variant) in enumerate(todo, start=1):
                screen.begin(row, _name(row, variant), f"({number}/{len(todo)})")
                result = run_row(engines, row, variant, scale, screen.say)
                results.add(result)
                screen.end(result)
                done[result.row] = result
        finally:
            engines.close()
    shown = [done[_name(row, variant)] for row, variant in chosen]
    screen.console.print(table_of(shown))
    bad = [one for one in shown if not one.is_good]
    for one in bad:
        screen.console.print(f"row {one.row}: {'; '.join(one.complaints)}", markup=False)
    raise typer.Exit(FOUND_WRONG if bad else 0)


@app.command()
def report() -> None:
    """Write docs/FAULTS.md from the newest result of each row at its largest scale."""
    found = Results().fullest()
    names = (_name(row, variant) for row, variant in _chosen([]))
    shown = [found[name] for name in names if name in found]
    if not shown:
        typer.echo("no results: run `make test-faults` first", err=True)
        raise typer.Exit(BAD_USAGE)
    PAGE.write_text(page_of(shown), encoding="utf-8")
    typer.echo(f"{PAGE.relative_to(ROOT)}: {len(shown)} rows")


def _name(row: Row, variant: Variant) -> str:
    return f"{row.number}{variant.letter if row.has_variants else ''}"


def _chosen(names: Sequence[str]) -> list[tuple[Row, Variant]]:
    every = [(row, variant) for row in ROWS for variant in row.variants()]
    if not names:
        return every
    chosen = [one for one in every if str(one[0].number) in names or _name(*one) in names]
    known = {str(row.number) for row in ROWS} | {_name(*one) for one in every}
    if unknown := sorted(set(names) - known):
        typer.echo(f"no row {', '.join(unknown)}; there are {', '.join(sorted(known))}", err=True)
        raise typer.Exit(BAD_USAGE)
    return chosen


if __name__ == "__main__":
    app()
