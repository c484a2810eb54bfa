"""The samples of managed Kafkas: options that every process knows, and that fit together."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import PREFIXES, GatewayConfig
from gateway.contract.pem import RenewedContext
from gateway.runtime import load_config
from tests.authority import Authority

SAMPLES = sorted((Path(__file__).parents[2] / "infra" / "kafka").glob("*.env"))
WHAT = {
    "aiven": ("SSL", None),
    "amazon-msk": ("SASL_SSL", "SCRAM-SHA-512"),
    "confluent-cloud": ("SASL_SSL", "PLAIN"),
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: one.stem)
def test_a_sample_is_a_client_s_options(sample: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    authority.issue().write(tmp_path / "service.cert", tmp_path / "service.key")
    (tmp_path / "ca.pem").write_bytes(authority.ca_file.read_bytes())
    (tmp_path / "kafka-password").write_text("secret\n")
    text = sample.read_text().replace("/run/secrets", str(tmp_path))
    environment = dict(
        line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#")
    )

    config = load_config(GatewayConfig, PREFIXES, environment)
    security = config.client_security()

    assert isinstance(security["ssl_context"], RenewedContext)
    assert (security["security_protocol"], security.get("sasl_mechanism")) == WHAT[sample.stem]
    assert security.get("sasl_plain_password", "secret") == "secret"
    known = {
        f"TELEMETRY_KAFKA_{one.removeprefix('kafka_').upper()}" for one in config.__struct_fields__
    }
    assert {one.removesuffix("_FILE") for one in environment} <= known


def test_there_is_a_sample_of_each() -> None:
    assert {one.stem for one in SAMPLES} == WHAT.keys()
