"""PostHog's capture API, as its mobile, web and server SDKs speak it."""

from gateway.protocols.posthog.protocol import PostHogProtocol

__all__ = ["PostHogProtocol"]
