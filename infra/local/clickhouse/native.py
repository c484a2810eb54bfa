"""The Native format as newer clients ask for it: with a head before each block, and a mark behind
each column's type. The engine's library writes neither, so they are put in between.

Columns have no length of their own in this format: what ends one is found by walking over it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from infra.local.clickhouse.errors import NOT_IMPLEMENTED, refuse

WITH_MARKS = 54454  # the protocol's version from which columns have the mark

_HEAD = bytes((1, 0, 2, 255, 255, 255, 255, 0))  # no overflow rows, no bucket
_PLAIN = b"\0"  # the mark of a column without a serialisation of its own
_FIXED = {
    **dict.fromkeys(("Int8", "UInt8", "Bool", "Enum8", "Nothing"), 1),
    **dict.fromkeys(("Int16", "UInt16", "Enum16", "Date", "BFloat16"), 2),
    **dict.fromkeys(("Int32", "UInt32", "Float32", "DateTime", "Date32", "IPv4", "Decimal32"), 4),
    **dict.fromkeys(("Int64", "UInt64", "Float64", "DateTime64", "Decimal64", "Time64"), 8),
    **dict.fromkeys(("Int128", "UInt128", "UUID", "IPv6", "Decimal128"), 16),
    **dict.fromkeys(("Int256", "UInt256", "Decimal256"), 32),
}
_KEY_SIZES = (1, 2, 4, 8)  # of LowCardinality's indexes
_HAS_KEYS = 1 << 9
_TYPE = re.compile(r"(\w+)(?:\((.*)\))?", re.DOTALL)
_NAMED = re.compile(r"(?:\w+|`[^`]*`) (?=[A-Z])")  # a tuple's element may have a name


def with_marks(body: bytes) -> bytes:
    """Whole blocks of revision 0 as blocks of WITH_MARKS. Raises ClickHouseError."""
    walk = _Walk(body)
    try:
        marked = b"".join(_marked(body, walk))
    except IndexError:
        marked = b""
    if walk.place != len(body):
        raise refuse(NOT_IMPLEMENTED, "a column of this answer ends elsewhere than its type says")
    return marked


def _marked(body: bytes, walk: _Walk) -> list[bytes]:
    parts: list[bytes] = []
    start = 0
    while walk.place < len(body):
        columns, rows = walk.number(), walk.number()
        parts += (_HEAD, body[start : walk.place])
        start = walk.place
        for _ in range(columns):
            walk.text()
            column_type = walk.text().decode("utf-8", "replace")
            parts += (body[start : walk.place], _PLAIN)
            start = walk.place
            if rows:
                walk.prefix(column_type)
                walk.column(column_type, rows)
        parts.append(body[start : walk.place])
        start = walk.place
    return parts


class _Walk:
    """A place in the bytes that moves over what the format says comes next."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.place = 0
        self._columns: dict[str, Callable[[Sequence[str], int], None]] = {
            "String": lambda _, rows: self._texts(rows),
            "FixedString": lambda inner, rows: self._skip(int(inner[0]) * rows),
            "Nullable": self._nullable,
            "Array": self._array,
            "Map": lambda inner, rows: self._array([f"Tuple({', '.join(inner)})"], rows),
            "Tuple": self._tuple,
            "LowCardinality": self._low_cardinality,
            "SimpleAggregateFunction": lambda inner, rows: self.column(inner[-1], rows),
            "Decimal": lambda inner, rows: self._skip(_decimal_size(int(inner[0])) * rows),
        }

    def number(self) -> int:
        """A number in groups of seven bits, lowest first."""
        value = shift = 0
        while True:
            byte = self._body[self.place]
            self.place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self) -> bytes:
        length = self.number()
        self._skip(length)
        return self._body[self.place - length : self.place]

    def prefix(self, column_type: str) -> None:
        """What stands once before a column: the version of each dictionary in it."""
        name, inner = _parsed(column_type)
        if name == "LowCardinality":
            self._skip(8)
        elif name in ("Nullable", "Array", "Map", "Tuple"):
            for one in inner:
                self.prefix(one)
        elif name == "SimpleAggregateFunction":
            self.prefix(inner[-1])

    def column(self, column_type: str, rows: int) -> None:
        name, inner = _parsed(column_type)
        if name in _FIXED:
            self._skip(_FIXED[name] * rows)
        elif name in self._columns:
            self._columns[name](inner, rows)
        else:
            text = f"{column_type}: this type is not supported over this version of the protocol"
            raise refuse(NOT_IMPLEMENTED, text)

    def _skip(self, size: int) -> None:
        self.place += size

    def _texts(self, rows: int) -> None:
        for _ in range(rows):
            self._skip(self.number())

    def _nullable(self, inner: Sequence[str], rows: int) -> None:
        self._skip(rows)
        self.column(inner[0], rows)

    def _array(self, inner: Sequence[str], rows: int) -> None:
        """Where each array ends, the last of which is how many elements there are; then these."""
        self._skip(8 * (rows - 1))
        if elements := self._long():
            self.column(inner[0], elements)

    def _tuple(self, inner: Sequence[str], rows: int) -> None:
        for one in inner:
            self.column(one, rows)
        if not inner:
            self._skip(rows)

    def _low_cardinality(self, inner: Sequence[str], rows: int) -> None:
        flags = self._long()
        if flags & _HAS_KEYS:
            keys = self._long()
            name, nested = _parsed(inner[0])
            self.column(nested[0] if name == "Nullable" else inner[0], keys)
        self._skip(8 + _KEY_SIZES[flags & 0xFF] * rows)

    def _long(self) -> int:
        self._skip(8)
        return int.from_bytes(self._body[self.place - 8 : self.place], "little")


def _parsed(column_type: str) -> tuple[str, list[str]]:
    """A type's name and what stands in its brackets."""
    found = _TYPE.fullmatch(column_type)
    if found is None:
        return column_type, []
    inner: list[str] = []
    depth = start = 0
    text = found[2] or ""
    if found[1].startswith("Enum") or not text:
        return found[1], []
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            inner.append(text[start:place])
            start = place + 1
    inner.append(text[start:])
    return found[1], [_NAMED.sub("", one.strip(), count=1) for one in inner]


def _decimal_size(digits: int) -> int:
    return next(size for most, size in ((9, 4), (18, 8), (38, 16), (76, 32)) if digits <= most)
