"""Free ports on loopback, and those that a broker has."""

from __future__ import annotations

import socket

from msgspec import Struct

HOST = "127.0.0.1"


class BrokerPorts(Struct, frozen=True, kw_only=True):
    """Where one broker listens: for clients, and as its cluster's controller."""

    port: int
    controller_port: int


def free_ports(count: int) -> list[int]:
    """`count` different ports that are free right now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def is_free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
