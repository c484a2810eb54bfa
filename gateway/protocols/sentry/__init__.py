"""Sentry's envelope protocol, as its mobile, browser and server SDKs speak it."""

from gateway.protocols.sentry.protocol import SentryProtocol

__all__ = ["SentryProtocol"]
