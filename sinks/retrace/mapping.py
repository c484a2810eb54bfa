"""Mapping files read by `symbolic`. It is an extra: see `extra.py` before this is imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile

from symbolic.exceptions import SymbolicError
from symbolic.proguard import JavaStackFrame, ProguardMapper
from symbolic.sourcemap import SourceMapView, SourceView

from sinks.retrace.excerpt import has_classes
from sinks.retrace.frames import Frame, JavaMapping, Kind, MappingError, Place, ScriptMapping

MAX_INLINED = 64  # frames that one line becomes


class ProguardMapping:
    """What R8 or ProGuard renamed."""

    def __init__(self, content: bytes) -> None:
        """Raises MappingError."""
        if not has_classes(content):
            raise MappingError("no line renames a class, as `com.example.Cart -> a.b:` does")
        with NamedTemporaryFile(suffix=".txt") as file, _errors():
            file.write(content)
            file.flush()
            self._mapper = ProguardMapper.open(file.name)  # stays mapped without its name

    def class_name(self, name: str) -> str | None:
        if not _is_text(name):
            return None
        with _errors():
            return self._mapper.remap_class(name)

    def frames(self, class_name: str, method: str, line: int) -> list[Frame]:
        """From the innermost outwards; none where the mapping does not know the method."""
        if not (_is_text(class_name) and _is_text(method)):
            return []
        with _errors():
            found: list[JavaStackFrame] = self._mapper.remap_frame(class_name, method, line)
            only = None if found else self._mapper.remap_method(class_name, method)
        if only is not None:
            return [Frame(*only)]  # lines do not tell, and need not
        return [
            Frame(one.class_name, one.method, one.file or "", one.line)
            for one in found[:MAX_INLINED]
        ]


class SourceMap:
    """Where the code of a bundle came from."""

    def __init__(self, content: bytes) -> None:
        """Raises MappingError."""
        with _errors():
            self._view = SourceMapView.from_json_bytes(content)
            self._no_source = SourceView.from_bytes(b"")
            if not len(self._view):
                raise MappingError("it is no source map, or maps nothing")

    def place(self, line: int, column: int) -> Place | None:
        """Of a line from 1 and a column from 0."""
        if line < 1 or column < 0:
            return None
        with _errors():
            # Asked with a source, it tells the functions that maps of React Native name.
            token = self._view.lookup(line - 1, column, "", self._no_source)
        if token is None or token.src is None or token.dst_line != line - 1:
            return None  # the nearest one before it may be of another line
        name = (token.name or "") if token.dst_col == column else ""
        return Place(
            token.src, token.src_line + 1, token.src_col + 1, name, token.function_name or ""
        )


def read(kind: Kind, content: bytes) -> JavaMapping | ScriptMapping:
    """Raises MappingError."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise MappingError(f"it is no UTF-8 text: byte {error.start}") from None
    return ProguardMapping(content) if kind == "proguard" else SourceMap(content)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except SymbolicError as error:  # its panics too
        raise MappingError(" ".join(str(error).split())[:300]) from None


def _is_text(name: str) -> bool:
    """Whether it can be UTF-8, as names in a mapping are."""
    return name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name)
