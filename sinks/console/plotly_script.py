"""plotly's browser bundle, out of its wheel: nothing is fetched from elsewhere."""

from __future__ import annotations

import gzip
import re
from functools import cache
from hashlib import sha256
from importlib.resources import files

from msgspec import Struct

_STYLE = re.compile(r"\.textContent='([^'\\]*)'")


class PlotlyScript(Struct, frozen=True):
    """`name` changes with the script, so that browsers may keep it for ever.

    `styles` are the texts of the inline styles that it makes: an empty one, which it fills by
    script, and one of its maps.
    """

    name: str
    compressed: bytes
    styles: tuple[str, ...]


@cache
def load_plotly() -> PlotlyScript:
    script = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    return PlotlyScript(
        name=f"plotly-{sha256(script).hexdigest()[:12]}.js",
        compressed=gzip.compress(script, 6, mtime=0),
        styles=("", *_STYLE.findall(script.decode())),
    )
