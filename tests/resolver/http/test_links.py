"""Digital Links and typed links over HTTP: each check of GS1's own suite, and what the standard says beside it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from registry.handle import Handle
from registry.links import LINK
from registry.settings import RegistrySettings
from registry.standing import Standing, State
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from resolver.node import Node
from tests.resolver.http.gs1_suite import LINKSET_SCHEMA, Suite
from tests.resolver.http.lab import Reply, lab, using

GTIN = "09506000134352"
PRODUCT = f"/01/{GTIN}"
BATCH, ITEM = f"{PRODUCT}/10/LOT7", f"{PRODUCT}/10/LOT7/21/S1"
PAGES = "https://brand.example/p"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def link(index: int, rel: str, href: str, **members: object) -> HandleValue:
    form = {"rel": rel, "href": href, "title": f"Title {index} & <b>标题</b>", **members}
    return HandleValue(index, LINK, json.dumps(form).encode(), ttl=600)


def hidden(value: HandleValue) -> HandleValue:
    return HandleValue(value.index, value.type, value.data, permissions=0b1100)


HANDLES = {
    f"gs1/01/{GTIN}": (
        link(1, "gs1:pip", f"{PAGES}?l=zh", type="text/html", hreflang=["zh"], default=True),
        link(2, "gs1:pip", f"{PAGES}/en", type="text/html", hreflang=["en"], default=True),
        link(3, "gs1:instructions", f"{PAGES}/a.pdf", type="application/pdf"),
        link(4, "gs1:instructions", f"{PAGES}/b.pdf", type="application/pdf"),
        link(5, "gs1:instructions", f"{PAGES}/c.html", type="text/html", hreflang=["zh-Hans"]),
        link(6, "gs1:certificationInfo", f"{PAGES}/cert", context=["CN"]),
        link(7, "gs1:certificationInfo", f"{PAGES}/cert/eu", context=["EU"]),
        link(8, "gs1:traceability", f"{PAGES}/trace"),
        hidden(link(9, "gs1:hidden", f"{PAGES}/hidden")),
        link(10, "related", "http://10.0.0.1/private"),
    ),
    f"gs1/01/{GTIN}/10/LOT7": (link(1, "gs1:recallStatus", f"{PAGES}/recall"),),
    f"gs1/01/{GTIN}/21/S1": (HandleValue(1, "URL", b"https://brand.example/item/S1"),),
    f"gs1/01/{GTIN}/10/LOT7/21/S2": (link(1, "gs1:dpp", f"{PAGES}/S2", type="text/html"),),
    "gs1/414/9506000117843": (HandleValue(1, "URL", b"https://brand.example/site"),),
    "gs1/00/106141412345678908": (HandleValue(1, "DESC", "托盘".encode()),),
    "gs1/8004/95060001A%2FB": (HandleValue(1, "URL", b"https://brand.example/asset"),),
    "gs1/402/06141411234567890": (HandleValue(1, "URL", b"javascript:alert(1)"),),
    "gs1/8018/061414112345678902": (HandleValue(1, "HS_ALIAS", b"88.118.1/LINKED"),),
    "88.118.1/LINKED": (
        HandleValue(1, "URL", b"http://example.org/x"),
        link(2, "gs1:epil", f"{PAGES}/leaflet", type="application/pdf"),
    ),
}


@pytest.fixture
async def node(database_dsn: str, tmp_path: Path) -> AsyncIterator[Node]:
    async with lab(database_dsn, tmp_path, HANDLES) as node:
        yield node


async def get(node: Node, path: str, method: str = "GET", **headers: str) -> Reply:
    return await using(node, lambda client: client.ask(method, path, headers={"Host": "id.example"} | headers))


async def test_every_check_of_the_suite_of_gs1_passes(node):
    paths = (PRODUCT, BATCH, f"{BATCH}/21/S2", f"{PRODUCT}/21/S1", "/414/9506000117843", "/8004/95060001A%2FB")
    for path in paths:
        verdicts = await using(
            node, lambda client, path=path: list(Suite(client, f"http://id.example{path}").verdicts())
        )
        assert (path, [name for name, passed in verdicts if not passed]) == (path, [])
        assert len(verdicts) > 20


LEADS = [
    (PRODUCT, {}, f"{PAGES}?l=zh"),
    (PRODUCT, {"Accept-Language": "en-GB, zh;q=0.5"}, f"{PAGES}/en"),
    (PRODUCT, {"Accept-Language": "de"}, f"{PAGES}?l=zh"),
    (PRODUCT, {**BROWSER, "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}, f"{PAGES}?l=zh"),
    (f"{PRODUCT}?17=261231;3103=000195&x", {}, f"{PAGES}?l=zh&17=261231;3103=000195&x"),
    (f"{PRODUCT}?linkType=gs1:traceability", {}, f"{PAGES}/trace?linkType=gs1:traceability"),
    (
        f"{PRODUCT}?linkType=https://gs1.org/voc/traceability",
        {},
        f"{PAGES}/trace?linkType=https://gs1.org/voc/traceability",
    ),
    (f"{PRODUCT}?linkType=gs1:defaultLink&q", {"Accept-Language": "en"}, f"{PAGES}?l=zh&linkType=gs1:defaultLink&q"),
    (
        f"{PRODUCT}?linkType=gs1:certificationInfo&context=CN",
        {},
        f"{PAGES}/cert?linkType=gs1:certificationInfo&context=CN",
    ),
    (BATCH, {}, f"{PAGES}/recall"),
    (f"{BATCH}?linkType=gs1:pip", {"Accept-Language": "en"}, f"{PAGES}/en?linkType=gs1:pip"),
    (ITEM, {}, "https://brand.example/item/S1"),
    (f"{ITEM}?linkType=gs1:recallStatus", {}, f"{PAGES}/recall?linkType=gs1:recallStatus"),
    (f"{PRODUCT}/10/OTHER/21/OTHER", {}, f"{PAGES}?l=zh"),
    (f"{PRODUCT}/22/V/10/LOT7/21/OTHER", {}, f"{PAGES}/recall"),
    ("/01/9506000134352", {}, f"{PAGES}?l=zh"),
    ("/414/9506000117843/254/7", {}, "https://brand.example/site"),
    ("/8004/95060001A%2fB", {}, "https://brand.example/asset"),
    ("/8018/061414112345678902", {}, "http://example.org/x"),
    ("/gs1/8018/061414112345678902?linkType=gs1:epil", {}, f"{PAGES}/leaflet?linkType=gs1:epil"),
    ("/88.118.1/LINKED?linkType=gs1:epil", {}, f"{PAGES}/leaflet?linkType=gs1:epil"),
    ("/88.118.1/LINKED?linkType=describedby", {}, "http://example.org/x?linkType=describedby"),
]


async def test_a_question_leads_to_the_link_that_fits(node):
    for path, headers, location in LEADS:
        reply = await get(node, path, **headers)
        assert (path, reply.status, reply.headers["Location"]) == (path, 307, location)
        assert reply.headers["Vary"] == "Accept, Accept-Language, Authorization"
        assert reply.headers["Cache-Control"].startswith("max-age=")


WRONG = [
    ("/01/09506000134353", 400, "2"),
    (f"{PRODUCT}/21/S1/10/LOT7", 400, "22, 10, 21"),
    (f"{PRODUCT}/17/261231", 400, "17"),
    (f"{PRODUCT}?17=1", 400, "(17)"),
    (f"{PRODUCT}?7777=1", 400, "7777"),
    (f"{PRODUCT}/10/{'x' * 21}", 400, "X..20"),
    (f"{PRODUCT}//10/A", 400, "GS1"),
    (f"{PRODUCT}/10/%ff", 400, "UTF8"),
    ("/ARHKVAdpQg", 400, "compressed"),
    ("/eh3074257bf7194e4000001a85/", 400, "compressed"),
    ("/01/00012345678905", 404, "00012345678905"),
    ("/253/4012345000115X", 404, "253"),
    (f"{PRODUCT}?linkType=gs1:none", 404, "gs1:none"),
    (f"{PRODUCT}?{'x' * 7200}", 414, "7168"),
    ("/88.118.1/LINKED?linkType=gs1:pip", 404, "gs1:pip"),
    ("/88.118.1/NONE?linkType=gs1:pip", 404, "88.118.1/NONE"),
]


async def test_what_is_wrong_or_not_there_is_said_with_the_status_of_the_standard(node):
    for path, status, told in WRONG:
        reply = await get(node, path)
        assert (path, reply.status, reply.headers["Location"]) == (path, status, None)
        assert told in reply.json["message"]
        page = await get(node, path, **BROWSER)
        assert (path, page.status, page.headers["Location"]) == (path, status, None)
        assert told.replace("'", "&#x27;") in page.body.decode() or status != 400
        assert "<html" in page.body.decode() or status == 414


async def test_the_link_set_has_every_level_and_no_link_that_nobody_may_see_or_follow(node):
    reply = await get(node, f"{ITEM}?linkType=linkset")
    assert [level["anchor"] for level in reply.json["linkset"]] == [
        f"http://id.example{PRODUCT}/21/S1",
        f"http://id.example{BATCH}",
        f"http://id.example{PRODUCT}",
    ]
    assert "https://ref.gs1.org/voc/defaultLinkMulti" not in reply.json["linkset"][2]
    product = (await get(node, f"{PRODUCT}?linkType=linkset")).json["linkset"][0]
    assert "https://ref.gs1.org/voc/hidden" not in product
    assert "related" not in product
    assert [one["href"] for one in product["https://ref.gs1.org/voc/defaultLinkMulti"]] == [
        f"{PAGES}?l=zh",
        f"{PAGES}/en",
    ]
    tags = [one.get("hreflang") for one in product["https://ref.gs1.org/voc/instructions"]]
    assert tags == [None, None, ["zh"]]
    assert reply.headers["Link"].startswith("</linkset-context.jsonld>")


async def test_the_form_of_a_link_set_is_the_one_that_the_client_names(node):
    plain = await get(node, PRODUCT, Accept="application/json")
    assert (plain.status, plain.headers["Content-Type"]) == (200, "application/json")
    linked = await get(node, f"{PRODUCT}?linkType=linkset", Accept="application/ld+json, text/html;q=0.5")
    assert linked.headers["Content-Type"] == "application/ld+json"
    assert linked.json["@context"] == (await get(node, "/linkset-context.jsonld")).json["@context"]
    page = await get(node, f"{PRODUCT}?linkType=linkset", **BROWSER)
    assert page.headers["Content-Type"].startswith("text/html")
    text = page.body.decode()
    assert "<b>标题" not in text.replace("<b>Title", "")
    assert 'type="application/ld+json"' in text
    handle = await get(node, "/88.118.1/LINKED", Accept="application/linkset+json")
    assert handle.json["linkset"][0]["anchor"] == "http://id.example/88.118.1/LINKED"
    assert set(LINKSET_SCHEMA["required"]) <= set(handle.json)


async def test_a_link_set_that_the_client_has_is_not_sent_again(node):
    first = await get(node, f"{PRODUCT}?linkType=linkset")
    again = await get(node, f"{PRODUCT}?linkType=linkset", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


async def test_several_links_of_equal_right_are_listed(node):
    reply = await get(node, f"{PRODUCT}?linkType=gs1:instructions", Accept="application/pdf")
    assert (reply.status, reply.headers["Location"]) == (300, None)
    [level] = reply.json["linkset"]
    assert [one["href"] for one in level["https://ref.gs1.org/voc/instructions"]] == [
        f"{PAGES}/a.pdf",
        f"{PAGES}/b.pdf",
    ]
    page = await get(node, f"{PRODUCT}?linkType=gs1:certificationInfo", **BROWSER)
    assert page.status == 300
    assert f"{PAGES}/cert/eu" in page.body.decode()


async def test_a_record_without_links_is_shown(node):
    reply = await get(node, "/00/106141412345678908", **BROWSER)
    assert reply.status == 200
    assert "托盘" in reply.body.decode()
    links = await get(node, "/00/106141412345678908", Accept="application/linkset+json")
    assert links.json == {"linkset": [{"anchor": "http://id.example/00/106141412345678908"}]}


async def test_the_page_of_a_record_shows_its_links_and_not_how_they_are_written(node):
    page = (await get(node, f"{PRODUCT}?noredirect&lang=zh", **BROWSER)).body.decode()
    assert f'href="{PAGES}/trace"' in page
    assert "链接" in page
    assert "http://10.0.0.1/private" not in page.replace("&quot;", '"').partition("<table")[0]


async def test_an_address_that_nobody_should_go_to_is_shown_and_no_link(node):
    reply = await get(node, "/402/06141411234567890", **BROWSER)
    assert reply.status == 200
    assert 'href="javascript' not in reply.body.decode()
    links = await get(node, "/402/06141411234567890", Accept="application/linkset+json")
    assert links.json == {"linkset": [{"anchor": "http://id.example/402/06141411234567890"}]}


async def test_an_item_that_was_withdrawn_is_not_answered_for_by_its_product(node, database_dsn):
    store = Store(RegistrySettings(dsn=database_dsn), "test")
    await store.open()
    await store.load_prefixes()
    async with begin(store, "test") as transaction:
        record = await transaction.lock(Handle.from_text(f"gs1/01/{GTIN}/21/S1"))
        assert record is not None
        await transaction.put_standing(record, Standing(State.REVOKED, 1_700_000_000, "test", reason="recall"))
    await store.close()
    await until_heard(node, f"{PRODUCT}/21/S1", 410)
    for path in (f"{PRODUCT}/21/S1", ITEM, f"{ITEM}?linkType=linkset", f"{ITEM}?linkType=gs1:pip"):
        reply = await get(node, path)
        assert (reply.status, reply.headers["Location"]) == (410, None)
        assert (await get(node, path, **BROWSER)).status == 410
    assert (await get(node, BATCH)).status == 307


async def until_heard(node: Node, path: str, status: int) -> None:
    async with asyncio.timeout(20):
        while (await get(node, path)).status != status:  # noqa: ASYNC110  # the change log is polled and tells nobody
            await asyncio.sleep(0.02)


async def test_a_code_of_gs1_in_any_writing_is_answered_for_by_its_product(node):
    for path in (
        f"/(01){GTIN}(21)NONE",
        f"/%5DC101{GTIN}10NONE%1D21NONE",
        "/urn:epc:id:sgtin:9506000.013435.NONE",
        f"/https:%2F%2Fid.gs1.org{PRODUCT}/21/NONE",
    ):
        page = await get(node, f"{path}?noredirect", **BROWSER)
        assert (path, page.status) == (path, 200)
        links = await get(node, f"{path}?linkType=gs1:traceability")
        assert (path, links.headers["Location"]) == (path, f"{PAGES}/trace?linkType=gs1:traceability")
        assert (await get(node, path, Accept="application/json")).status == 404
    assert (await get(node, f"{ITEM}?noredirect", **BROWSER)).status == 200
    assert (await get(node, "/01/00012345678905?noredirect", **BROWSER)).status in (400, 404)
    wrong = await get(node, "/(01)09506000134353?linkType=gs1:pip")
    assert (wrong.status, "2" in wrong.json["message"]) == (400, True)


async def test_what_is_no_question_for_links_is_a_visit_as_before(node):
    assert (await get(node, "/88.118.1/LINKED")).status == 302
    assert (await get(node, "/88.118.1/LINKED", Accept="application/json")).json["handle"] == "88.118.1/LINKED"
    assert (await get(node, "/88.118.1/LINKED?noredirect", **BROWSER)).status == 200


async def test_the_description_names_the_node_as_it_was_asked(node):
    form = (await get(node, "/.well-known/gs1resolver", Host="id.example:8000")).json
    assert form["resolverRoot"] == "http://id.example:8000"
    assert form["jsonLdContextLocation"] == "http://id.example:8000/linkset-context.jsonld"
    assert (await get(node, f"{PRODUCT}?linkType=linkset", Host="a<b>")).status == 400


async def test_a_key_of_another_system_that_begins_like_one_of_gs1_is_a_handle_where_its_prefix_is_homed(
    database_dsn, tmp_path
):
    handles = {"253/4012345000115X": (HandleValue(1, "URL", b"http://example.org/old"),)}
    async with lab(database_dsn, tmp_path, handles) as node:
        reply = await get(node, "/253/4012345000115X")
        assert (reply.status, reply.headers["Location"]) == (302, "http://example.org/old")


async def test_a_front_that_is_believed_says_that_the_client_asked_over_https(database_dsn, tmp_path):
    async with lab(database_dsn, tmp_path, HANDLES, trusted_proxies=("127.0.0.0/8",)) as node:
        secure = await get(node, "/.well-known/gs1resolver", **{"X-Forwarded-Proto": "https"})
        assert secure.json["resolverRoot"] == "https://id.example"
