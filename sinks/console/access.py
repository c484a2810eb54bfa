"""The console's door: who comes in, which app they see, what every answer forbids a browser.

A token comes by `Authorization: Bearer` or by the cookie that the login form sets. While there
never was a token, the console serves anybody, on loopback and under a loopback name only.
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import parse_qs, quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sinks.console.config import is_loopback
from sinks.console.tokens import ALL_APPS, TokenError, TokenStore

log = logging.getLogger(__name__)

COOKIE = "console_token"
COOKIE_SECONDS = 12 * 3600
OPEN_PATHS = ("/login", "/livez", "/static/")
PROXIED = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
)
MAX_FORM_BYTES = 4096
FORM_SECONDS = 5.0
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' {styles}; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
LOOPBACK_ONLY = "The console without tokens serves this machine only."
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Door:
    """ASGI in front of the pages; `scope["state"]["app"]` is the reader's app, None: any."""

    def __init__(
        self, app: ASGIApp, tokens: TokenStore, styles: Sequence[str], *, secure_cookie: bool
    ) -> None:
        """`styles` are the only inline ones that a browser may take."""
        allowed = " ".join(f"'sha256-{_hash(one)}'" for one in styles)
        self._headers = {**HEADERS, "Content-Security-Policy": POLICY.format(styles=allowed)}
        self._app = app
        self._tokens = tokens
        self._secure = secure_cookie
        self._is_open = not tokens.known()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refuse(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refuse(self, scope: Scope) -> Response | None:
        """What to answer to who may not come in; else None, and the reader's app is known."""
        headers = Headers(scope=scope)
        state = scope.setdefault("state", {})
        state["app"], state["is_open"] = None, False
        if self.is_open():
            # A page elsewhere may give its own name our address, and read what we answer to it.
            if not is_loopback(_host_of(headers.get("host", ""))):
                return PlainTextResponse(LOOPBACK_ONLY, 403)
            # A proxy on this machine brings requests from elsewhere, under a loopback name.
            if any(name in headers for name in PROXIED):
                return PlainTextResponse(f"{LOOPBACK_ONLY} A proxy brought this request.", 403)
            state["is_open"] = True
            return None
        path = scope["path"]
        if path.startswith(OPEN_PATHS):
            return None
        request = Request(scope)
        app = self.app_of(token_of(request))
        if app is None:
            if scope["method"] != "GET" or "text/html" not in headers.get("accept", ""):
                return PlainTextResponse(
                    "A token is needed: Authorization: Bearer …",
                    401,
                    {"WWW-Authenticate": "Bearer"},
                )
            here = path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?next={quote(here, safe='')}", 303)
        state["app"] = None if app == ALL_APPS else app
        return None

    def is_open(self) -> bool:
        """Never again once there was a token, whatever becomes of the file."""
        if self._is_open and self._known():
            self._is_open = False
        return self._is_open

    def app_of(self, token: str) -> str | None:
        self._known()
        return self._tokens.app_of(token) if token else None

    def _known(self) -> int:
        try:
            return len(self._tokens.known())
        except TokenError as error:
            log.warning("tokens_unreadable error=%s", error)  # those that were known stay known
            return 1

    async def sign_in(self, request: Request) -> Response | None:
        """The answer to a login form with a good token; None for any other."""
        if not same_origin(request):
            return None
        body = b""
        try:
            async with asyncio.timeout(FORM_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > MAX_FORM_BYTES:
                        return None
        except (TimeoutError, ClientDisconnect):
            return None
        form = parse_qs(body.decode("utf-8", "replace"))
        token = form.get("token", [""])[0].strip()
        if self.app_of(token) is None:
            return None
        answer = RedirectResponse(own_path(form.get("next", ["/"])[0]), 303)
        answer.set_cookie(
            COOKIE, token, COOKIE_SECONDS, httponly=True, samesite="lax", secure=self._secure
        )
        return answer

    def sign_out(self, request: Request) -> Response:
        answer = RedirectResponse("/login", 303)
        if same_origin(request):
            answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=self._secure)
        return answer


def _host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


def token_of(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return request.cookies.get(COOKIE, "")


def same_origin(request: Request) -> bool:
    """Whether a form was sent from our own page; clients that are no browsers say nothing."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


def own_path(path: str) -> str:
    """`path` if it is one of this console; a link into the login must not lead elsewhere."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_own else "/"
