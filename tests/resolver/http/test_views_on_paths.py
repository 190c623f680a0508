"""Partners, regulators and owners see their own view on every path that shows a record, and no cache keeps it."""

import asyncio
import base64
import json

import pytest

from registry.handle import Handle
from registry.transaction import begin
from registry.value import HandleValue
from tests.resolver.http.views_lab import ADMINS, NOBODYS, OWN, PUBLIC, marks, open_matrix

RULES = {"COST": ["partner"], "PACKED_IN": ["partner"], "MIX.": ["regulator"], "URL": ["partner"], "10320/loc": []}
VALUES = [("DESC", PUBLIC), ("COST", ADMINS), ("MIX.A", ADMINS), ("SEED", NOBODYS)]
SEEN = {
    "public": {"mark-new-1"},
    "other": {"mark-new-1"},
    "friend": {"mark-new-1", "mark-new-2"},
    "friend token": {"mark-new-1", "mark-new-2"},
    "regulator": {"mark-new-1", "mark-new-3"},
    "owner": {"mark-new-1", "mark-new-2", "mark-new-3"},
    "owner token": {"mark-new-1", "mark-new-2", "mark-new-3"},
}
AS = {"public": "public", "partner": "friend", "regulator": "regulator", "owner": "owner"}
HTML, LINKS = {"Accept": "text/html"}, {"Accept": "application/linkset+json"}


@pytest.fixture
async def matrix(database_dsn, tmp_path):
    async with open_matrix(database_dsn, tmp_path) as matrix:
        await matrix.say(RULES, friends=True)
        yield matrix


async def write(matrix, name, *values):
    async with begin(matrix.store, "test") as transaction:
        await transaction.create(Handle.from_text(name), values)
    return name


async def ask(matrix, who, path, body=None, **headers):
    method = "GET" if body is None else "POST"
    return await asyncio.to_thread(matrix.client.ask, method, path, body, matrix.headers[who] | headers)


def read(reply):
    text = reply.body.decode()
    if "payload" in text[:20]:
        payload = json.loads(text)["payload"]
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    return text


async def test_everybody_sees_his_own_view_on_pages_trees_and_in_bundles(matrix):
    name, _, _ = await matrix.register(VALUES)
    for who, seen in SEEN.items():
        for path, body, headers in (
            (f"/{name}?noredirect", None, HTML),
            (f"/api/tree/{name}", None, {}),
            ("/api/bundle", [name], {}),
            ("/api/bundle?depth=2", [name], {}),
        ):
            reply = await ask(matrix, who, path, body, **headers)
            assert (reply.status, marks(read(reply))) == (200, seen), (who, path)
            if seen != SEEN["public"]:
                assert reply.headers["Cache-Control"] == "private, no-store", (who, path)
                assert "Authorization" in reply.headers["Vary"]
                assert reply.headers["ETag"] is None


async def test_an_owner_sees_on_each_of_them_what_another_audience_would(matrix):
    name, _, _ = await matrix.register(VALUES)
    for audience, who in AS.items():
        for path, body, headers in (
            (f"/{name}?noredirect&as={audience}", None, HTML),
            (f"/api/tree/{name}?as={audience}", None, {}),
            (f"/api/bundle?as={audience}", [name], {}),
        ):
            reply = await ask(matrix, "owner", path, body, **headers)
            assert marks(read(reply)) == SEEN[who], (audience, path)
            refused = 200 if audience == "public" else 403
            for stranger, status in (("public", 401), ("other", refused), ("owner token", 200)):
                reply = await ask(matrix, stranger, path, body, **headers)
                if "bundle" not in path or stranger == "public":
                    assert reply.status == status, (audience, stranger, path, reply.body)
                assert stranger == "owner token" or not marks(read(reply)) - SEEN["public"]
    reply = await ask(matrix, "owner", f"/{name}?noredirect&as=everybody", None, **HTML)
    assert reply.status == 400


async def test_what_is_hidden_leads_only_those_on_who_may_read_it(matrix):
    name = await write(
        matrix,
        f"{OWN}/LEADS",
        HandleValue(1, "URL", b"https://example.com/partners", permissions=ADMINS),
        HandleValue(2, "DESC", b"x"),
    )
    located = b'<locations><location href="https://example.com/ours"/></locations>'
    ours = await write(matrix, f"{OWN}/LOCATED", HandleValue(1, "10320/loc", located, permissions=ADMINS))
    for who in SEEN:
        reply = await ask(matrix, who, f"/{name}", None, **HTML)
        leads = who.startswith(("friend", "owner"))
        assert reply.status == (302 if leads else 200), who
        assert (reply.headers["Location"] == "https://example.com/partners") == leads
        assert leads == (b"example.com/partners" in reply.body)
        assert not leads or (reply.headers["Cache-Control"], reply.headers["Expires"]) == ("private, no-store", None)
        reply = await ask(matrix, who, f"/{ours}", None, **HTML)
        assert (reply.headers["Location"] == "https://example.com/ours") == who.startswith("owner"), who
    reply = await ask(matrix, "owner", f"/{name}?as=regulator", None, **HTML)
    assert reply.status == 200


