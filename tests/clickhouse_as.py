"""The local ClickHouse front whose writer has the grants of one role, and nothing else.

The library has no users of its own, but its configuration can have roles: those of the JSON object
in the variable ROLES. Which one the writer has stands in the file `role` of the data folder. The
front itself needs one more right: it brings rows in by a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from infra.local.clickhouse import __main__ as front
from infra.local.clickhouse import engine
from infra.local.clickhouse.access import Role

FRONT_S_OWN = "GRANT READ ON FILE"


class _Subject(engine.Engine):
    def __init__(self, folder: Path, *rest: Any) -> None:
        self._role_file = folder / "role"
        super().__init__(folder, *rest)

    def _restrict(
        self, connection: Any, role: Role, settings: dict[str, str], *, read_only: bool
    ) -> None:
        super()._restrict(connection, role, settings, read_only=read_only)
        if role == "writer":
            self._run(connection, f"SET ROLE {self._role_file.read_text()}")


def main(environment: Mapping[str, str]) -> None:
    known, granted = "", ""
    for name, grants in json.loads(environment["ROLES"]).items():
        queries = "".join(f"<query>{escape(one)}</query>" for one in [FRONT_S_OWN, *grants])
        known += f"<{name}><grants>{queries}</grants></{name}>"
        granted += f"<query>GRANT {name}</query>"
    users = engine._USERS.replace("</roles>", f"{known}</roles>")
    engine._USERS = users.replace(
        "<query>GRANT writer</query>", f"<query>GRANT writer</query>{granted}"
    )
    vars(front)["Engine"] = _Subject
    front.main()


if __name__ == "__main__":
    main(os.environ)
