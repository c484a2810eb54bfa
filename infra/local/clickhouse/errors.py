"""ClickHouse's errors as its HTTP interface words them: a text with the code, and a status."""

from __future__ import annotations

import re

_BY_FILE = re.compile(
    r"Code: \d+\. DB::Exception: |\(in file/uri [^)]*\): "
    r"|: While executing File: data for INSERT was parsed from file"
    r"| \(version [^)]*\)\. \(\w+\)$"
)
_CODE = re.compile(r"Code:\s*(\d+)\.\s*")
# A server's table: exceptionCodeToHTTPStatus.cpp.
_STATUS = {
    400: {
        6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376,
        427, 441, 675, 676,
    },
    401: {194},
    403: {192, 193, 497, 512, 516},
    404: {46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511},
    408: {159},
    411: {381},
    413: {229},
    415: {779},
    501: {48},
    503: {76, 209, 439},
}  # fmt: skip
_STATUS_OF = {code: status for status, codes in _STATUS.items() for code in codes}

SYNTAX_ERROR, NOT_IMPLEMENTED, ACCESS_DENIED, AUTHENTICATION_FAILED = 62, 48, 497, 516
SESSION_IS_LOCKED, TOO_LARGE, TOO_MANY_QUERIES, CANNOT_INFLATE = 373, 229, 202, 271
TIMEOUT_EXCEEDED, BAD_ARGUMENTS = 159, 36
_NAMES = {
    SYNTAX_ERROR: "SYNTAX_ERROR",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    ACCESS_DENIED: "ACCESS_DENIED",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
    SESSION_IS_LOCKED: "SESSION_IS_LOCKED",
    TOO_LARGE: "QUERY_IS_TOO_LARGE",
    TOO_MANY_QUERIES: "TOO_MANY_SIMULTANEOUS_QUERIES",
    CANNOT_INFLATE: "CANNOT_DECOMPRESS",
    TIMEOUT_EXCEEDED: "TIMEOUT_EXCEEDED",
    BAD_ARGUMENTS: "BAD_ARGUMENTS",
}


class ClickHouseError(Exception):
    """An error with ClickHouse's code; the text is what the engine, or a server, would say."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def status(self) -> int:
        """The HTTP status a server gives this code."""
        return _STATUS_OF.get(self.code, 500)

    def body(self, version: str) -> bytes:
        """The answer's text."""
        text = self.text if "(version " in self.text else f"{self.text} (version {version})"
        return f"Code: {self.code}. {text}\n".encode()


def refuse(code: int, text: str) -> ClickHouseError:
    """An error of this front itself, in the engine's words."""
    return ClickHouseError(code, f"DB::Exception: {text}. ({_NAMES[code]})")


def from_engine(error: Exception) -> ClickHouseError:
    """The engine's exception. Bytes of a bad row in its text may be no UTF-8."""
    cause: BaseException = error
    while cause.__context__ is not None and not isinstance(cause, UnicodeDecodeError):
        cause = cause.__context__
    if isinstance(cause, UnicodeDecodeError):
        text = cause.object.decode("utf-8", "replace")
    else:
        text = str(error)
    found = list(_CODE.finditer(text))
    if not found:
        return ClickHouseError(1002, f"DB::Exception: {text.strip()}. (UNKNOWN_EXCEPTION)")
    rest = text[found[0].end() :].strip()
    return ClickHouseError(int(found[0].group(1)), rest)


def as_sent(error: ClickHouseError) -> ClickHouseError:
    """The same, without what only tells that the engine read an INSERT's data from a file."""
    return ClickHouseError(error.code, _BY_FILE.sub("", error.text))
