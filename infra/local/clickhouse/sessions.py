"""HTTP sessions: the SET and USE statements of a session, repeated before each of its queries."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator

from infra.local.clickhouse.errors import SESSION_IS_LOCKED, refuse

MAX_SESSIONS = 1000
MAX_STATEMENTS = 1000


class Sessions:
    """The youngest sessions; a session serves one request at a time, as on a server."""

    def __init__(self) -> None:
        self._statements: OrderedDict[str, list[str]] = OrderedDict()
        self._busy: set[str] = set()

    @contextlib.contextmanager
    def enter(self, session_id: str) -> Iterator[list[str]]:
        """The session's statements, to repeat and to extend. Raises 373 when it is busy."""
        if not session_id:
            yield []
            return
        if session_id in self._busy:
            raise refuse(SESSION_IS_LOCKED, f"Session {session_id[:64]} is locked by another query")
        statements = self._statements.setdefault(session_id, [])
        self._statements.move_to_end(session_id)
        while len(self._statements) > MAX_SESSIONS:
            self._statements.popitem(last=False)
        self._busy.add(session_id)
        try:
            yield statements
            del statements[:-MAX_STATEMENTS]
        finally:
            self._busy.discard(session_id)
