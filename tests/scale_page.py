"""The tables of docs/SCALE.md are what the command prints: `python -m tests.scale_page` writes them
anew."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console
from typer.testing import CliRunner

from loadtest.__main__ import app
from loadtest.capacity.simulate import run_simulation

PAGE = Path(__file__).parents[1] / "docs" / "SCALE.md"
BLOCK = re.compile(r"```\n\$ telemetry-loadtest (plan .*)\n(?:.*\n)*?```\n")


def printed(command: str) -> str:
    """What `telemetry-loadtest COMMAND` prints, without spaces at the ends of lines."""
    done = CliRunner().invoke(app, command.split())
    assert done.exit_code == 0, done.output
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def filled(text: str) -> str:
    """The page with what its commands print now."""
    return BLOCK.sub(
        lambda found: f"```\n$ telemetry-loadtest {found[1]}\n{printed(found[1])}\n```\n", text
    )


def simulated() -> list[str]:
    """The tables of the simulation that are the same for any number of devices."""
    done = run_simulation(1_000, 1.5, 7, Console(file=io.StringIO(), width=100))
    tables = []
    for one in done.tables[2:]:
        console = Console(file=io.StringIO(), width=100, record=True)
        console.print(one)
        lines = console.export_text().strip().splitlines()
        tables.append("\n".join(line.rstrip() for line in lines))
    return tables


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
