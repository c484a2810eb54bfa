"""Which protocol owns a path. Every route is offered plain and under its protocol's name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from gateway.protocols.protocol import Protocol, Route


class Match(Struct, frozen=True, gc=False):
    protocol: Protocol
    route: Route


class Routes:
    """All protocols' routes: fixed paths by look-up, patterns one after another."""

    def __init__(self, protocols: Sequence[Protocol]) -> None:
        self._fixed: dict[str, list[Match]] = {}
        self._patterns: list[tuple[re.Pattern[str], Match]] = []
        for protocol in protocols:
            for route in protocol.routes:
                for pattern in (route.pattern, f"/{protocol.name}{route.pattern}"):
                    self._add(pattern, Match(protocol, route))

    def _add(self, pattern: str, match: Match) -> None:
        if "{" not in pattern:
            self._fixed.setdefault(pattern, []).append(match)
            return
        parts = (
            "[^/]+" if part.startswith("{") else re.escape(part) for part in pattern.split("/")
        )
        self._patterns.append((re.compile("/".join(parts)), match))

    def find(self, path: str) -> list[Match]:
        """The matches of a path, one per method; none when no protocol owns it."""
        if len(path) > 1 and path.endswith("/"):
            path = path[:-1]
        if (fixed := self._fixed.get(path)) is not None:
            return fixed
        return [match for pattern, match in self._patterns if pattern.fullmatch(path)]
