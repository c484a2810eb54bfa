"""TLS in front of an HTTP server of the tests: ends it, and passes bytes on."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path

HOST = "127.0.0.1"


class TlsFront:
    """https at `url`, to the plain server on port `target`."""

    def __init__(self, target: int, certificate: Path) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server((HOST, 0))
        self.url = f"https://{HOST}:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            secured = self._context.wrap_socket(client, server_side=True)
            plain = socket.create_connection((HOST, self._target))
            self._sockets += [secured, plain]
            back = threading.Thread(target=_pass_on, args=(plain, secured), daemon=True)
            back.start()
            _pass_on(secured, plain)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
