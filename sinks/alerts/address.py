"""Which addresses a webhook may lie at: public ones, so that no rule file reaches inside.

The check is of the very addresses that are dialled, so a name cannot change its mind in between.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_NAT64 = IPv6Network("64:ff9b::/96")


class Private(OSError):
    """The address is not a public one."""


def is_allowed(text: str, *, allow_loopback: bool) -> bool:
    """Whether an address may be called."""
    try:
        address = _inner(ip_address(text.partition("%")[0]))
    except ValueError:
        return False
    if address.is_loopback:
        return allow_loopback
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


class PublicResolver(AbstractResolver):
    """Resolves a name; a single private address among its answers refuses it."""

    def __init__(self, *, allow_loopback: bool, resolver: AbstractResolver | None = None) -> None:
        self._allow_loopback = allow_loopback
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for one in found:
            check(one["host"], allow_loopback=self._allow_loopback)
        return found

    async def close(self) -> None:
        await self._resolver.close()


def check(address: str, *, allow_loopback: bool) -> None:
    """Raises Private."""
    if not is_allowed(address, allow_loopback=allow_loopback):
        raise Private("its address is not a public one")


def literal(host: str) -> bool:
    """Whether a host is an address, which no resolver is asked about."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
