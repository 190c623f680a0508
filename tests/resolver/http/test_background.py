"""What pages say beside the record, asked of a real node by a browser's headers."""

import asyncio
from dataclasses import replace

from registry.handle import Handle
from registry.record import HandleRecord
from registry.referring import naming
from registry.rights import Rights
from registry.search import declare
from registry.settings import RegistrySettings
from registry.standing import State, Wish
from registry.states import anything, put
from registry.store import Store
from registry.trust import Trust
from registry.value import HandleValue
from resolver.listeners.http.background import Background
from tests.registry.books import DESC, NODE, URL, name, open_book, register
from tests.registry.test_claims import HANDLE, ISSUER, NOW, ROOT, certificate, public, signature
from tests.resolver.http.lab import Client, lab

HTML = {"Accept": "text/html,application/xhtml+xml"}
POY = (HandleValue(1, "PRODUCT", b"POY"),)


async def ask(node, path):
    client = Client(node.port)
    try:
        reply = await asyncio.to_thread(client.ask, "GET", path, None, HTML)
    finally:
        client.close()
    return reply.status, reply.body.decode()


async def test_similar_names_are_shown_of_prefixes_that_are_no_secret_and_of_no_other(database_dsn, tmp_path):
    handles = {"88.118.1/C.0001": POY, "88.118.22/C.0001": POY, "88.118/C.0001": POY}
    async with lab(database_dsn, tmp_path, handles, similar_names=("88.118.2", "88.118.22", "88.119.")) as node:
        status, page = await ask(node, "/88.118.22/C.0002")
        assert status == 404
        assert "/88.118.22/C.0001?noredirect" in page
        for path in ("/88.118.1/C.0002", "/88.118/C.0002"):
            status, page = await ask(node, path)
            assert status == 404
            assert "Not registered under this prefix" in page
            assert "C.0001" not in page
        status, page = await ask(node, "/99.9/C.0002")
        assert status == 400
        assert "Not known here" in page


async def test_a_page_says_when_its_handle_was_registered(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, {"88.118.1/C.0001": POY}, similar_names=("88.118.",)) as node:
        status, page = await ask(node, "/88.118.1/C.0001")
        assert status == 200
        assert "First registered" in page
        assert "Up to date" in page
        status, page = await ask(node, "/88.118.1/C.0002?lang=zh")
        assert status == 404
        assert "相近的已登记标识" in page


async def test_handles_that_belong_to_another_are_found_on_its_page_where_names_are_no_secret(database_dsn, tmp_path):
    cake = (*POY, HandleValue(2, "PACKED_IN", b"88.118.1/P.1"))
    hidden = (*POY, HandleValue(2, "PACKED_IN", b"88.118.1/P.1", permissions=12))
    handles = {"88.118.1/P.1": POY, "88.118.1/C.1": cake, "88.118.2/C.2": cake, "88.118.1/C.3": hidden}
    async with lab(database_dsn, tmp_path, handles, similar_names=("88.118.1",)) as node:
        _, page = await ask(node, "/88.118.1/P.1")
        assert "/88.118.1/C.1?noredirect" in page
        assert "C.2" not in page
        assert "C.3" not in page
        store = Store(RegistrySettings(dsn=database_dsn), "test")
        await store.open()
        prefix = store.prefixes.find(b"88.118.1")
        assert prefix is not None
        assert await declare(store, prefix, "PRODUCT", settling=0) == 3
        assert await naming(store, [store.prefixes.by_id(prefix.prefix_id)], "PRODUCT", "POY") == [
            *("88.118.1/C.1", "88.118.1/C.3", "88.118.1/P.1")
        ]
        await store.close()
        _, page = await ask(node, "/88.118.1/C.1")
        assert "Packed in" in page
        assert "/88.118.1/P.1?noredirect" in page


async def test_a_handle_of_a_template_is_shown_in_its_words(database_dsn, tmp_path):
    values = (HandleValue(1, "GRADE", "合格品".encode()), HandleValue(1000, "TEMPLATE", b"textile/poy@1"))
    async with lab(database_dsn, tmp_path, {"88.118.1/C.0001": values}) as node:
        _, page = await ask(node, "/88.118.1/C.0001")
        assert "qualified <small>合格品</small>" in page


async def test_a_handle_that_was_withdrawn_says_so_and_names_its_successor(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, {"88.118.1/OLD": POY, "88.118.1/NEW": POY}) as node:
        wish = Wish(State.REVOKED, "print was wrong", "88.118.1/NEW")
        store = Store(RegistrySettings(dsn=database_dsn), "test")
        await store.open()
        await put(store, [Handle.from_text("88.118.1/OLD")], wish, by="test", of_node=True, allow=anything)
        await store.close()
        async with asyncio.timeout(20):
            while (asked := await ask(node, "/88.118.1/OLD"))[0] == 200:  # until the change is heard
                pass
        status, page = asked
        assert status == 410
        assert "print was wrong" in page
        assert 'href="/88.118.1/NEW?noredirect' in page
        assert "Not registered under" not in page


async def test_a_page_says_whether_signatures_cover_what_it_shows(database_dsn):
    async with open_book(database_dsn) as store:
        await register(store, "0.NA/0.NA", HandleValue(300, "HS_PUBKEY", public(ROOT).to_wire()))
        await register(store, "88.118.1/issuer", HandleValue(300, "HS_PUBKEY", public(ISSUER).to_wire()), certificate())
        background = Background(store, Trust(store, Rights(store, [str(NODE)]), lambda: NOW), ())
        signed = HandleRecord(name(HANDLE), (URL, DESC, signature()))
        added = HandleValue(3, "GRADE", b"AA")
        for record, holds in (
            (signed, True),
            (replace(signed, values=(*signed.values, added)), False),
            (replace(signed, values=(URL, DESC)), None),
        ):
            assert (await background.origin(record, record.values, "en")).signed is holds


async def test_the_programs_of_the_start_page_are_served_whole_and_compressed(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path) as node:
        _, page = await ask(node, "/")
        for place in ('data-wasm="', 'data-reader="', 'src="'):
            path = page.partition(place)[2].partition('"')[0]
            client = Client(node.port)
            plain = await asyncio.to_thread(client.ask, "GET", path)
            packed = await asyncio.to_thread(client.ask, "GET", path, None, {"Accept-Encoding": "gzip"})
            client.close()
            assert plain.status == packed.status == 200
            assert packed.headers["Content-Encoding"] == "gzip"
            assert len(packed.body) < len(plain.body) / 2
            assert "immutable" in plain.headers["Cache-Control"]
