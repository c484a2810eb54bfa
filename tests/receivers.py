"""What takes alerts in tests: a real mail server and a real HTTPS server, with their own CA."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import trustme
from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "alerts", "mail-password"


class Authority:
    """A CA that vouches for servers on this machine."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self.path = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.path))

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        return context


class MailServer:
    """Keeps what it is sent. `answer` is what it says to a mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.tries = 0
        self.answer = "250 kept"
        self.port = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.tries += 1
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.mails.append(message)
            self.recipients.append(list(envelope.rcpt_tos))
        return self.answer

    def subjects(self, *places: str) -> list[str]:
        """Of the mails about these apps."""
        found = [str(one["Subject"]) for one in self.mails]
        return [one for one in found if any(f"[{place} " in one for place in places)]

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        right = LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=data == right, handled=False)


@asynccontextmanager
async def mail_server(authority: Authority) -> AsyncIterator[MailServer]:
    """It takes mails after STARTTLS and a login only."""
    under_test = MailServer()
    context = authority.server_context()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(
            under_test,
            hostname="localhost",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=under_test.authenticate,
            loop=loop,
        ),
        "127.0.0.1",
        0,
    )
    under_test.port = server.sockets[0].getsockname()[1]
    try:
        yield under_test
    finally:
        server.close()


class HookServer:
    """Keeps the POSTs it takes. `status` is what it answers."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.tries = 0
        self.status = 204
        self.port = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.tries += 1
        body = await request.read()
        if self.status < 300:
            self.posts.append((dict(request.headers), body))
        headers = {"Location": str(request.url)} if self.status == 307 else None
        return web.Response(status=self.status, headers=headers)


@asynccontextmanager
async def hook_server(authority: Authority) -> AsyncIterator[HookServer]:
    under_test = HookServer()
    app = web.Application()
    app.router.add_post("/hook", under_test.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context())
    await site.start()
    under_test.port = runner.addresses[0][1]
    try:
        yield under_test
    finally:
        await runner.cleanup()
