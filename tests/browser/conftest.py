"""Chromium is looked for before any node is started: a skip inside a group of tasks would be an error."""

import pytest

from tests.browser.chromium import executable


@pytest.fixture(scope="session", autouse=True)
def chromium() -> str:
    return executable()
