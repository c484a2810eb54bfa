"""HTTPS at the gateway itself, as clients and operators meet it. It runs without Kafka: what it
acknowledges lies in its spool."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.authority import Authority
from tests.builders import make_batch
from tests.kafka import wait_until
from tests.processes import KEY, GatewayProcess, add_key
from tests.raw_http import GOOD_HEAD, LIVEZ, connect, read_all, status_of

NOBODY = "127.0.0.1:1"
HEADERS = {"Authorization": f"Bearer {KEY}"}


class Secured:
    """A gateway with HTTPS, and the files of its certificate."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.authority = Authority(folder / "ca")
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self.renew(self.authority)
        add_key("demo", folder)
        self.process = GatewayProcess(
            NOBODY,
            folder,
            command=(
                *("gateway", "serve", "--tls-cert", str(self.certificate)),
                *("--tls-key", str(self.key), *arguments),
            ),
            head_timeout_seconds=1.0,
            spool_after_seconds=0.05,
            spool_min_free_bytes=0,
        )

    @property
    def port(self) -> int:
        return self.process.port

    def renew(self, authority: Authority) -> None:
        authority.issue().write(self.certificate, self.key)

    def client(self, authority: Authority) -> httpx2.Client:
        return httpx2.Client(base_url=self.process.url, verify=authority.trust(), headers=HEADERS)

    def raw(self) -> ssl.SSLSocket:
        return self.authority.trust().wrap_socket(connect(self.port), server_hostname="localhost")

    def is_trusted_by(self, authority: Authority) -> bool:
        """On a new connection."""
        try:
            with self.client(authority) as client:
                return client.get("/livez").status_code == 200
        except httpx2.ConnectError:
            return False

    def renewals(self, authority: Authority, outcome: str) -> int:
        """As all processes count them."""
        with self.client(authority) as client:
            lines = client.get("/metrics").text.splitlines()
        name = "telemetry_gateway_tls_renewals_total"
        found = [one for one in lines if one.startswith(name) and f'outcome="{outcome}"' in one]
        return sum(int(float(one.split()[-1])) for one in found)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    secured = Secured(tmp_path_factory.mktemp("gateway"))
    yield secured
    assert secured.process.stop() == 0


def test_events_are_taken_over_https_on_one_connection(gateway: Secured) -> None:
    with gateway.client(gateway.authority) as client:
        answers = [client.post("/v1/events", json=make_batch()) for _ in range(3)]
        ports = {one.extensions["network_stream"].get_extra_info("client_addr") for one in answers}

    assert [one.status_code for one in answers] == [200] * 3
    assert {one.json()["stored"] for one in answers} == {"spool"}
    assert len(ports) == 1
    assert gateway.process.url.startswith("https://")


@pytest.mark.parametrize(
    ("version", "is_good"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_begins_at_1_2(gateway: Secured, version: ssl.TLSVersion, is_good: bool) -> None:
    trust = gateway.authority.trust()
    trust.set_ciphers("DEFAULT:@SECLEVEL=0")
    trust.minimum_version = trust.maximum_version = version

    try:
        with trust.wrap_socket(connect(gateway.port), server_hostname="localhost") as client:
            spoken = client.version()
    except (ssl.SSLError, ConnectionError):
        spoken = None

    assert (spoken is not None) is is_good


def test_whoever_says_nothing_or_not_tls_is_let_go_and_harms_nobody(gateway: Secured) -> None:
    with (
        gateway.raw() as neighbour,
        connect(gateway.port) as silent,
        connect(gateway.port) as slow,
        connect(gateway.port) as plain,
    ):
        slow.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a handshake
        plain.sendall(LIVEZ)

        assert b"HTTP" not in read_all(plain)
        assert read_all(silent) == b""
        assert read_all(slow) == b""
        neighbour.sendall(LIVEZ)
        assert status_of(neighbour.recv(65536)) == 200


def test_a_head_that_does_not_come_is_cut(gateway: Secured) -> None:
    with gateway.raw() as client:
        client.sendall(b"POST /v1/ev")

        assert status_of(read_all(client)) == 408


def test_who_is_refused_in_the_middle_of_a_body_reads_why(gateway: Secured) -> None:
    with gateway.raw() as client:
        client.sendall(GOOD_HEAD.encode() + b"Content-Length: 9000000\r\n\r\n")
        sent = 0
        try:
            while sent < 600_000:
                client.sendall(bytes(20_000))
                sent += 20_000
        except OSError:
            pass

        assert status_of(read_all(client)) == 413


def test_a_new_certificate_is_shown_to_who_comes_later(gateway: Secured, tmp_path: Path) -> None:
    later = Authority(tmp_path / "later")
    with gateway.client(gateway.authority) as before:
        address = _address_of(before.get("/livez"))
        gateway.renew(later)
        wait_until(lambda: gateway.is_trusted_by(later), what="the new certificate")
        answer = before.post("/v1/events", json=make_batch())

        assert answer.status_code == 200
        assert _address_of(answer) == address
    assert not gateway.is_trusted_by(gateway.authority)

    gateway.key.write_text("not a key")
    wait_until(lambda: gateway.renewals(later, "refused") == 1, what="the refusal")
    assert gateway.is_trusted_by(later)
    assert "not a key" not in gateway.process.log_file.read_text()

    gateway.renew(gateway.authority)
    wait_until(lambda: gateway.is_trusted_by(gateway.authority), what="the certificate")


def _address_of(answer: httpx2.Response) -> object:
    return answer.extensions["network_stream"].get_extra_info("client_addr")


def test_all_workers_show_the_new_certificate(tmp_path: Path) -> None:
    gateway = Secured(tmp_path, "--workers", "2")
    later = Authority(tmp_path / "later")
    try:
        with gateway.client(gateway.authority) as client:
            assert client.post("/v1/events", json=make_batch()).status_code == 200
        gateway.renew(later)
        wait_until(
            lambda: (
                all(gateway.is_trusted_by(later) for _ in range(8))
                and gateway.renewals(later, "renewed") == 2
            ),
            what="the new certificate of both workers",
        )
    finally:
        assert gateway.process.stop() == 0


def test_a_listener_of_bad_files_says_so_and_ends(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended with 2"):
        GatewayProcess(NOBODY, tmp_path, tls_cert_path=tmp_path / "none.pem")

    said = (tmp_path / "gateway.log").read_text()
    assert "TELEMETRY_GATEWAY_TLS_CERT_PATH" in said
    assert len(said.splitlines()) == 1
