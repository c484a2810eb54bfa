"""The channels of a rule file as they are called."""

from __future__ import annotations

import ssl

from gateway.runtime import ConfigError
from sinks.alerts.config import AlertsConfig
from sinks.alerts.delivery import Delivery
from sinks.alerts.mail import Mailer
from sinks.alerts.rules import Email, RuleBook
from sinks.alerts.webhook import Hook


def deliveries(config: AlertsConfig, book: RuleBook) -> dict[str, Delivery]:
    """By name. Raises ConfigError."""
    if config.smtp_security == "none" and config.smtp_user:
        raise ConfigError("TELEMETRY_ALERTS_SMTP_SECURITY: none takes no user and password")
    if "@" not in config.smtp_from or not config.smtp_from.isprintable():
        raise ConfigError("TELEMETRY_ALERTS_SMTP_FROM: must be a mail address")
    try:
        trust = ssl.create_default_context(cafile=config.ca_path or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"TELEMETRY_ALERTS_CA_PATH: {error}") from None
    return {
        name: Mailer(config, channel.to, trust)
        if isinstance(channel, Email)
        else Hook(config, channel, trust)
        for name, channel in book.channels.items()
    }
