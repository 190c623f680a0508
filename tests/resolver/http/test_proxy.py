"""The proxy with a resolver that answers what it is told; the captured exchanges are the reference server's."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from registry.errors import ServerBusy
from registry.handle import Handle, HandleKey, fold_whole
from registry.names import Names
from registry.packing import PackedRecord, pack
from registry.prefix import Prefix, PrefixTable
from registry.routes import percent_decode
from registry.value import HandleValue
from resolver.answer import MISSING, NOT_RESPONSIBLE, Answer, found
from resolver.listeners.http.front import Front
from resolver.listeners.http.proxy import Proxy
from resolver.settings import ResolverSettings

NOW = 1_800_000_000
LOCATIONS = (
    b'<locations chooseby="locatt,country,weighted">'
    b'<location id="0" href="http://uk.example.org/" country="gb" weight="0"/>'
    b'<location id="1" href="http://www1.example.org/" weight="1"/></locations>'
)
RECORDS: Mapping[str, tuple[HandleValue, ...]] = {
    "88.118.1/PX": (
        HandleValue(1, "URL", b"http://example.org/px?a=1", ttl=3600),
        HandleValue(2, "EMAIL", b"px@example.org"),
    ),
    "88.118.1/AL": (HandleValue(1, "HS_ALIAS", b"88.118.1/PX"), HandleValue(2, "URL", b"http://not.example.org/")),
    "88.118.1/AWAY": (HandleValue(1, "HS_ALIAS", b"/evil.example/x"),),
    "88.118.1/NOURL": (HandleValue(2, "EMAIL", b"px@example.org"),),
    "88.118.1/LOC": (
        HandleValue(1, "10320/loc", LOCATIONS),
        HandleValue(2, "URL", b"http://fallback.example.org/"),
    ),
    "88.118.1/BROKEN": (
        HandleValue(1, "10320/loc", b"<locations>"),
        HandleValue(2, "URL", b"http://fallback.example.org/"),
    ),
    "88.118.1/TYPED": (
        HandleValue(1, "URL.web", b"http://second.example/"),
        HandleValue(2, "URL", b"http://a.example/"),
    ),
    "88.118.1/SCRIPT": (HandleValue(1, "URL", b"javascript:alert(1)"),),
    "88.118.1/MARKUP": (
        HandleValue(1, "<b>", b"<script>alert(1)</script>"),
        HandleValue(2, "MEMBERS", b"88.118.1/PX\n88.118.1/AL\n99.1/elsewhere"),
        HandleValue(3, "HS_SECKEY", b"secret", permissions=12),
    ),
    "88.118.1/纱锭 1": (HandleValue(1, "DESC", "涤纶长丝".encode()),),
}


class Store:
    key_of = staticmethod(fold_whole)
    prefixes = PrefixTable([Prefix(1, b"88.118.1", "88.118.1", homed=True)])


class Resolver:
    """Answers RECORDS; `busy` makes it refuse."""

    store = Store()
    names = Names(Store.key_of, lambda: Store.prefixes)
    staleness = 0.0
    busy = False

    def __init__(self) -> None:
        self.anew: list[HandleKey] = []

    async def resolve(self, key: HandleKey) -> Answer:
        if self.busy:
            raise ServerBusy("server.busy")
        for name, values in RECORDS.items():
            if fold_whole(name.encode()) == key:
                return found(PackedRecord(Handle.from_text(name), pack(values, NOW), NOW, 1), NOW)
        return MISSING if key.startswith(b"88.118.1/") else NOT_RESPONSIBLE

    async def resolve_authoritative(self, key: HandleKey) -> Answer:
        self.anew.append(key)
        return await self.resolve(key)


class Half:
    def random(self) -> float:
        return 0.5


async def json_api(_: web.Request, placeholders: Mapping[str, str]) -> web.StreamResponse:
    return web.json_response({"handle": percent_decode(placeholders["handle"]).decode()})


SETTINGS = ResolverSettings()


async def visit(path: str, resolver: Any = None, **headers: str) -> web.Response:
    proxy = Proxy(resolver or Resolver(), SETTINGS, json_api, None, Half(), lambda: NOW)
    request = make_mocked_request("GET", path, {name.replace("_", "-"): value for name, value in headers.items()})
    raw = path.partition("?")[0][1:]
    response = await (proxy.serve(request, {"handle": raw}) if raw else Front("Node").serve(request, {}))
    assert isinstance(response, web.Response)
    return response


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/88.118.1/PX", 302, "http://example.org/px?a=1"),
        ("/88.118.1/px", 302, "http://example.org/px?a=1"),
        ("/88.118.1/PX?urlappend=%26b%3D2", 302, "http://example.org/px?a=1&b=2"),
        ("/88.118.1/PX?noredirect=false", 302, "http://example.org/px?a=1"),
        ("/88.118.1%2FPX", 302, "http://example.org/px?a=1"),
        ("/hdl:88.118.1/PX", 302, "http://example.org/px?a=1"),
        ("/HDL%3A88.118.1/PX", 302, "http://example.org/px?a=1"),
        ("/doi:88.118.1/PX", 302, "http://example.org/px?a=1"),
        ("/urn:hdl:88.118.1/PX", 302, "http://example.org/px?a=1"),
        ("/info:hdl/88.118.1/PX", 302, "http://example.org/px?a=1"),
        ("/88.118.1/AL", 301, "/88.118.1/PX"),
        ("/88.118.1/AL?urlappend=%26b", 301, "/88.118.1/PX?urlappend=%26b"),
        ("/88.118.1/AL?ignore_aliases", 302, "http://not.example.org/"),
        ("/88.118.1/AWAY", 301, "/%2Fevil.example/x"),
        ("/88.118.1/LOC", 302, "http://www1.example.org/"),
        ("/88.118.1/LOC?locatt=id:0", 302, "http://uk.example.org/"),
        ("/88.118.1/LOC?country=gb", 302, "http://uk.example.org/"),
        ("/88.118.1/LOC?action=showlocs", 302, "http://www1.example.org/"),
        ("/88.118.1/BROKEN", 302, "http://fallback.example.org/"),
        ("/88.118.1/TYPED", 302, "http://a.example/"),
        ("/88.118.1/PX?redirectionHeaders", 200, "http://example.org/px?a=1"),
        ("/88.118.1/PX?noredirect", 200, None),
        ("/88.118.1/PX?type=EMAIL", 200, None),
        ("/88.118.1/PX?index=2", 200, None),
        ("/88.118.1/AL?noredirect", 200, None),
        ("/88.118.1/NOURL", 200, None),
        ("/88.118.1/SCRIPT", 200, None),
        ("/88.118.1/PX?index=two", 400, None),
        ("/88.118.1/none", 404, None),
        ("/99.999/abc", 400, None),
        ("/88.118.1/%ZZ", 400, None),
        ("/88.118.1/%FF", 400, None),
        ("/" + "a" * 2049, 400, None),
    ],
)
async def test_a_visitor_gets_the_status_and_the_address(path, status, location):
    response = await visit(path)
    assert response.status == status
    assert response.headers.get("Location") == location
    assert response.content_type == "text/html"


async def test_a_redirect_may_be_kept_for_as_long_as_its_value():
    response = await visit("/88.118.1/PX")
    assert response.headers["Expires"] == "Fri, 15 Jan 2027 09:00:00 GMT"
    assert response.headers["Cache-Control"] == "max-age=3600"
    assert response.text is not None
    assert '<a href="http://example.org/px?a=1">' in response.text


async def test_a_filter_shows_only_the_values_asked_for():
    page = (await visit("/88.118.1/PX?type=email")).text
    assert page is not None
    assert "px@example.org" in page
    assert "example.org/px" not in page


async def test_values_are_shown_as_text_and_never_as_markup():
    page = (await visit("/88.118.1/MARKUP")).text
    assert page is not None
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;b&gt;" in page


async def test_a_value_that_the_public_may_not_read_is_not_on_the_page():
    page = (await visit("/88.118.1/MARKUP?index=3")).text
    assert page is not None
    assert "secret" not in page
    assert "HS_SECKEY" not in page


async def test_handles_of_this_node_are_links_that_stay_on_pages():
    page = (await visit("/88.118.1/MARKUP", Accept_Language="zh")).text
    assert page is not None
    assert 'href="/88.118.1/PX?noredirect&amp;lang=zh"' in page
    assert 'href="/99.1/elsewhere' not in page


async def test_a_page_is_in_the_language_of_its_reader():
    english = await visit("/88.118.1/NOURL", Accept_Language="de,en;q=0.5")
    chinese = await visit("/88.118.1/NOURL?lang=zh", Accept_Language="en")
    assert english.text is not None
    assert chinese.text is not None
    assert '<html lang="en">' in english.text
    assert "About this record" in english.text
    assert '<html lang="zh">' in chinese.text
    assert "登记信息" in chinese.text
    assert english.headers["Vary"] == "Accept, Accept-Language, Accept-Encoding, Authorization"


async def test_a_name_in_chinese_with_a_space_is_found_and_shown():
    page = (await visit("/88.118.1/%E7%BA%B1%E9%94%AD%201")).text
    assert page is not None
    assert "涤纶长丝" in page
    assert 'href="/api/handles/88.118.1/%E7%BA%B1%E9%94%AD%201?pretty"' in page


async def test_an_address_that_nobody_is_sent_to_is_shown_with_the_reason():
    page = (await visit("/88.118.1/SCRIPT")).text
    assert page is not None
    assert "javascript:alert(1)" in page
    assert 'href="javascript' not in page
    assert "only shown" in page


async def test_a_scheme_that_the_node_does_not_allow_is_not_followed():
    settings = dataclasses.replace(SETTINGS, redirect_schemes=("https",))
    proxy = Proxy(Resolver(), settings, json_api, None, Half(), lambda: NOW)  # type: ignore[arg-type]  # answers when told to
    response = await proxy.serve(make_mocked_request("GET", "/88.118.1/PX"), {"handle": "88.118.1/PX"})
    assert response.status == 200


async def test_a_page_says_since_when_it_may_be_out_of_date():
    resolver = Resolver()
    assert "75 s" not in str((await visit("/88.118.1/NOURL", resolver)).text)
    resolver.staleness = 75.2
    stale = await visit("/88.118.1/NOURL", resolver)
    assert "75 s" in str(stale.text)
    assert stale.headers["Age"] == "75"


async def test_a_stale_redirect_says_its_age():
    resolver = Resolver()
    assert "Age" not in (await visit("/88.118.1/PX", resolver)).headers
    resolver.staleness = 75.2
    assert (await visit("/88.118.1/PX", resolver)).headers["Age"] == "75"


async def test_a_busy_node_says_so_and_when_to_come_back():
    resolver = Resolver()
    resolver.busy = True
    response = await visit("/88.118.1/PX", resolver)
    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.text is not None
    assert "Try again" in response.text


async def test_the_cache_is_passed_over_on_request():
    resolver = Resolver()
    await visit("/88.118.1/PX", resolver)
    assert resolver.anew == []
    await visit("/88.118.1/PX?auth", resolver)
    assert resolver.anew == [b"88.118.1/PX"]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("application/json;q=0.5, text/html", "text/html"),
        ("application/json;q=x", "text/html"),
        ("*/*", "text/html"),
        ("", "text/html"),
    ],
)
async def test_who_prefers_json_gets_the_answer_of_the_api(accept, media_type):
    response = await visit("/hdl:88.118.1/PX", Accept=accept)
    assert response.content_type == media_type
    if media_type == "application/json":
        assert response.text == '{"handle": "88.118.1/PX"}'


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("?handle=88.118.1/PX", "/88.118.1/PX?lang=en"),
        ("?handle=%20hdl:88.118.1/PX%20&noredirect=true&lang=zh", "/88.118.1/PX?noredirect&lang=zh"),
        ("?handle=/evil.example", "/%2Fevil.example?lang=en"),
        ("?handle=88.118.1/%E7%BA%B1%3F%23%0D%0A", "/88.118.1/%E7%BA%B1%3F%23?lang=en"),
        ("?handle=a%0D%0ASet-Cookie:b", "/a%0D%0ASet-Cookie:b?lang=en"),
    ],
)
async def test_the_form_leads_to_the_identifier_that_was_typed(query, location):
    response = await visit("/" + query)
    assert response.status == 302
    assert response.headers["Location"] == location


async def test_the_start_page_has_the_form_and_the_way_to_the_documentation():
    page = (await visit("/")).text
    assert page is not None
    assert 'name="handle"' in page
    assert 'href="/docs?lang=en"' in page
