"""Just enough of SQL's surface: where a statement's FORMAT clause is, where an INSERT's data begin.

What a statement means is the engine's to say (`classify`); this only finds words outside of
comments, quotes and brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

SCAN_BYTES = 64 * 1024  # an INSERT's own text ends long before

_TOKEN = re.compile(
    rb"""--[^\n]*|/\*.*?\*/|\#[ !][^\n]*
    |'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`
    |[A-Za-z_][A-Za-z0-9_]*|[()\[\]{}]|\s+|.""",
    re.VERBOSE | re.DOTALL,
)

_SETTING = re.compile(rb"\s+\w+\s*=")


class Word(Struct, frozen=True, gc=False):
    text: str  # upper case
    start: int
    end: int


class Insert(Struct, frozen=True, gc=False):
    """INSERT … FORMAT name, and its data."""

    statement: str  # without its FORMAT clause
    format: str
    data: bytes

    def reading(self, path: str) -> str:
        """The same INSERT, of the data in a file. A clause of settings stands behind its name."""
        sql = self.statement.encode()
        clauses = (word for word in words(sql) if word.text == "SETTINGS")
        at = next((word.start for word in clauses if _SETTING.match(sql, word.end)), len(sql))
        head, settings = sql[:at].decode(), sql[at:].decode()
        source = f"FROM INFILE {quote(path)} COMPRESSION 'none'"
        return f"{head}\n{source} {settings}\nFORMAT {self.format}"  # a comment may end either


def words(sql: bytes) -> Iterator[Word]:
    """The bare words at depth 0, in order."""
    depth = 0
    for token in _TOKEN.finditer(sql):
        text = token.group()
        first = text[:1]
        if first in b"([{":
            depth += 1
        elif first in b")]}":
            depth = max(0, depth - 1)
        elif depth == 0 and (first.isalpha() or first == b"_"):
            yield Word(text.decode("ascii").upper(), token.start(), token.end())


def as_insert(sql: bytes) -> Insert | None:
    """An INSERT with its data in a named format; None for any other statement."""
    seen = words(sql[:SCAN_BYTES])
    first = next(seen, None)
    if first is None or first.text != "INSERT":
        return None
    for word in seen:
        if word.text in ("SELECT", "VALUES", "INFILE", "WITH", "WATCH"):
            return None
        if word.text == "FORMAT":
            name = next(seen, None)
            if name is None:
                return None
            original = sql[name.start : name.end].decode("ascii")
            statement = sql[: word.start].decode("utf-8", "replace").rstrip()
            return Insert(statement, original, _data(sql, name.end))
    return None


def _data(sql: bytes, start: int) -> bytes:
    """Data begin behind the format's name: after spaces and one line end."""
    end = start
    while end < len(sql) and sql[end : end + 1] in (b" ", b"\t", b"\r"):
        end += 1
    if sql[end : end + 1] == b"\n":
        end += 1
    return sql[end:]


def output_format(sql: bytes) -> str | None:
    """The name in the statement's own FORMAT clause."""
    found = None
    seen = words(sql)
    for word in seen:
        if word.text == "FORMAT" and (name := next(seen, None)) is not None:
            found = sql[name.start : name.end].decode("ascii")
    return found


def without_literals(sql: str) -> str:
    """The statement with its string literals emptied; quoted identifiers stay."""
    return _QUOTED.sub(lambda found: found.group("name") or "''", sql)


# A quote within a quoted name opens no literal, so names are skipped as a whole.
_QUOTED = re.compile(
    r"""'(?:[^'\\]|\\.|'')*'|(?P<name>`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")""", re.DOTALL
)


def quote(text: str) -> str:
    """`text` as a SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
