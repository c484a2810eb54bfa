"""The numbered schema files that this package ships."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib.resources import files

from msgspec import Struct

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


class SchemaError(Exception):
    """The schema cannot be applied. The text names the file and the reason."""


class Migration(Struct, frozen=True):
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All schema files in their order. Raises SchemaError on a gap or an odd name."""
    folder = files("sinks.clickhouse") / "schema"
    found = sorted(one.name for one in folder.iterdir() if one.name.endswith(".sql"))
    return ordered({name: (folder / name).read_text(encoding="utf-8") for name in found})


def ordered(texts: dict[str, str]) -> list[Migration]:
    """The files of `texts`, numbered from 0001 without a gap."""
    for number, name in enumerate(sorted(texts), start=1):
        match = _NAME.fullmatch(name)
        if match is None or int(match.group(1)) != number:
            raise SchemaError(f"{name} is not the schema file number {number:04d}")
    return [Migration(name, texts[name]) for name in sorted(texts)]


def statements(sql: str) -> list[str]:
    """The statements of a file: each ends with a semicolon at a line's end."""
    code = "\n".join(line.split("--")[0].rstrip() for line in sql.splitlines())
    parts = re.split(r";[ \t]*(?:\n|$)", code)
    return [part.strip() for part in parts if part.strip()]
