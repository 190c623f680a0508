"""The book of tests/registry/books.py, and registration in it; the registry's own interface."""

import pytest

from registry.registration import Registration
from tests.registry.books import NODE, open_book
from tests.registry.companies import open_office
from tests.registry.interface import open_interface


@pytest.fixture
async def store(database_dsn):
    async with open_book(database_dsn) as store:
        yield store


@pytest.fixture
def registration(store):
    return Registration(store, [str(NODE)])


@pytest.fixture
async def node(database_dsn):
    async with open_interface(database_dsn) as node:
        yield node


@pytest.fixture
async def office(database_dsn, tmp_path):
    async with open_office(database_dsn, tmp_path) as office:
        yield office