async def test_link_sets_have_the_links_that_the_reader_may_read(matrix):
    def link(index, relation, page, permissions):
        form = {"rel": relation, "href": f"https://example.com/{page}", "title": page}
        return HandleValue(index, "LINK", json.dumps(form).encode(), permissions=permissions)

    name = await write(
        matrix,
        f"{OWN}/LINKED",
        HandleValue(1, "URL", b"https://example.com/partners", permissions=ADMINS),
        link(2, "gs1:pip", "pip", PUBLIC),
        link(3, "gs1:traceability", "cost", ADMINS),
    )
    for who in SEEN:
        reply = await ask(matrix, who, f"/{name}", None, **LINKS)
        assert reply.status == 200
        assert (b"example.com/partners" in reply.body) == who.startswith(("friend", "owner")), (who, reply.body)
        assert (b"example.com/cost" in reply.body) == who.startswith(("regulator", "owner")), who
        assert b"example.com/pip" in reply.body
        followed = await ask(matrix, who, f"/{name}?linkType=gs1:traceability", None, **LINKS)
        assert (followed.status == 307) == who.startswith(("regulator", "owner")), (who, followed.status)
        if who not in ("public", "other"):
            assert reply.headers["Cache-Control"] == "private, no-store"
    reply = await ask(matrix, "public", f"/{name}?linkType=linkset&as=owner", None, **LINKS)
    assert reply.status == 401
    reply = await ask(matrix, "owner", f"/{name}?linkType=linkset&as=public", None, **LINKS)
    assert b"partners" not in reply.body


async def test_a_tree_has_what_is_in_it_by_links_and_lists_that_the_reader_may_read(matrix):
    pallet = await write(
        matrix, f"{OWN}/PALLET", HandleValue(1, "MEMBERS", f"{OWN}/LISTED".encode(), permissions=ADMINS)
    )
    await write(matrix, f"{OWN}/LISTED", HandleValue(1, "DESC", b"x"))
    await write(matrix, f"{OWN}/OPEN", HandleValue(1, "PACKED_IN", pallet.encode()))
    await write(matrix, f"{OWN}/CLOSED", HandleValue(1, "PACKED_IN", pallet.encode(), permissions=ADMINS))
    await write(matrix, f"{OWN}/SEALED", HandleValue(1, "PACKED_IN", pallet.encode(), permissions=NOBODYS))
    inside = {"public": {"OPEN"}, "other": {"OPEN"}, "friend": {"OPEN", "CLOSED"}, "regulator": {"OPEN", "LISTED"}}
    inside["owner"] = {"OPEN", "CLOSED", "LISTED"}
    for who, suffixes in inside.items():
        reply = await ask(matrix, who, f"/api/tree/{pallet}")
        assert {one["handle"].partition("/")[2] for one in reply.json["contents"]} == suffixes, who
        bundle = json.loads(read(await ask(matrix, who, "/api/bundle?depth=1", [pallet])))
        assert set(bundle["contents"][pallet]["contents"]) == {f"{OWN}/{suffix}" for suffix in suffixes}, who
    for audience, who in AS.items():
        reply = await ask(matrix, "owner", f"/api/tree/{pallet}?as={audience}")
        assert {one["handle"].partition("/")[2] for one in reply.json["contents"]} == inside[who], audience


async def test_what_somebody_saw_is_not_shown_to_the_next_one(matrix):
    name, _, _ = await matrix.register(VALUES)
    for path in (f"/{name}?noredirect", f"/api/tree/{name}"):
        for who in ("owner", "public", "regulator", "public", "friend", "public"):
            assert marks(read(await ask(matrix, who, path, None, **HTML))) == SEEN[who], (who, path)


async def test_a_token_that_holds_no_more_is_refused_and_not_taken_for_a_stranger(matrix):
    name, _, _ = await matrix.register(VALUES)
    for path, headers in ((f"/{name}?noredirect", HTML), (f"/api/tree/{name}", {}), (f"/{name}", LINKS)):
        sent = {"Authorization": "Bearer fil_nonsense", **headers}
        reply = await asyncio.to_thread(matrix.client.ask, "GET", path, None, sent)
        assert reply.status == 401, (path, reply.body)
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


async def registry(matrix, who, path):
    return await matrix.ask_registry(path, matrix.headers[who])


