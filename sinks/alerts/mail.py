"""An alert as a mail, and the mail server that takes it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from importlib.resources import files

import aiosmtplib
from jinja2 import Environment

from sinks.alerts.alert import Alert
from sinks.alerts.config import AlertsConfig
from sinks.alerts.delivery import Failed, Refused

log = logging.getLogger(__name__)

_html = Environment(autoescape=True, trim_blocks=True).from_string(
    (files("sinks.alerts") / "mail.html.j2").read_text(encoding="utf-8")
)


def html_of(alert: Alert, console_url: str) -> str:
    return _html.render(
        alert=alert,
        place=" ".join(one for one in (alert.finding.app, alert.finding.release) if one),
        link=alert.link(console_url),
        at=_at(alert).strftime("%Y-%m-%d %H:%M UTC"),
    )


def text_of(alert: Alert, console_url: str) -> str:
    """The same for those who read text."""
    lines = [alert.subject, ""]
    lines += [f"{name}: {value}" for name, value in alert.finding.facts]
    if alert.finding.frames:
        lines += ["", *(f"    {one}" for one in alert.finding.frames)]
    if alert.held:
        lines += ["", f"{alert.held} more since the last alert of this rule:"]
        lines += [f"  - {one}" for one in alert.held_titles]
    link = alert.link(console_url)
    lines += ["", *([link, ""] if link else []), f"Rule {alert.rule} ({alert.kind})"]
    return "\n".join(lines) + "\n"


def message_of(alert: Alert, sender: str, to: list[str], console_url: str) -> EmailMessage:
    """The same id each time, so that a mail that is sent twice can be told to be one."""
    message = EmailMessage()
    message["Subject"] = alert.subject
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Date"] = format_datetime(_at(alert))
    message["Message-ID"] = f"<{alert.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text_of(alert, console_url))
    message.add_alternative(html_of(alert, console_url), subtype="html")
    return message


def _at(alert: Alert) -> datetime:
    return datetime.fromtimestamp(alert.at_ms / 1000, UTC)


class Mailer:
    """Sends to the recipients of one channel."""

    def __init__(self, config: AlertsConfig, to: list[str], trust: ssl.SSLContext) -> None:
        self._config = config
        self._to = to
        self._trust = trust

    async def deliver(self, alert: Alert) -> None:
        """Raises Failed, Refused."""
        config = self._config
        message = message_of(alert, config.smtp_from, self._to, config.console_url)
        try:
            async with asyncio.timeout(config.smtp_timeout_seconds):
                refused, _ = await aiosmtplib.send(
                    message,
                    sender=config.smtp_from,
                    recipients=self._to,
                    hostname=config.smtp_host,
                    port=config.smtp_port,
                    username=config.smtp_user or None,
                    password=config.smtp_password or None,
                    use_tls=config.smtp_security == "tls",
                    start_tls=config.smtp_security == "starttls",
                    tls_context=self._trust,
                    timeout=config.smtp_timeout_seconds,
                )
        except aiosmtplib.SMTPAuthenticationError:
            raise Failed("the mail server does not take our user and password") from None
        except aiosmtplib.SMTPDataError as error:
            outcome = Refused if error.code >= 500 else Failed
            raise outcome(f"the mail server does not take this mail ({error.code})") from None
        except aiosmtplib.SMTPResponseException as error:
            raise Failed(f"the mail server says no ({error.code})") from None
        except aiosmtplib.SMTPRecipientsRefused:
            raise Failed("the mail server takes no recipient") from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise Failed(f"mail server: {type(error).__name__}") from None
        if refused:
            log.error("%d of %d recipients are refused for good", len(refused), len(self._to))
