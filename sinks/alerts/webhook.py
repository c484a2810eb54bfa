"""An alert as a signed POST, in the form of the Standard Webhooks specification.

`webhook-signature` is `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from urllib.parse import urlsplit

import aiohttp
import msgspec

from sinks.alerts.address import Private, PublicResolver, check, literal
from sinks.alerts.alert import Alert
from sinks.alerts.config import AlertsConfig
from sinks.alerts.delivery import Failed
from sinks.alerts.rules import Webhook


def body_of(alert: Alert, console_url: str) -> bytes:
    """The JSON that a webhook gets."""
    return msgspec.json.encode(
        {
            "id": alert.id,
            "rule": alert.rule,
            "kind": alert.kind,
            "app": alert.finding.app,
            "release": alert.finding.release,
            "title": alert.finding.title,
            "at": alert.at_ms,
            "crash_group": alert.finding.crash_group,
            "facts": dict(alert.finding.facts),
            "frames": alert.finding.frames,
            "held": alert.held,
            "held_titles": alert.held_titles,
            "link": alert.link(console_url),
        }
    )


def signed(secret: bytes, alert_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that let the receiver know the sender, the age, and a repetition."""
    content = f"{alert_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret, content, hashlib.sha256).digest()
    return {
        "webhook-id": alert_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        "Idempotency-Key": alert_id,
    }


class Hook:
    """Calls one webhook; a redirect is no yes, and no proxy of the environment is used."""

    def __init__(self, config: AlertsConfig, hook: Webhook, trust: ssl.SSLContext) -> None:
        self._config = config
        self._hook = hook
        self._trust = trust

    async def deliver(self, alert: Alert) -> None:
        """Raises Failed."""
        config = self._config
        body = body_of(alert, config.console_url)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "telemetry-alerts",
            **signed(self._hook.secret, alert.id, int(time.time()), body),
        }
        try:
            async with asyncio.timeout(config.webhook_timeout_seconds):
                status = await self._post(body, headers)
        except Private as error:
            raise Failed(f"webhook: {error}") from None
        except aiohttp.ClientConnectorError as error:
            cause = error.os_error
            said = str(cause) if isinstance(cause, Private) else type(cause).__name__
            raise Failed(f"webhook: {said}") from None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Failed(f"webhook: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise Failed(f"webhook: answered {status}")

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        allow_loopback = self._config.webhook_allow_loopback
        host = urlsplit(self._hook.url).hostname or ""
        if literal(host):
            check(host, allow_loopback=allow_loopback)
        connector = aiohttp.TCPConnector(
            ssl=self._trust,
            resolver=PublicResolver(allow_loopback=allow_loopback),
            use_dns_cache=False,
        )
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(
                self._hook.url, data=body, headers=headers, allow_redirects=False
            ) as answer,
        ):
            return answer.status
