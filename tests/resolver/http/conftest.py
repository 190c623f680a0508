"""Faults of ours are logged and answered with 500; a test that looks elsewhere must not pass over one."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_faults_of_ours(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    faults = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert not faults, faults
