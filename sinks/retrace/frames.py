"""What mappings say of one frame, whoever reads them."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import Literal, Protocol

from msgspec import Struct

Kind = Literal["proguard", "sourcemap"]

MAX_NUMBER = 999_999_999  # of a line or column; beyond it there is none such


class MappingError(Exception):
    """A file is no mapping, or cannot be used. The text says why."""


class Frame(Struct, frozen=True):
    """A method as its source has it; `file` is empty and `line` 0 where nobody knows."""

    class_name: str
    method: str
    file: str = ""
    line: int = 0


class Place(Struct, frozen=True):
    """A place in a source file, line and column from 1.

    `name` is the identifier that stands there, `function` the one around it; empty where the map
    has none.
    """

    source: str
    line: int
    column: int
    name: str = ""
    function: str = ""


class JavaMapping(Protocol):
    """What R8 or ProGuard renamed."""

    def class_name(self, name: str) -> str | None:
        """Of a renamed class."""

    def frames(self, class_name: str, method: str, line: int) -> list[Frame]:
        """From the innermost outwards; none where it does not know the method."""


class ScriptMapping(Protocol):
    """Where the code of one bundle came from."""

    def place(self, line: int, column: int) -> Place | None:
        """Of a line from 1 and a column from 0."""


class Mappings(Struct, frozen=True):
    """All that is known of one release; `scripts` by the bundle's file name."""

    java: JavaMapping | None = None
    scripts: Dict[str, ScriptMapping] = {}
