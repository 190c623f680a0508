"""The registry's own interface, over a real connection."""

import io
import logging

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from registry.api import create_app
from registry.bodies import MAX_BODY
from registry.enterprise import add_enterprise
from registry.problems import problem
from registry.settings import RegistrySettings
from registry.store import Store
from tests.registry.bulk_files import line, table
from tests.registry.interface import NDJSON, OPERATOR, Node, basic


def test_a_fault_of_ours_is_logged_with_its_route_and_not_the_whole_key(caplog: pytest.LogCaptureFixture):
    request = make_mocked_request("POST", "/api/bulk?source=x", {"Idempotency-Key": "0123456789abcdef"})
    with caplog.at_level(logging.ERROR):
        assert problem(ValueError("inside"), request).status == 500
    (record,) = caplog.records
    assert record.getMessage() == "POST '/api/bulk', sent as '0123', failed"
    assert record.exc_info is not None


async def test_an_enterprise_loads_its_own_prefix_and_no_other(node: Node):
    body = line("88.168.2/A", "1") + line("88.168.1/B", "2") + line("0.NA/88.168.2", "3")
    async with node.client.post("/api/bulk", data=body, headers=node.enterprise | NDJSON) as answer:
        assert answer.status == 200
        report = await answer.json()
    assert (report["lines"], report["created"], report["refused"], report["finished"]) == (3, 1, 2, True)
    assert [(row["line"], row["rule"]) for row in report["refusals"]] == [
        (2, "load.may_not_write"),
        (3, "load.may_not_write"),
    ]
    async with node.client.get(f"/api/bulk/{report['batch']}", headers=node.enterprise) as answer:
        assert (await answer.json())["refused"] == 2
    async with node.client.get(report["refused_url"], headers=node.enterprise) as answer:
        assert answer.content_type == "application/x-ndjson"
        lines = [orjson.loads(one) for one in (await answer.read()).splitlines()]
    assert [one["handle"] for one in lines] == ["88.168.1/B", "0.NA/88.168.2"]
    assert lines[0]["refusal"]["rule"] == "load.may_not_write"


async def test_the_operator_loads_any_prefix_and_sees_any_load(node: Node):
    async with node.client.post("/api/bulk", data=line("88.168.2/A", "1"), headers=node.enterprise | NDJSON) as answer:
        batch = (await answer.json())["batch"]
    headers = node.operator | {"Content-Type": "text/csv; charset=utf-8"}
    body = table([["标识", "DESC"], ["88.168.2/A", "2"], ["88.168.1/A", "2"]])
    async with node.client.post("/api/bulk?source=a.csv", data=body, headers=headers) as answer:
        report = await answer.json()
    assert (report["source"], report["created"], report["updated"]) == ("a.csv", 1, 1)
    async with node.client.get(f"/api/bulk/{batch}", headers=node.operator) as answer:
        assert answer.status == 200


async def test_a_load_of_somebody_else_is_not_found(node: Node):
    async with node.client.post("/api/bulk", data=line("88.168.2/A", "1"), headers=node.operator | NDJSON) as answer:
        batch = (await answer.json())["batch"]
    for path in (f"/api/bulk/{batch}", f"/api/bulk/{batch}/refused", "/api/bulk/999", "/api/bulk/x"):
        async with node.client.get(path, headers=node.enterprise) as answer:
            assert answer.status == 404


async def test_refused_rows_of_a_table_come_back_as_a_table_that_can_be_loaded(node: Node):
    headers = node.enterprise | {"Content-Type": "text/csv"}
    body = table([["handle", "DESC"], ["88.168.2/A", "1"], ["no prefix", '中"文,']], "gb18030", ";")
    async with node.client.post("/api/bulk", data=body, headers=headers) as answer:
        report = await answer.json()
    assert report["refused"] == 1
    async with node.client.get(report["refused_url"] + "?lang=zh", headers=node.enterprise) as answer:
        refused = await answer.read()
    assert refused.decode("utf-8-sig").splitlines()[0] == "handle,DESC,#行,#字段,#原因"
    mended = refused.replace(b"no prefix", b"88.168.2/B")
    async with node.client.post("/api/bulk", data=mended, headers=headers) as answer:
        report = await answer.json()
    assert (report["created"], report["refused"]) == (1, 0)
    record = await node.store.fetch(node.store.key_of(b"88.168.2/B"))
    assert record is not None
    assert [(value.type, value.text) for value in record.values] == [("DESC", '中"文,')]


