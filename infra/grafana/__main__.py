"""python -m infra.grafana: write the dashboards' files anew, after a query or a board changed."""

from __future__ import annotations

import json
from pathlib import Path

from infra.grafana.boards import BOARDS

FOLDER = Path(__file__).parent / "dashboards"


def files() -> dict[str, str]:
    """The text of each dashboard's file, by its name."""
    return {f"{one.name}.json": json.dumps(one.as_json(), indent=2) + "\n" for one in BOARDS}


def main() -> None:
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
