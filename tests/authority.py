"""A certificate authority of the tests' own: certificates as PEM files, for servers and clients."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from msgspec import Struct


class Pair(Struct, frozen=True):
    """A certificate with its chain, and its key as PKCS #8, which Java reads as well."""

    certificate: bytes
    key: bytes

    def write(self, certificate: Path, key: Path) -> None:
        _replace(key, self.key)
        _replace(certificate, self.certificate)

    def write_both(self, path: Path) -> None:
        """Into one file."""
        _replace(path, self.key + self.certificate)


class Authority:
    """Vouches for whatever it issues, by the file `ca_file`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._ca = trustme.CA()
        self.ca_file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_file))

    def issue(self, *names: str, common_name: str | None = None) -> Pair:
        """For `names`, or for loopback."""
        issued = self._ca.issue_cert(
            *(names or ("127.0.0.1", "localhost")), common_name=common_name
        )
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        chain = b"".join(one.bytes() for one in issued.cert_chain_pems)
        return Pair(chain, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def trust(self) -> ssl.SSLContext:
        """A client's, who trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.ca_file))


def _replace(path: Path, content: bytes) -> None:
    """At once, as a renewal should."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.chmod(0o600)
    os.replace(new, path)
