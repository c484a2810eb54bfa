"""The native protocol: `POST /v1/events`."""

from gateway.protocols.native.protocol import NativeProtocol

__all__ = ["NativeProtocol"]
