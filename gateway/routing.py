"""Which protocol owns a path. Every route is offered plain and under its protocol's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

import httptools
from msgspec import Struct

from gateway.protocols.protocol import Protocol, Route

Found = tuple[str, bytes, "list[Match]"]  # path, query, and who owns the path


class Match(Struct, frozen=True, gc=False):
    protocol: Protocol
    route: Route


class Routes:
    """All protocols' routes: fixed paths by look-up, patterns one after another."""

    def __init__(self, protocols: Sequence[Protocol]) -> None:
        self._fixed: dict[str, list[Match]] = {}
        self._patterns: list[tuple[re.Pattern[str], Match]] = []
        self._targets: dict[bytes, Found] = {}
        for protocol in protocols:
            for route in protocol.routes:
                for pattern in (route.pattern, f"/{protocol.name}{route.pattern}"):
                    self._add(pattern.rstrip("/") or "/", Match(protocol, route))

    def _add(self, pattern: str, match: Match) -> None:
        if "{" not in pattern:
            matches = self._fixed.setdefault(pattern, [])
            matches.append(match)
            self._targets[pattern.encode("ascii")] = (pattern, b"", matches)
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

    def find_url(self, url: bytes) -> Found | None:
        """The path, query and matches of a request's target; None when no protocol owns it, or
        when it is no target."""
        if (found := self._targets.get(url)) is not None:
            return found
        try:
            parsed = httptools.parse_url(url)
            path = unquote((parsed.path or b"").decode("ascii"))
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            return None
        if len(path) > 1 and path.endswith("/"):
            path = path[:-1]
        matches = self.find(path)
        return (path, parsed.query or b"", matches) if matches else None
