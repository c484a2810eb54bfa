"""The numbered schema files that this package ships."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from itertools import pairwise

from msgspec import Struct

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
# A text in quotes (which may hold all of the rest), a comment, the end of a statement.
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|--[^\n]*|;[ \t]*(?=\n|$|--)", re.DOTALL)


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


def missing(files: Sequence[Migration], applied: Mapping[str, str]) -> list[Migration]:
    """The files still to apply; `applied` has the SHA-256 of the others by name.

    Raises SchemaError unless those applied are the first of `files`, unchanged.
    """
    unknown = applied.keys() - {one.name for one in files}
    if unknown:
        raise SchemaError(f"the database has {min(unknown)}, which this version does not know")
    for one, following in pairwise(files):
        if one.name not in applied and following.name in applied:
            raise SchemaError(f"{one.name} was never applied, but {following.name} was")
    for one in files:
        if applied.get(one.name, one.sha256) != one.sha256:
            raise SchemaError(f"{one.name} was changed after it had been applied")
    return [one for one in files if one.name not in applied]


def statements(sql: str) -> list[str]:
    """The statements of a file, without comments: each ends with a semicolon at a line's end."""
    parts = [""]
    position = 0
    for token in _TOKEN.finditer(sql):
        parts[-1] += sql[position : token.start()]
        position = token.end()
        if token[0].startswith("'"):
            parts[-1] += token[0]
        elif token[0].startswith(";"):
            parts.append("")
    parts[-1] += sql[position:]
    return [part.strip() for part in parts if part.strip()]
