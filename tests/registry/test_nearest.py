"""Answers are read from the nearest server and written to the primary."""

import asyncpg
import pytest

from registry.change_reading import ChangeReader
from registry.handle import Handle
from registry.nearest import Nearest, nearest_of
from registry.setting_rules import hosts_of, primary_among
from registry.settings import RegistrySettings
from registry.store import Store
from tests.journeys.servers import a_server, a_standby
from tests.registry.books import URL, open_book, register


async def test_reads_go_on_without_the_primary():
    async with a_server() as primary:
        async with open_book(primary.dsn) as book:
            await register(book, "88.118.1/cake", URL)
        async with a_standby(primary) as standby:
            settings = RegistrySettings(dsn=primary.dsn, nearest_dsn=standby.dsn)
            store = Store(settings, "test", 1, nearest_of(settings))
            await store.open()
            reader = ChangeReader("test changes", store)
            await reader.open()
            await primary.stop()
            await store.open()
            key = store.key_of(Handle.from_text("88.118.1/cake").octets)
            assert (await store.fetch(key)) is not None
            await reader.first_look()
            with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
                await store.list_handles(store.prefixes.of(key), 10)
            await reader.close()
            await store.close()


def test_the_servers_read_from_are_those_of_the_settings():
    settings = RegistrySettings(dsn="postgresql://a,b/d", nearest_dsn="postgresql://c,a/d")
    assert nearest_of(settings).is_apart
    assert not Nearest(settings, primary_among(settings.dsn)).is_apart
    assert hosts_of(settings.nearest_dsn)[0] == ("c", 5432)
