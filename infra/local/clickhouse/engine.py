"""The engine: one folder, one process, a fresh connection per request.

A new connection costs a tenth of a millisecond, and so settings, role and database never leak
from one request into the next.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from msgspec import Struct

from infra.local.clickhouse import access
from infra.local.clickhouse.access import Role
from infra.local.clickhouse.errors import (
    ACCESS_DENIED,
    SYNTAX_ERROR,
    ClickHouseError,
    as_sent,
    from_engine,
    refuse,
)
from infra.local.clickhouse.native import WITH_MARKS, with_marks
from infra.local.clickhouse.query import Query
from infra.local.clickhouse.statements import Insert, as_insert, output_format, quote

READER_LIMITS = {
    "max_memory_usage": "1000000000",
    "max_threads": "2",
    "max_result_rows": "2000000",
    "max_result_bytes": "200000000",
    "result_overflow_mode": "'throw'",
}
READER_SECONDS = 30
WRITER_LIMITS = {"max_execution_time": "300"}
SERVER_DEFAULTS = {"implicit_select": "0", "allow_introspection_functions": "0"}


class Result(Struct, frozen=True, gc=False):
    """An answer, complete: an error never comes inside a 200."""

    body: bytes
    format: str | None  # None: the statement has no result set
    summary: dict[str, str]
    session_statement: str = ""  # a SET or USE that the session must repeat


class Engine:
    """Opens the folder; must be made once per process. Methods block: call them in threads."""

    def __init__(self, folder: Path, database: str, max_memory_bytes: int) -> None:
        self._temporary = folder / "tmp"
        self._chdb = _import_engine(self._temporary)
        config = _write_config(folder, database, max_memory_bytes)
        self._address = f"{folder / 'store'}?config-file={config}"
        self._errors = (RuntimeError, UnicodeDecodeError, self._chdb.ChdbError)
        self._keep_open = self._connect()
        self.database = database
        self._run(self._keep_open, f"CREATE DATABASE IF NOT EXISTS {database}")
        self.version = self._text("SELECT version()")

    def close(self) -> None:
        self._keep_open.close()

    def kill(self, tag: str) -> None:
        """Stop a query whose client has gone."""
        with self._connection() as connection, contextlib.suppress(ClickHouseError):
            comment = quote(tag)
            self._run(
                connection,
                f"KILL QUERY WHERE Settings['log_comment'] = {comment} ASYNC FORMAT Null",
            )

    def run(self, query: Query, role: Role, session: list[str]) -> Result:
        """Run one statement. `session` are the SET and USE statements to repeat first.

        Raises ClickHouseError.
        """
        insert = as_insert(query.text)
        statement = insert.statement if insert else query.text.decode("utf-8", "replace")
        with self._connection() as connection:
            kind = self._classify(connection, statement + ("\n VALUES" if insert else ""))
            self._check(statement, kind, role, is_insert=insert is not None)
            self._set(connection, {"log_comment": quote(query.tag)})
            self._run(connection, f"USE {_identifier(self.database)}")
            for earlier in session:
                self._run(connection, earlier)
            if query.database:
                self._run(connection, f"USE {_identifier(query.database)}")
            settings = dict(query.settings)
            self._restrict(connection, role, settings, read_only=query.read_only)
            self._set(connection, {name: quote(value) for name, value in settings.items()})
            if insert:
                return self._insert(connection, insert)
            return self._select(connection, query, statement, kind)

    def _select(self, connection: Any, query: Query, statement: str, kind: str) -> Result:
        name = output_format(query.text) or query.default_format
        found = self._run(connection, statement, name)
        summary = {
            "read_rows": str(found.storage_rows_read()),
            "read_bytes": str(found.storage_bytes_read()),
            "written_rows": str(found.rows_written()),
            "written_bytes": str(found.bytes_written()),
            "result_rows": str(found.rows_read()),
            "result_bytes": str(found.size()),
            "elapsed_ns": str(int(found.elapsed() * 1e9)),
        }
        body = found.bytes() or b""
        if name == "Native" and query.revision >= WITH_MARKS:
            body = with_marks(body)
        keeps = statement if kind == "CONTROL" else ""
        return Result(body, name if kind == "READ_ONLY" else None, summary, keeps)

    def _insert(self, connection: Any, insert: Insert) -> Result:
        """All of the data is one block, and so one part per partition.

        By way of a file: the library's stream of inserted bytes hides whatever goes wrong behind
        the parsing (too many parts, a view, a constraint), and data within the statement's text
        end for it at an empty line.
        """
        with NamedTemporaryFile(dir=self._temporary, prefix="insert-") as file:
            file.write(insert.data)
            file.flush()
            try:
                done = self._run(connection, insert.reading(file.name))
            except ClickHouseError as error:
                raise as_sent(error) from None
        summary = {
            "read_rows": "0",
            "written_rows": str(done.rows_written()),
            "written_bytes": str(done.bytes_written()),
            "elapsed_ns": str(int(done.elapsed() * 1e9)),
        }
        return Result(b"", None, summary)

    def _classify(self, connection: Any, statement: str) -> str:
        """READ_ONLY, MUTATING or CONTROL, by the engine's own parser.

        What it cannot parse is never handed on: the library's client knows more than SQL.
        """
        found = connection._conn.classify_query(statement)
        if found["statement_count"] == 0:
            self._explain(connection, statement)
        if found["statement_count"] > 1:
            raise refuse(SYNTAX_ERROR, "Syntax error: Multi-statements are not allowed")
        return str(found["query_class"]).rpartition(".")[2].partition(":")[0]

    def _explain(self, connection: Any, statement: str) -> None:
        """Let the engine word the syntax error, by parsing the statement as a string."""
        self._run(connection, f"SELECT formatQuery({quote(statement)}) FORMAT Null")
        raise refuse(SYNTAX_ERROR, "Syntax error: this is no statement")

    def _check(self, statement: str, kind: str, role: Role, *, is_insert: bool) -> None:
        if role == "reader" and (kind != "READ_ONLY" or is_insert):
            raise refuse(ACCESS_DENIED, "Readers may only read")
        if is_insert or (role == "writer" and kind == "READ_ONLY"):
            return
        normalised = self._text(f"SELECT formatQuerySingleLine({quote(statement)})")
        access.check_engine(normalised)
        if role == "reader":
            access.check_reader(normalised)

    def _restrict(
        self, connection: Any, role: Role, settings: dict[str, str], *, read_only: bool
    ) -> None:
        """A reader may choose no setting but a shorter time, which Go's driver always does."""
        if role == "reader":
            seconds = _shorter(settings.pop("max_execution_time", ""))
            self._set(connection, {**READER_LIMITS, "max_execution_time": seconds})
            self._run(connection, "SET ROLE reader")
            self._run(connection, "SET readonly = 1")
            return
        self._set(connection, WRITER_LIMITS)
        if read_only:
            self._run(connection, "SET readonly = 2")

    def _set(self, connection: Any, settings: Mapping[str, str]) -> None:
        for name, value in settings.items():
            self._run(connection, f"SET {name} = {value}")

    def _text(self, sql: str) -> str:
        with self._connection() as connection:
            body: bytes = self._run(connection, sql, "TSVRaw").bytes()
        return body.decode("utf-8", "replace").rstrip("\n")

    def _run(self, connection: Any, sql: str, name: str = "Null") -> Any:
        try:
            return connection.query(sql, name)
        except self._errors as error:
            raise from_engine(error) from None

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        connection = self._connect()
        try:
            self._set(connection, SERVER_DEFAULTS)
            yield connection
        finally:
            connection.close()

    def _connect(self) -> Any:
        return self._chdb.connect(self._address)


