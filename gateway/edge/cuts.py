"""Why the guard closes a connection in the application's place, and what it says then."""

from __future__ import annotations

import json
from enum import StrEnum
from http import HTTPStatus

from msgspec import Struct


class GuardLimits(Struct, frozen=True, kw_only=True):
    head_bytes: int
    headers: int
    head_seconds: float
    idle_seconds: float  # between requests


class CutCode(StrEnum):
    """Why a connection was closed before its request reached the application."""

    INVALID_HTTP = "invalid_http"
    HOST = "host"
    HEAD_TOO_LARGE = "head_too_large"
    TOO_MANY_HEADERS = "too_many_headers"
    HEAD_TIMEOUT = "head_timeout"
    SILENT = "silent"
    BODY_UNREAD = "body_unread"
    UNREAD_ANSWER = "unread_answer"


class Cut(Exception):
    """This connection is answered here, and ends."""

    def __init__(self, status: int, code: CutCode, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text


def answer_of(cut: Cut) -> bytes:
    body = json.dumps({"error": {"code": cut.code, "message": cut.text}}).encode()
    phrase = HTTPStatus(cut.status).phrase
    head = (
        f"HTTP/1.1 {cut.status} {phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


def head_too_large(limits: GuardLimits) -> Cut:
    return Cut(431, CutCode.HEAD_TOO_LARGE, f"a head has at most {limits.head_bytes} bytes")
