"""The benchmark's short form: the gateway against the yardstick, by a ratio that noise does not
break."""

from __future__ import annotations

import subprocess
import sys


def test_an_event_costs_no_more_than_it_did_beside_the_yardstick() -> None:
    command = [sys.executable, "-m", "tests.bench.ingest", "--smoke"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("times the yardstick") == 3
