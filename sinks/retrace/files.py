"""Mapping files of a build, before they are stored."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from sinks.retrace.extra import check_extra
from sinks.retrace.frames import Kind, MappingError


class MappingFile(Struct, frozen=True):
    """One that was read and can be used. `name` is that of the bundle, for a source map."""

    kind: Kind
    name: str
    content: str

    @property
    def sha256(self) -> str:
        return sha256(self.content.encode()).hexdigest()


def read_file(path: Path, max_bytes: int) -> MappingFile:
    """Raises MappingError."""
    check_extra()
    from sinks.retrace.mapping import read  # needs the extra

    try:
        kind, name = kind_of(path.name)
        content = _content(path, max_bytes)
        read(kind, content)
    except MappingError as error:
        raise MappingError(f"{path}: {error}") from None
    return MappingFile(kind, name, content.decode())


def _content(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise MappingError(error.strerror or str(error)) from None
    if len(content) > max_bytes:
        raise MappingError(f"it has more than {max_bytes} bytes: TELEMETRY_SINK_MAPPING_BYTES")
    return content


def kind_of(file_name: str) -> tuple[Kind, str]:
    """Kind and name of a mapping by the name of its file. Raises MappingError."""
    stem, dot, ending = file_name.rpartition(".")
    if stem and dot and ending == "map":
        return "sourcemap", stem
    if dot and ending == "txt":
        return "proguard", ""
    raise MappingError(
        "a mapping of R8 or ProGuard is named in .txt, a source map as its bundle with .map behind"
    )
