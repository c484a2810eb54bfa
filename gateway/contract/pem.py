"""TLS from PEM files that may change while a process runs: checked, then used for new connections.

Certificates are renewed by others (an agent, a volume of secrets). Connections that live go on with
what they began with; whoever comes later meets what the files hold by then.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from gateway.contract.whole_file import Stamp, stamp_of

OTHER_NAMES = (62, 64)  # OpenSSL's: a certificate is for another host, for another address

State = tuple[Stamp | None, ...]


class PemError(Exception):
    """A file cannot be used. `path` is the file, the text says why."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path = path


class RenewedContext(ssl.SSLContext):
    """A context that makes each connection by what `files` hold: `build` is called again when
    they have changed. What it refuses changes nothing. `on_change` hears of each change: why it was
    refused, or None.

    Event loops make connections by `wrap_bio` alone, so that is where the newest one comes in.
    """

    def __new__(cls, protocol: int, *_: Any, **__: Any) -> RenewedContext:
        return super().__new__(cls, protocol)

    def __init__(
        self,
        _: int,
        build: Callable[[], ssl.SSLContext],
        files: Sequence[str],
        on_change: Callable[[PemError | None], None],
    ) -> None:
        self._build = build
        self._files = [one for one in files if one]
        self._on_change = on_change
        self._known = self._state()
        self._current = build()

    def renew(self) -> None:
        """Look at the files, and use what they hold from now on."""
        state = self._state()
        if state == self._known:
            return
        self._known = state  # what is refused is not tried again until it changes
        try:
            self._current = self._build()
        except PemError as error:
            self._on_change(error)
        else:
            self._on_change(None)

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        self.renew()
        return self._current.wrap_bio(*arguments, **named)

    def _state(self) -> State:
        return tuple(_state_of(path) for path in self._files)


def _state_of(path: str) -> Stamp | None:
    try:
        return stamp_of(Path(path))
    except OSError:
        return None


def client_context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """Verifies its peer by the PEM `ca` (empty: the system's), and shows `certificate`, if any.

    Raises PemError.
    """
    if ca:
        _read(ca)
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except ssl.SSLError:
        raise PemError(ca, "no certificate in it") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        load_pair(context, certificate, key)
    return context


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    """Shows `certificate`; TLS 1.2 and later. Raises PemError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    load_pair(context, certificate, key)
    return context


def load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """`key` may be empty: then it lies in the certificate's file. Raises PemError."""
    key = key or certificate
    for path in (certificate, key):
        _read(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
    except ssl.SSLError:
        raise PemError(certificate, "no certificate in it") from None
    try:
        context.load_cert_chain(certificate, key, _no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise PemError(key, f"this is not the key of {certificate}") from None
        raise PemError(key, "no private key in it") from None


def _no_password() -> NoReturn:
    """Asked for a key that is encrypted; without it OpenSSL would ask the terminal."""
    raise PemError("the private key", "is encrypted; give one that is not, in a file of mode 600")


def _read(path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise PemError(path, error.strerror or str(error)) from None