def _shorter(asked: str) -> str:
    """Seconds of a reader's query: what it asks for, where that is within the limit."""
    is_whole = asked.isascii() and asked.isdecimal() and len(asked) < 10
    return asked if is_whole and 0 < int(asked) <= READER_SECONDS else str(READER_SECONDS)


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _import_engine(temporary: Path) -> Any:
    """Importing the library opens an engine in a temporary folder; kill -9 would leave it behind,
    so that folder lies in ours and is emptied at each start. The zone comes from TZ alone."""
    for leftover in temporary.glob("*") if temporary.exists() else ():
        _remove(leftover)
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    os.environ["TZ"] = "UTC"
    import chdb

    return chdb


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for one in path.iterdir():
            _remove(one)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _write_config(folder: Path, database: str, max_memory_bytes: int) -> Path:
    users = folder / "users.xml"
    users.write_text(_USERS.format(database=database), encoding="utf-8")
    config = folder / "config.xml"
    config.write_text(
        _CONFIG.format(
            users=users,
            memory=max_memory_bytes,
            tmp=folder / "tmp",
            files=folder / "files",
        ),
        encoding="utf-8",
    )
    return config


_CONFIG = """<clickhouse>
  <users_config>{users}</users_config>
  <max_server_memory_usage>{memory}</max_server_memory_usage>
  <tmp_path>{tmp}/</tmp_path>
  <user_files_path>{files}/</user_files_path>
</clickhouse>
"""

# The one user has no grant of its own, only roles: so `SET ROLE reader` takes all others away.
_USERS = """<clickhouse>
  <profiles><default></default></profiles>
  <quotas><default></default></quotas>
  <roles>
    <writer><grants><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants></writer>
    <reader><grants><query>GRANT SHOW, SELECT ON {database}.*</query></grants></reader>
  </roles>
  <users><default>
    <password></password>
    <networks><ip>::/0</ip></networks>
    <profile>default</profile>
    <quota>default</quota>
    <grants><query>GRANT writer</query><query>GRANT reader</query></grants>
  </default></users>
</clickhouse>
"""
