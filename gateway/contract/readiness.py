"""How `/readyz` of every process answers: whether it can do its work now, and what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct


class Lack(StrEnum):
    """What a process can be without."""

    KAFKA = "kafka"
    STORE = "store"  # ClickHouse, or whatever the sink fills
    GATEWAY = "gateway"
    SPOOL = "spool"
    KEYS = "keys"
    RECOVERY = "recovery"
    DRAINING = "draining"


Lacks = Mapping[Lack, str]  # what is lacking, and why; empty: ready


class Answer(Struct, frozen=True):
    status: int
    body: dict[str, Any]


def answer(lacks: Lacks) -> Answer:
    """200, or 503 and a code and a text for each thing that is lacking."""
    if not lacks:
        return Answer(200, {"ready": True})
    reasons = [{"code": str(code), "text": text} for code, text in lacks.items()]
    return Answer(503, {"ready": False, "reasons": reasons})
