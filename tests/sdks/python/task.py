"""What a script is to do, told by its environment: shared by the scripts, sends nothing."""

from __future__ import annotations

import os
import sys
from typing import Any

URL = os.environ["SDK_URL"]
KEY = os.environ["SDK_KEY"]
IS_LIFE = os.environ["SDK_DO"] == "life"  # a session with a crash; else some orders
MODE = os.environ["SDK_MODE"]  # of an SDK that has more than one
ORDERS = [f"order-{number}" for number in range(1, int(os.environ["SDK_ORDERS"]) + 1)]
PROPERTIES = {"price": 9.99, "notes": ["x" * 100] * int(os.environ["SDK_NOTES"])}
DEVICE = "install-1"
USER = "user-1"
SESSION_SECONDS = int(os.environ["SDK_SESSION"])
CONTEXT: dict[str, Any] = {
    "app": {"name": "Demo", "version": "1.4.2", "build": "142", "namespace": "com.example.demo"},
    "device": {"manufacturer": "Google", "model": "Pixel 8", "type": "android"},
    "os": {"name": "Android", "version": "15"},
    "locale": "en-US",
}


def until_told() -> None:
    """The app goes on running until whoever started it has seen enough."""
    sys.stdin.read()


def crash() -> None:
    raise LookupError("no cart")
