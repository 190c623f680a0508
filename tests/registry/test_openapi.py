from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from openapi_spec_validator import OpenAPIV31SpecValidator

from registry.documentation import with_documentation
from registry.openapi import Refusal, Resolution, Values, describe
from registry.routes import Parameter, Route, Router


async def serve(request: web.Request, _: Any) -> web.StreamResponse:
    return web.Response()


ROUTES = (
    Route(
        "GET",
        "/api/handles/{handle}",
        serve,
        "resolve",
        "Resolve a handle.",
        "解析标识。",
        (Parameter("index", "Indexes.", "索引。", {"type": "array", "items": {"type": "integer"}}),),
        responses={200: "application/json", 404: "application/json"},
        answers={200: Resolution},
    ),
    Route(
        "PUT",
        "/api/handles/{handle}",
        serve,
        "register",
        "Register a handle.",
        "注册标识。",
        request={"application/json": Values},
        responses={201: "application/json", 204: ""},
        authenticated=True,
    ),
    Route("GET", "/hidden", serve, "hidden", "Hidden.", "隐藏。", documented=False),
)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_description_is_valid_openapi_3_1(language):
    description = describe(ROUTES, title="Node", version="1", language=language)
    OpenAPIV31SpecValidator(orjson.loads(orjson.dumps(description))).validate()
    assert description["openapi"] == "3.1.0"


def test_operations_parameters_and_forms_come_from_the_routes():
    description = describe(ROUTES, title="Node", version="1", language="zh")
    operations = description["paths"]["/api/handles/{handle}"]
    assert set(description["paths"]) == {"/api/handles/{handle}"}
    assert operations["get"]["summary"] == "解析标识。"
    assert [parameter["name"] for parameter in operations["get"]["parameters"]] == ["handle", "index"]
    answers = operations["get"]["responses"]
    assert answers["200"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Resolution"}
    assert answers["404"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Refusal"}
    assert "content" not in operations["put"]["responses"]["204"]
    assert operations["put"]["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert [next(iter(scheme)) for scheme in operations["put"]["security"]] == [
        "basic",
        "bearer",
        "handle",
        "certificate",
    ]


def test_forms_are_described_under_the_names_that_the_json_has():
    description = describe(ROUTES, title="Node", version="1", language="en")
    forms = description["components"]["schemas"]
    assert set(forms["Resolution"]["properties"]) == {"responseCode", "handle", "values"}
    assert set(forms["Refusal"]["properties"]) == {"responseCode", "message", "handle"}
    assert Refusal.__name__ in forms


def test_documented_routes_describe_themselves_too():
    routes = with_documentation(ROUTES, ("Node", "节点"), "1")
    description = describe(routes, title="Node", version="1", language="en")
    assert {"/openapi.json", "/docs"} < set(description["paths"])


async def answer(path: str, headers: dict[str, str] | None = None) -> web.StreamResponse:
    router = Router(with_documentation(ROUTES, ("Node", "节点"), "1"))
    request = make_mocked_request("GET", path, headers)
    route, placeholders, _ = router.match("GET", path.partition("?")[0])
    assert route is not None
    return await route.handler(request, placeholders)


async def test_a_description_is_in_the_language_asked_for_and_is_sent_once():
    english = await answer("/openapi.json")
    chinese = await answer("/openapi.json?lang=zh", {"Accept-Language": "en"})
    assert isinstance(english, web.Response)
    assert isinstance(chinese, web.Response)
    assert orjson.loads(english.body)["info"]["title"] == "Node"
    assert orjson.loads(chinese.body)["info"]["title"] == "节点"
    again = await answer("/openapi.json", {"If-None-Match": english.headers["ETag"]})
    assert again.status == 304


@pytest.mark.parametrize(("path", "language"), [("/docs", "en"), ("/docs?lang=zh", "zh"), ("/docs?lang=zh-CN", "zh")])
async def test_the_documentation_page_asks_nobody_but_the_node(path, language):
    page = await answer(path)
    assert isinstance(page, web.Response)
    assert page.text is not None
    assert f'<html lang="{language}">' in page.text
    assert "http:" not in page.text
    assert "https:" not in page.text
    assert 'load-fonts="false"' in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


async def test_the_program_of_the_page_is_there_under_a_name_that_never_changes_meaning():
    program = await answer("/docs/rapidoc-9.3.8.min.js")
    assert isinstance(program, web.FileResponse)
    assert program.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in program.headers["Cache-Control"]
    assert program._path.is_file()
