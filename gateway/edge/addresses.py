"""Whom a request comes from: its peer, or what a peer that is trusted says of it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from gateway.protocols.protocol import Head
from gateway.runtime import ConfigError

OPTION = "TELEMETRY_GATEWAY_TRUSTED_PROXIES"
MAX_HOPS = 10  # of X-Forwarded-For, from its end, that are looked at


class Addresses:
    """Names of callers. One subscriber has a /64 of IPv6 to itself, so that is the name."""

    def __init__(self, trusted_proxies: str) -> None:
        """`trusted_proxies`: addresses or networks, comma-separated. Raises ConfigError."""
        texts = [one.strip() for one in trusted_proxies.split(",") if one.strip()]
        try:
            self._trusted: list[IPv4Network | IPv6Network] = [ip_network(one) for one in texts]
        except ValueError as error:
            raise ConfigError(f"{OPTION}: {error}") from None

    def name_of(self, head: Head) -> str:
        """The nearest hop that is not one of ours. What that hop says of others proves nothing."""
        nearest = _parse(head.peer)
        if nearest is not None and self._is_trusted(nearest):
            hops = head.header(b"x-forwarded-for").rsplit(",", MAX_HOPS)[-MAX_HOPS:]
            for text in reversed(hops):
                hop = _parse(text)
                if hop is None:
                    break
                nearest = hop
                if not self._is_trusted(hop):
                    break
        if nearest is None:
            return "unknown"
        if isinstance(nearest, IPv6Address):
            return str(IPv6Network((nearest, 64), strict=False))
        return str(nearest)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in one for one in self._trusted)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """An address, with or without a port, as balancers write it."""
    text = text.strip().partition("%")[0]  # a zone is of this machine alone
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
