"""The book of tests/registry/books.py, and registration in it."""

import pytest

from registry.registration import Registration
from tests.registry.books import NODE, open_book


@pytest.fixture
async def store(database_dsn):
    async with open_book(database_dsn) as store:
        yield store


@pytest.fixture
def registration(store):
    return Registration(store, [str(NODE)])