async def test_chains_lead_those_on_who_may_read_the_links(matrix):
    batch = await write(matrix, f"{OWN}/BATCH", HandleValue(1, "DESC", b"x"))
    for suffix, relation, permissions in (
        ("OPEN", "MADE_FROM", PUBLIC),
        ("CLOSED", "PACKED_IN", ADMINS),
        ("SEALED", "MADE_FROM", NOBODYS),
        ("KEPT", "MADE_FROM", ADMINS),
    ):
        cost = HandleValue(2, "COST", f"cost-{suffix}".encode(), permissions=ADMINS)
        end = f"{OWN}/BOX" if relation == "PACKED_IN" else batch
        await write(matrix, f"{OWN}/{suffix}", HandleValue(1, relation, end.encode(), permissions=permissions), cost)
    back = {"owner": {"CLOSED"}, "owner token": {"CLOSED"}, "regulator": set()}  # PACKED_IN is for partners.
    for who in back:
        status, text = await registry(matrix, who, f"/api/trace/{batch}?direction=forward")
        assert {one["handle"].partition("/")[2] for one in json.loads(text)["handles"]} == {"OPEN", "KEPT"}, who
        status, text = await registry(matrix, who, f"/api/trace/{OWN}/BOX?direction=backward")
        assert status == 200
        assert {one["handle"].partition("/")[2] for one in json.loads(text)["handles"]} == back[who], who
        status, text = await registry(matrix, who, f"/api/recall/{batch}?fields=COST")
        assert (status, "cost-OPEN" in text) == (200, who != "regulator"), who
        assert "SEALED" not in text
    for audience, told in (("public", {"OPEN"}), ("partner", {"OPEN"}), ("regulator", {"OPEN", "KEPT"})):
        status, text = await registry(matrix, "owner", f"/api/trace/{batch}?direction=forward&as={audience}")
        assert {one["handle"].partition("/")[2] for one in json.loads(text)["handles"]} == told, audience
        status, text = await registry(matrix, "owner", f"/api/recall/{batch}?fields=COST&as={audience}")
        assert ("cost-OPEN" in text) == (audience == "partner"), audience
    for who in ("public", "friend", "other"):
        assert (await registry(matrix, who, f"/api/trace/{batch}"))[0] in (401, 403), who


async def test_a_search_finds_what_the_reader_may_read(matrix):
    name, _, _ = await matrix.register(VALUES)
    for value_type, data, finders in (
        ("COST", "mark-new-2", {"owner", "owner token", "owner partner"}),
        ("SEED", "mark-new-4", set()),
    ):
        path = f"/api/search?prefix={OWN}&type={value_type}&value={data}-{name[-6:]}"
        for who in ("owner", "owner token", "regulator"):
            assert (name in (await registry(matrix, who, path))[1]) == (who in finders), (who, value_type)
        for audience in ("public", "partner", "regulator"):
            _, text = await registry(matrix, "owner", f"{path}&as={audience}")
            assert (name in text) == (f"owner {audience}" in finders), (audience, value_type)
        assert (await registry(matrix, "regulator", f"{path}&as=owner"))[0] == 403
        assert (await registry(matrix, "friend", path))[0] == 403


async def test_a_history_is_seen_as_others_would(matrix):
    name, _, _ = await matrix.register(VALUES)
    for audience, who in AS.items():
        _, text = await registry(matrix, "owner", f"/api/history/{name}?version=2&as={audience}")
        assert marks(text) == SEEN[who], audience
    assert (await registry(matrix, "regulator", f"/api/history/{name}?version=2&as=owner"))[0] == 403


async def test_a_regulator_is_told_the_views_neither_alone_nor_in_an_archive(matrix):
    await matrix.register(VALUES)
    for who, status in (("owner", 200), ("owner token", 200), ("regulator", 403), ("friend", 403), ("public", 401)):
        assert (await registry(matrix, who, f"/api/views?prefix={OWN}"))[0] == status, who
        got, text = await registry(matrix, who, f"/api/export?prefix={OWN}")
        assert (got == 200) == (who not in ("friend", "public")), (who, text)
        assert ('{"views":' in text) == (status == 200), who


async def test_a_page_says_with_whose_eyes_it_is_seen_and_leads_to_those_of_others(matrix):
    name, _, _ = await matrix.register(VALUES)
    for who, query, language, said, leads in (
        ("public", "", "en", "", ()),
        ("friend", "", "en", "Shown as you may read it", ("public",)),
        ("owner", "", "zh", "按您的阅读权限显示", ("public",)),
        ("owner", "&as=partner", "en", "Shown as partners see it", ("public", "regulator", "owner")),
        ("owner", "&as=public", "zh", "公众看到的内容", ("partner", "regulator", "owner")),
    ):
        page = read(await ask(matrix, who, f"/{name}?noredirect&lang={language}{query}", None, **HTML))
        assert said in page, (who, query)
        for audience in AS:
            led = f"noredirect&amp;lang={language}&amp;as={audience}" in page
            assert led == (audience in leads), (who, query, audience)
