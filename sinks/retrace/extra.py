"""Whether the extra is installed."""

from __future__ import annotations

from importlib.util import find_spec

from sinks.retrace.frames import MappingError


def check_extra() -> None:
    """Raises MappingError."""
    if find_spec("symbolic") is None:
        raise MappingError("the package symbolic is missing; install the extra: retrace")
