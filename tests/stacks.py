"""Crashes of the platforms, written down as their tools show them: which are the same one.

A file has cases: `== same: …` or `== different: …`, then crashes, each with a line
`-- kind | type | reason` and its stack. `python -m tests.stacks` writes their groups down.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from gateway.contract.grouping.group import GROUP_VERSION, group_of

FOLDER = Path(__file__).parent / "unit" / "stacks"


class Crash(Struct, frozen=True):
    """The columns that a group is made of."""

    kind: str
    type: str
    reason: str
    stack: str


class Case(Struct, frozen=True):
    name: str
    is_same: bool
    crashes: list[Crash]


def cases() -> Iterator[Case]:
    for file in sorted(FOLDER.glob("*.txt")):
        for part in file.read_text(encoding="utf-8").split("== ")[1:]:
            title, *crashes = f"{part.strip()}\n".split("\n-- ")
            verdict, _, what = title.partition(": ")
            yield Case(f"{file.stem}: {what}", verdict == "same", [_crash(one) for one in crashes])


def _crash(text: str) -> Crash:
    head, _, stack = text.partition("\n")
    kind, exception_type, reason = (one.strip() for one in head.split("|"))
    return Crash(kind, exception_type, reason, stack)


def golden() -> dict[str, object]:
    """The group of every crash, by this version of the rule."""
    groups = {
        case.name: [
            f"{group_of(one.kind, one.type, one.reason, one.stack):016x}" for one in case.crashes
        ]
        for case in cases()
    }
    return {"version": GROUP_VERSION, "groups": groups}


if __name__ == "__main__":
    (FOLDER / "groups.json").write_text(json.dumps(golden(), indent=1) + "\n", encoding="utf-8")
