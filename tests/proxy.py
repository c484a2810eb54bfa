"""An HTTP proxy in front of ClickHouse that sees every insert and can do harm at that moment.

Kill windows and switched-off deduplication live here, in the tests, not in the product.
"""

from __future__ import annotations

import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from tests.http_serving import Serving, answer

TIMEOUT_SECONDS = 60.0


class Insert(Struct, frozen=True):
    """An INSERT of rows or accounts on its way, with its deduplication token."""

    token: str
    table: str  # telemetry.events, telemetry.chunks, …
    number: int  # of the inserts with a token, from 1


class Dropped(OSError):
    """Nothing is forwarded, nothing answered."""


class Harm:
    """What happens around an insert; the base does none. Each hook runs in the proxy's thread."""

    def before(self, insert: Insert) -> None:
        """The insert was seen and not yet forwarded. Raise Dropped, and it never will be."""

    def after(self, insert: Insert) -> None:
        """ClickHouse has answered; the sink has not heard of it."""

    def answered(self, insert: Insert) -> None:
        """The sink has the answer on its socket, and has hardly done anything with it yet."""

    def rewrite(self, path: str) -> str:
        """Change an insert's URL."""
        return path

    def refuses(self, insert: Insert) -> bool:
        """Answer 503 in ClickHouse's place."""
        return False


class ClickHouseProxy:
    """Forwards to `target`; `harm` may be exchanged while it runs."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 0)
        self.harm = Harm()
        self.inserts = 0
        self.answered = 0
        self.tokens: list[str] = []
        self._lock = threading.Lock()
        self._serving = Serving(self.forward)
        self.url = self._serving.url

    def close(self) -> None:
        self._serving.close()

    def forward(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length", "0")))
        insert = self._insert(request.path, body)
        path = request.path
        if insert is not None:
            self.harm.before(insert)
            if self.harm.refuses(insert):
                answer(request, 503, [], b"Code: 210. DB::NetException: refused. (NETWORK_ERROR)")
                return
            path = self.harm.rewrite(path)
        connection = HTTPConnection(*self._target, timeout=TIMEOUT_SECONDS)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        connection.request(request.command, path, body, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if insert is not None:
            self.harm.after(insert)
        answer(request, response.status, response.getheaders(), content)
        if insert is not None:
            self.answered += 1
            self.harm.answered(insert)

    def _insert(self, path: str, body: bytes) -> Insert | None:
        token = parse_qs(urlsplit(path).query).get("insert_deduplication_token", [""])[0]
        if not token:
            return None
        with self._lock:
            self.inserts += 1
            self.tokens.append(token)
            table = body[:80].split(b" ")[2].decode("ascii", "replace")
            return Insert(token, table, self.inserts)
