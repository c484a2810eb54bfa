"""`python -m tests.bench.profile`: flame graphs of the gateway under load, for two sizes of POST.

py-spy looks at the process from outside, so that what it draws is what runs in production. What is
drawn holds the interpreter's lock: threads that wait are left out, and most time in the kernel.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.bench.candidates import Candidate, Variant, start_gateway
from tests.bench.rounds import loaded
from tests.bench.stack import broker

EVENTS = (1, 50)
SECONDS = 10
PER_SECOND = 200  # samples
TITLE = re.compile(r'(<text id="title"[^>]*>)[^<]*<')  # py-spy writes its own command there
POSTS = 500  # between two looks at whether py-spy has ended


def draw(candidate: Candidate, events: int, svg: Path) -> None:
    """Load the gateway for as long as py-spy looks. Raises SystemExit when it cannot."""
    spy_path = Path(sys.executable).with_name("py-spy")
    command = [
        str(spy_path), "record", "--pid", str(candidate.process.pid), "--format", "flamegraph",
        "--gil", "--duration", str(SECONDS), "--rate", str(PER_SECOND), "--output", str(svg),
    ]  # fmt: skip
    with loaded(candidate, events) as load:
        load.run(POSTS)
        spy = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        while spy.poll() is None:
            load.run(POSTS)
        _, errors = spy.communicate()
    if spy.returncode:
        raise SystemExit(f"py-spy: {errors.strip()}")
    drawn = svg.read_text(encoding="utf-8")
    svg.write_text(
        TITLE.sub(rf"\g<1>the gateway, {events} events per POST<", drawn, count=1), "utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("docs"), help="where they are written")
    folder: Path = parser.parse_args().folder
    console = Console()
    with tempfile.TemporaryDirectory() as temporary, broker(Path(temporary)) as kafka:
        candidate = start_gateway(Variant("gateway"), kafka.bootstrap, Path(temporary))
        try:
            for events in EVENTS:
                svg = folder / f"flame-{events}.svg"
                draw(candidate, events, svg)
                console.print(f"{svg}: {events} events per POST")
        finally:
            candidate.stop()


if __name__ == "__main__":
    main()
