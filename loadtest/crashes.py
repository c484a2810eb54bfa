"""The crashes of the simulated app, and the releases that have them.

Two reports of one crash differ in lines and addresses, never in the frames of the app's own code.
"""

from __future__ import annotations

import random
from typing import Any

from msgspec import Struct


class Release(Struct, frozen=True):
    """A version of the app; newer ones crash less."""

    version: str
    build: str
    crash_rate: float  # of sessions


RELEASES = (
    Release("1.4.0", "140", 0.18),
    Release("1.4.1", "141", 0.08),
    Release("1.5.0", "150", 0.03),
)


class Site(Struct, frozen=True):
    """A place in the app's code that crashes."""

    os: str
    kind: str
    type: str
    text: str
    own: tuple[tuple[str, str], ...]  # (module, function), crash point first
    system: tuple[tuple[str, str], ...]
    signal: str = ""


CRASHES = (
    Site(
        "Android",
        "exception",
        "java.lang.NullPointerException",
        "Attempt to invoke virtual method on a null object reference",
        (("com.example.cart.CartAdapter", "bind"), ("com.example.cart.CartFragment", "render")),
        (("android.view.View", "performClick"), ("android.os.Handler", "dispatchMessage")),
    ),
    Site(
        "Android",
        "exception",
        "kotlin.UninitializedPropertyAccessException",
        "lateinit property session has not been initialized",
        (("com.example.login.SessionStore", "current"), ("com.example.MainActivity", "onResume")),
        (("android.app.Activity", "performResume"),),
    ),
    Site(
        "iOS",
        "mach_exception",
        "EXC_BAD_ACCESS",
        "Attempted to dereference garbage pointer",
        (("DemoApp", "ImageCache.evict(_:)"), ("DemoApp", "FeedViewController.reload()")),
        (("UIKitCore", "-[UIApplication run]"),),
    ),
    Site(
        "iOS",
        "exception",
        "Swift.DecodingError.keyNotFound",
        "No value associated with key price",
        (("DemoApp", "Product.init(from:)"), ("DemoApp", "CartViewModel.load()")),
        (("Foundation", "JSONDecoder.decode(_:from:)"),),
    ),
    Site(
        "Android",
        "signal",
        "SIGSEGV",
        "invalid address",
        (("libdemo.so", "decode_frame"), ("libdemo.so", "player_loop")),
        (("libc.so", "__pthread_start"),),
        "SIGSEGV",
    ),
)


def crash_of(site: Site, chance: random.Random) -> dict[str, Any]:
    """One report of a crash at `site`."""
    frames = [
        {
            "module": module,
            "function": function,
            "line": chance.randint(10, 400),
            "address": f"0x{chance.getrandbits(40):x}",
            "in_app": own,
        }
        for own, part in ((True, site.own), (False, site.system))
        for module, function in part
    ]
    crash: dict[str, Any] = {
        "kind": site.kind,
        "fatal": True,
        "exception": {"type": site.type, "message": site.text},
        "frames": frames,
        "thread": {"id": "1", "name": "main", "main": True},
    }
    if site.signal:
        crash["signal"] = {"name": site.signal, "number": 11, "code": "SEGV_MAPERR"}
    return crash
