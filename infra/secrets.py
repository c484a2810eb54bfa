"""What a new deployment needs to know and nobody else: made once, as files, a folder per reader.

ClickHouse gets its two accounts as configuration, with the hashes of the passwords alone.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from pathlib import Path

from gateway.contract.whole_file import replace

WRITER, READER = "telemetry", "reader"  # ClickHouse's accounts
WRITER_PASSWORD = Path("writer") / "clickhouse-password"
READER_PASSWORD = Path("reader") / "clickhouse-password"
ACCOUNTS = Path("clickhouse") / "telemetry.xml"  # for ClickHouse's users.d
GENERATED = (
    WRITER_PASSWORD,
    READER_PASSWORD,
    Path("grafana") / "admin-password",
    Path("people") / "write-key",
    Path("people") / "console-token",
)
# Each reader has a uid of its own and mounts its own folder alone: the folder is the protection.
MODE = 0o644


def make(folder: Path) -> list[str]:
    """Make what is missing in `folder`; the names of the secrets made now. What is there stays."""
    made = []
    for name in GENERATED:
        path = folder / name
        if not path.exists():
            # Letters and digits alone: Sentry's SDKs take nothing else as a write key.
            _write(path, secrets.token_hex(16))
            made.append(str(name))
    passwords = [(folder / name).read_text("utf-8") for name in (WRITER_PASSWORD, READER_PASSWORD)]
    _write(folder / ACCOUNTS, clickhouse_accounts(*passwords))
    return made


def clickhouse_accounts(writer_password: str, reader_password: str) -> str:
    """ClickHouse's accounts: the writer, who may all but manage accounts, and the reader.

    The reader may set limits of its own queries (readonly 2): console and Grafana send them. The
    server's own account `default`, which has no password, is taken away.
    """
    reads = "<grants><query>GRANT SELECT ON telemetry.*</query></grants>"
    return f"""<clickhouse>
  <profiles>
    <telemetry_reader><readonly>2</readonly></telemetry_reader>
  </profiles>
  <users>
    <default remove="remove"/>
    <{WRITER}>{_access(writer_password, "default")}</{WRITER}>
    <{READER}>{_access(reader_password, "telemetry_reader")}{reads}</{READER}>
  </users>
</clickhouse>
"""


def _access(password: str, profile: str) -> str:
    hashed = sha256(password.encode()).hexdigest()
    return (
        f"<password_sha256_hex>{hashed}</password_sha256_hex>"
        f"<networks><ip>::/0</ip></networks><profile>{profile}</profile><quota>default</quota>"
    )


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, content.encode(), MODE)
