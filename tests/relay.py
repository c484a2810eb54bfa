"""A TCP relay that counts who comes: bytes are passed on as they are, TLS or not."""

from __future__ import annotations

import contextlib
import socket
import threading

HOST = "127.0.0.1"


class Relay:
    """Forwards to `target`, a port, until it is closed; whom it does not answer is counted too."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((HOST, 0))
        self.address = f"{HOST}:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._sockets: set[socket.socket] = {self._listener}
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection; new ones are welcome."""
        self._end(self._sockets - {self._listener})

    def close(self) -> None:
        self._end(self._sockets)

    def _end(self, sockets: set[socket.socket]) -> None:
        for one in list(sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                try:
                    broker = socket.create_connection((HOST, self._target))
                except OSError:
                    client.close()
                    continue
                self._sockets |= {client, broker}
                for pair in ((client, broker), (broker, client)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
