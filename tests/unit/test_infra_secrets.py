"""Passwords of a new deployment: made once, and known to ClickHouse by their hash alone."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from hashlib import sha256
from pathlib import Path

from infra.secrets import ACCOUNTS, GENERATED, READER_PASSWORD, WRITER_PASSWORD, make


def test_every_secret_is_made_and_none_is_another(tmp_path: Path) -> None:
    made = make(tmp_path)

    assert made == [str(one) for one in GENERATED]
    values = [(tmp_path / one).read_text() for one in GENERATED]
    assert len(set(values)) == len(GENERATED)
    assert all(len(one) == 32 for one in values)


def test_what_is_there_stays(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / READER_PASSWORD).write_text("chosen by somebody")
    before = (tmp_path / WRITER_PASSWORD).read_text()

    assert make(tmp_path) == []
    assert (tmp_path / READER_PASSWORD).read_text() == "chosen by somebody"
    assert (tmp_path / WRITER_PASSWORD).read_text() == before


def test_clickhouse_s_accounts_are_of_these_passwords(tmp_path: Path) -> None:
    make(tmp_path)
    root = ET.parse(tmp_path / ACCOUNTS).getroot()  # noqa: S314  # our own file

    for account, file in (("telemetry", WRITER_PASSWORD), ("reader", READER_PASSWORD)):
        password = (tmp_path / file).read_text()
        said = root.findtext(f"users/{account}/password_sha256_hex")
        assert said == sha256(password.encode()).hexdigest()
        assert password not in (tmp_path / ACCOUNTS).read_text()
    default = root.find("users/default")
    assert default is not None
    assert default.get("remove") == "remove"
    assert root.findtext("users/reader/grants/query") == "GRANT SELECT ON telemetry.*"
    assert root.findtext("profiles/telemetry_reader/readonly") == "2"


def test_a_password_changed_by_hand_reaches_clickhouse(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / WRITER_PASSWORD).write_text("new")

    make(tmp_path)

    root = ET.parse(tmp_path / ACCOUNTS).getroot()  # noqa: S314  # our own file
    said = root.findtext("users/telemetry/password_sha256_hex")
    assert said == sha256(b"new").hexdigest()
