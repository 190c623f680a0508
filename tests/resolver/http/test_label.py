"""The label of one identifier, asked of a node."""

import asyncio
import io
from urllib.parse import quote

import pytest
import zxingcpp
from aiohttp.test_utils import make_mocked_request
from PIL import Image

from registry.errors import ServerBusy
from resolver.listeners.http.label import MAX_WAITING, Labels
from tests.resolver.http.lab import Client, lab


async def test_a_label_is_made_for_this_node_or_for_the_address_that_is_asked_for(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path) as node:
        client = Client(node.port)

        def held(path):
            reply = client.ask("GET", path)
            assert reply.status == 200, reply.body
            assert reply.headers["Content-Type"] == "image/png"
            return zxingcpp.read_barcodes(Image.open(io.BytesIO(reply.body)))[0].text

        name = quote("88.118.1/纱 锭")
        path = f"/api/label/{name}?form=png"
        assert await asyncio.to_thread(held, path) == f"http://127.0.0.1:{node.port}/{name}"
        assert await asyncio.to_thread(held, f"{path}&base=https://id.example/") == f"https://id.example/{name}"
        assert await asyncio.to_thread(held, f"{path}&symbol=datamatrix") == "88.118.1/纱 锭"
        for query, said in (
            ("symbol=aztec", b"qr"),
            ("form=gif", b"svg"),
            ("symbol=gs1-128", b"GS1"),
            ("base=x", b"web"),
        ):
            reply = await asyncio.to_thread(client.ask, "GET", f"/api/label/{name}?{query}")
            assert reply.status == 400
            assert said in reply.body
        client.close()


async def test_labels_wait_for_each_other_and_no_more_than_a_few():
    labels = Labels()
    request = make_mocked_request("GET", "/api/label/88.118.1/A", {"Host": "a.example"})
    asked = [asyncio.create_task(labels.show(request, {"handle": "88.118.1/A"})) for _ in range(MAX_WAITING + 5)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(outcome, ServerBusy) for outcome in outcomes) in (4, 5)
    with pytest.raises(ServerBusy):
        raise next(outcome for outcome in outcomes if isinstance(outcome, Exception))
