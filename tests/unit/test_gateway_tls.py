"""The gateway's certificate: what stops it at its start, and what a change of files does."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.config import GatewayConfig
from gateway.contract.pem import PemError, RenewedContext, client_context, server_context
from gateway.edge.tls import tls_of
from gateway.metrics import Metrics
from gateway.options import check
from gateway.runtime import ConfigError
from tests.authority import Authority

CERT, KEY = "TELEMETRY_GATEWAY_TLS_CERT_PATH", "TELEMETRY_GATEWAY_TLS_KEY_PATH"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


class TestAtTheStart:
    def test_without_a_certificate_it_is_plain_http(self) -> None:
        assert tls_of(GatewayConfig()) is None

    @pytest.mark.parametrize(
        ("harm", "option", "text"),
        [
            ("no certificate file", CERT, "No such file"),
            ("no key file", KEY, "No such file"),
            ("garbage for a certificate", CERT, "no certificate in it"),
            ("garbage for a key", KEY, "no private key in it"),
            ("another key", KEY, "this is not the key of"),
            ("an encrypted key", KEY, "is encrypted"),
            ("a key alone", KEY, f"without {CERT}"),
        ],
    )
    def test_what_cannot_be_used_stops_it_and_the_option_is_named(
        self, tmp_path: Path, authority: Authority, harm: str, option: str, text: str
    ) -> None:
        certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
        authority.issue().write(certificate, key)
        if harm == "no certificate file":
            certificate.unlink()
        elif harm == "no key file":
            key.unlink()
        elif harm == "garbage for a certificate":
            certificate.write_text("garbage")
        elif harm == "garbage for a key":
            key.write_text("garbage")
        elif harm == "another key":
            key.write_bytes(authority.issue().key)
        elif harm == "an encrypted key":
            plain = load_pem_private_key(key.read_bytes(), None)
            how = (Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
            key.write_bytes(plain.private_bytes(*how))
        shown = "" if harm == "a key alone" else str(certificate)

        with pytest.raises(ConfigError, match=f"^{option}: .*{text}"):
            check(GatewayConfig(tls_cert_path=shown, tls_key_path=str(key)))

    def test_certificate_and_key_may_lie_in_one_file(
        self, tmp_path: Path, authority: Authority
    ) -> None:
        both = tmp_path / "tls.pem"
        authority.issue().write_both(both)

        assert tls_of(GatewayConfig(tls_cert_path=str(both))) is not None


class TestRenewal:
    def test_a_changed_pair_is_used_and_a_bad_one_changes_nothing(
        self, tmp_path: Path, authority: Authority
    ) -> None:
        certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
        first, second = authority.issue(), authority.issue()
        first.write(certificate, key)
        metrics = Metrics()
        context = tls_of(
            GatewayConfig(tls_cert_path=str(certificate), tls_key_path=str(key)), metrics
        )
        assert context is not None

        assert shown(context) == der(first.certificate)
        key.write_bytes(second.key)  # half of a renewal
        assert shown(context) == der(first.certificate)
        certificate.write_bytes(second.certificate)
        assert shown(context) == der(second.certificate)
        certificate.unlink()
        assert shown(context) == der(second.certificate)
        context.renew()

        counted = {
            outcome: metrics.tls_renewals.labels(outcome)._value.get()
            for outcome in ("renewed", "refused")
        }
        assert counted == {"renewed": 1, "refused": 2}

    def test_a_client_re_reads_whom_it_trusts_and_what_it_shows(
        self, tmp_path: Path, authority: Authority
    ) -> None:
        other = Authority(tmp_path / "other")
        trusted = tmp_path / "ca.pem"
        trusted.write_bytes(authority.ca_file.read_bytes())
        refusals: list[PemError | None] = []
        context = RenewedContext(
            ssl.PROTOCOL_TLS_CLIENT,
            lambda: client_context(str(trusted), "", ""),
            [str(trusted)],
            refusals.append,
        )
        theirs = tmp_path / "server.pem"
        other.issue().write_both(theirs)

        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(context, server_context(str(theirs), ""))
        trusted.write_text("garbage")
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(context, server_context(str(theirs), ""))
        trusted.write_bytes(other.ca_file.read_bytes())
        handshake(context, server_context(str(theirs), ""))

        assert [str(one).split(": ")[-1] for one in refusals] == ["no certificate in it", "None"]


def shown(context: ssl.SSLContext) -> bytes:
    """The certificate that a client is shown."""
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    return handshake(anybody, context)


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> bytes:
    """Between the two, in memory; the server's certificate."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname="localhost")
    theirs = server.wrap_bio(there, back, server_side=True)
    waiting = [ours, theirs]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not waiting
    return ours.getpeercert(binary_form=True) or b""


def der(chain: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(chain.decode())