async def test_strangers_and_wrong_keys_are_refused_in_their_language(node: Node):
    async with node.client.post("/api/bulk", data=b"", headers=NDJSON) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert answer.content_type == "application/problem+json"
    wrong = basic(OPERATOR, "wrong") | NDJSON | {"Accept-Language": "zh-CN"}
    async with node.client.post("/api/bulk", data=b"", headers=wrong) as answer:
        assert answer.status == 403
        assert (await answer.json(content_type=None))["detail"] == "身份未通过验证"


async def test_a_key_is_refused_where_others_could_read_it(database_dsn: str):
    store = Store(RegistrySettings(dsn=database_dsn, trusted_proxies=("127.0.0.1",)), "test")
    await store.open()
    granted = await add_enterprise(store, "厂", "", "", "88.168.1", by="test")
    runner = web.AppRunner(create_app(store))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    headers = basic(granted.identity, granted.secret_key) | NDJSON
    async with aiohttp.ClientSession("http://{}:{}".format(*runner.addresses[0][:2])) as client:
        async with client.post("/api/bulk", data=b"", headers=headers) as answer:
            assert (answer.status, (await answer.json(content_type=None))["rule"]) == (403, "authentication.plain_http")
        async with client.post("/api/bulk", data=b"", headers=headers | {"X-Forwarded-Proto": "https"}) as answer:
            assert answer.status == 200
    await runner.cleanup()
    await store.close()


async def test_what_cannot_be_loaded_is_refused_as_a_whole(node: Node):
    for content_type, body, status, rule in (
        ("application/pdf", b"", 415, "http.media_type"),
        ("text/csv", b"", 400, "load.header"),
        ("text/csv", b"a,b\n", 400, "load.header"),
        ("application/x-ndjson", b"PK\x03\x04", 400, "load.wrong_form"),
        ("text/csv", "handle,URL\n".encode("utf-16"), 400, "load.wrong_form"),
    ):
        headers = node.operator | {"Content-Type": content_type}
        async with node.client.post("/api/bulk", data=body, headers=headers) as answer:
            assert (answer.status, (await answer.json(content_type=None))["rule"]) == (status, rule)


async def test_enterprises_are_added_and_listed_by_the_operator_alone(node: Node):
    form = {"name": "物流公司", "name_en": "Carrier", "industry": "logistics", "prefix": "88.168.3"}
    async with node.client.post("/api/enterprises", json=form, headers=node.enterprise) as answer:
        assert answer.status == 403
    async with node.client.post("/api/enterprises", json=form, headers=node.operator) as answer:
        assert answer.status == 201
        granted = await answer.json()
    async with node.client.post("/api/enterprises", json=form, headers=node.operator) as answer:
        assert answer.status == 409
    own = basic(granted["identity"], granted["secret_key"]) | NDJSON
    async with node.client.post("/api/bulk", data=line("88.168.3/A", "1"), headers=own) as answer:
        assert (await answer.json())["created"] == 1
    async with node.client.get("/api/enterprises", headers=node.operator) as answer:
        listed = {one["prefix"]: one["handles"] for one in await answer.json()}
    assert listed == {"88.168.1": 0, "88.168.2": 0, "88.168.3": 1}
    for body in (b"{", b"{}", b'{"name": "x", "prefix": "88.1"}'):
        async with node.client.post("/api/enterprises", data=body, headers=node.operator) as answer:
            assert answer.status == 400
    async with node.client.post(
        "/api/enterprises", data=io.BytesIO(b" " * (MAX_BODY + 1)), headers=node.operator
    ) as answer:
        assert answer.status == 413


async def test_unknown_paths_and_methods_are_told_apart(node: Node):
    async with node.client.get("/api/nothing") as answer:
        assert answer.status == 404
    async with node.client.delete("/api/bulk") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    async with node.client.get("/healthz") as answer:
        assert await answer.json() == {"status": "ok"}
        assert answer.headers["Server"] == "Filament"
    async with node.client.get("/openapi.json") as answer:
        assert "/api/bulk" in (await answer.json())["paths"]
