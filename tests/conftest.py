"""Fixtures for all tests. Real engines come from `tests.engines`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("no wall time", deadline=None)
settings.load_profile("no wall time")
pytest.register_assert_rewrite("tests.exactness")

from tests.gateway_app import GatewayUnderTest  # noqa: E402  # asserts are rewritten at import

pytest_plugins = ["tests.engines"]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayUnderTest]:
    under_test = GatewayUnderTest(tmp_path)
    with under_test.http:
        yield under_test
