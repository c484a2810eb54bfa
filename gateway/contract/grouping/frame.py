"""One call of a stack."""

from __future__ import annotations

from msgspec import Struct


class Frame(Struct, frozen=True, gc=False):
    """What is known of one call. `offset` is its place in an image whose names are not known."""

    module: str = ""
    function: str = ""
    file: str = ""
    image: str = ""
    in_app: bool | None = None
    offset: str = ""

    @property
    def where(self) -> str:
        return self.module or self.image or self.file


class Section(Struct, frozen=True, gc=False):
    """One exception's frames, crash point first. `type` is empty for the outermost one."""

    type: str
    frames: list[Frame]
