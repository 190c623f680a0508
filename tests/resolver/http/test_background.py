"""What pages say beside the record, asked of a real node by a browser's headers."""

import asyncio

from registry.value import HandleValue
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
