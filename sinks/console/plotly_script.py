"""plotly's browser bundle, out of its wheel: nothing is fetched from elsewhere.

All of it is a function within a function. Chromium parses what is in a function once more when it
is called, and once more again for the line number of an error; plotly throws and catches some while
it loads. As a module, without the two functions around it, it is there in half the time.
"""

from __future__ import annotations

import gzip
import re
from functools import cache
from hashlib import sha256
from importlib.resources import files

from msgspec import Struct

_WRAPPED = re.compile(
    rb"\A(?P<licence>/\*\*.*?\*/).{,400}?\"use strict\";var Plotly=\(\(\)=>\{(?P<body>.*)"
    rb"return (?P<made>\w+\(\));\}\)\(\);(?P<licences>[^;]*)"
    rb"window\.Plotly = Plotly;\s*return Plotly;\s*\}\)\);\s*\Z",
    re.DOTALL,
)
_STYLE = re.compile(r"\.textContent='([^'\\]*)'")


class PlotlyScript(Struct, frozen=True):
    """An ES module. `name` changes with the script, so that browsers may keep it for ever.

    `styles` are the texts of the inline styles that it makes: an empty one, which it fills by
    script, and one of its maps.
    """

    name: str
    compressed: bytes
    styles: tuple[str, ...]


@cache
def load_plotly() -> PlotlyScript:
    script = (files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    script = unwrapped(script)
    return PlotlyScript(
        name=f"plotly-{sha256(script).hexdigest()[:12]}.js",
        compressed=gzip.compress(script, 6, mtime=0),
        styles=("", *_STYLE.findall(script.decode())),
    )


def unwrapped(script: bytes) -> bytes:
    """The bundle without its two functions; one that is built in another way stays as it is."""
    return _WRAPPED.sub(rb"\g<licence>\n\g<body>window.Plotly=\g<made>;\g<licences>", script)
