"""The distribution's own Chromium, headless; nothing is downloaded."""

from __future__ import annotations

import os
import shutil

import pytest
from msgspec import Struct
from playwright.sync_api import Browser, BrowserContext, Page, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
HOW = "Chromium is needed: apt-get install chromium, or brew install --cask chromium"


def chromium_path() -> str | None:
    found = (shutil.which(name) for name in NAMES)
    return next((one for one in found if one is not None), None)


def launch(driver: Playwright) -> Browser:
    """A browser; without Chromium a failure in CI, and a skip on a laptop."""
    path = chromium_path()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(HOW)
        pytest.skip(HOW)
    # Root needs --no-sandbox; the pages are our own.
    return driver.chromium.launch(executable_path=path, args=["--no-sandbox"])


class Watched(Struct, frozen=True):
    """A page, with what its console said and what it asked for elsewhere."""

    page: Page
    complaints: list[str]
    foreign: list[str]


def watch(context: BrowserContext, own: str) -> Watched:
    page = context.new_page()
    watched = Watched(page, [], [])
    page.on(
        "console",
        lambda said: (
            watched.complaints.append(said.text) if said.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((own, "data:", "blob:"))
            else watched.foreign.append(request.url)
        ),
    )
    return watched
