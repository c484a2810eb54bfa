"""Options from the environment: wrong ones stop the process and are named."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Annotated

import pytest
from msgspec import Meta, Struct

from gateway.runtime import ConfigError, load_config, options_of, setup_logging, shown

PREFIXES = {"TELEMETRY_TEST_": "", "TELEMETRY_KAFKA_": "kafka_"}


class Options(Struct, frozen=True, kw_only=True):
    port: Annotated[int, Meta(ge=0, le=65535)] = 1
    ratio: float = 0.5
    secret: str = ""
    kafka_bootstrap: str = "here"


def load(**environ: str) -> Options:
    return load_config(Options, PREFIXES, environ)


class TestLoad:
    def test_what_is_not_set_has_its_default(self) -> None:
        assert load() == Options()

    def test_what_is_set_is_read_as_its_type(self) -> None:
        loaded = load(
            TELEMETRY_TEST_PORT="80", TELEMETRY_TEST_RATIO="2", TELEMETRY_KAFKA_BOOTSTRAP="there"
        )

        assert loaded == Options(port=80, ratio=2.0, kafka_bootstrap="there")

    @pytest.mark.parametrize("value", ["70000", "-1", "eighty", "", "1.5"])
    def test_a_value_out_of_range_is_named_with_its_limit(self, value: str) -> None:
        with pytest.raises(ConfigError, match=r"^TELEMETRY_TEST_PORT: "):
            load(TELEMETRY_TEST_PORT=value)

    def test_a_mistyped_option_is_an_error_with_a_hint(self) -> None:
        with pytest.raises(ConfigError, match="did you mean TELEMETRY_TEST_PORT"):
            load(TELEMETRY_TEST_PROT="80")

    def test_a_shared_option_that_others_read_is_left_alone(self) -> None:
        assert load(TELEMETRY_KAFKA_SOMETHING="x") == Options()

    def test_a_secret_comes_from_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text("s3cret\n")

        assert load(TELEMETRY_TEST_SECRET_FILE=str(file)).secret == "s3cret"

    def test_a_secret_s_file_that_is_not_there_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r"^TELEMETRY_TEST_SECRET_FILE: cannot read /nowhere"):
            load(TELEMETRY_TEST_SECRET_FILE="/nowhere")


@pytest.mark.parametrize(
    ("module", "command", "variable", "value"),
    [
        ("gateway", "serve", "TELEMETRY_GATEWAY_PORT", "70000"),
        ("gateway", "config", "TELEMETRY_GATEWAY_PROT", "80"),
        ("sinks", "run", "TELEMETRY_SINK_CHUNK_ROWS", "0"),
        ("sinks", "migrate", "TELEMETRY_CLICKHOUSE_PASSWORD_FILE", "/nowhere"),
        ("infra", "provision", "TELEMETRY_KAFKA_PARTITIONS", "none"),
        ("gateway", "serve", "TELEMETRY_KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("infra", "provision", "TELEMETRY_KAFKA_SASL_MECHANISM", "MD5"),
        ("loadtest", "run", "TELEMETRY_LOADTEST_APPP", "x"),
    ],
)
def test_a_process_with_a_wrong_option_ends_at_once_and_names_it(
    module: str, command: str, variable: str, value: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, command],
        env={**os.environ, variable: value},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert variable in line


@pytest.mark.parametrize("module", ["gateway", "sinks"])
def test_no_command_shows_a_password(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "config"],
        env={
            **os.environ,
            "TELEMETRY_CLICKHOUSE_PASSWORD": "s3cret-canary",
            "TELEMETRY_KAFKA_SASL_PASSWORD": "s3cret-canary",
            "COLUMNS": "200",
        },
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert "TELEMETRY_" in done.stdout
    assert "s3cret-canary" not in done.stdout + done.stderr


@contextmanager
def logged(form: str = "json") -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with redirect_stderr(io.StringIO()) as text:
        setup_logging("info", form)
        yield text
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\x1b[31m", "\u2028", '"}', "{}"])
def test_a_log_line_is_one_json_object_whatever_it_says(text: str) -> None:
    with logged() as output:
        logging.getLogger("gateway.test").warning("client said %s", text)

    (line,) = output.getvalue().splitlines()
    assert line.isascii()
    assert json.loads(line)["event"] == f"client said {text}"


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\x1b[31m", "\u2028"])
def test_nor_can_text_for_people_be_forged(text: str) -> None:
    with logged("text") as output:
        logging.getLogger("gateway.test").warning("client said %s", text)

    (line,) = output.getvalue().splitlines()
    assert line.endswith(f"Z WARNING gateway.test: client said {text!r}".replace("'", ""))


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_error_names_its_request_and_where_it_happened(form: str) -> None:
    with logged(form) as output:
        try:
            int("a bug")
        except ValueError:
            logging.getLogger("gateway.test").exception("it broke", extra={"request_id": "r-1"})

    if form == "json":
        line = json.loads(output.getvalue())
        assert (line["event"], line["request_id"]) == ("it broke", "r-1")
        assert "ValueError: invalid literal" in line["error"]
    else:
        first, *others = output.getvalue().splitlines()
        assert first.endswith("gateway.test: it broke (request r-1)")
        assert others[-1].startswith("    ValueError: invalid literal")


class Remote(Struct, frozen=True, kw_only=True):
    url: Annotated[str, Meta(description="an address")] = ""
    password: Annotated[str, Meta(description="or …_FILE")] = ""
    write_key: Annotated[str, Meta(description="or …_FILE")] = ""
    key_path: Annotated[str, Meta(description="a file")] = ""


def test_no_secret_is_shown_wherever_it_stands() -> None:
    config = Remote(
        url="https://me:s3cret@h:8443/x", password="s3cret", write_key="s3cret", key_path="/k.pem"
    )

    said = {one.field: shown(config, one) for one in options_of(Remote, {"REMOTE_": ""})}

    assert said == {
        "url": "https://(set)@h:8443/x",
        "password": "(set)",
        "write_key": "(set)",
        "key_path": "/k.pem",
    }
