"""Reading rights as a matrix: who asks, on which path, for values of every kind; what is hidden never leaks.

What each route answers is in test_views_by_route.py; here values and rules are drawn at random.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from registry.sealing import Sealer
from tests.resolver.http.views_lab import (
    ADMINS,
    AUDIENCES,
    FRIEND,
    NOBODYS,
    OWN,
    PUBLIC,
    audience_of,
    drawn_rules,
    drawn_values,
    marks,
    marks_of,
    may_read,
    open_matrix,
)

TYPES = ("URL", "COST", "MIX.A", "MIX.B", "SEED", "HS_SECKEY")
RULE_TYPES = ("COST", "MIX.", "mix.a", "SEED", "HS_SECKEY", "URL")
DAY = datetime.now(UTC).date() + timedelta(days=1)

VALUES = drawn_values(TYPES, 1, 7)
RULES = drawn_rules(RULE_TYPES)

# Each example is some hundred requests, so that few are made, and a failure is told as it was met.
FUZZED = settings(
    max_examples=6,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
async def matrix(database_dsn, tmp_path):
    async with open_matrix(database_dsn, tmp_path) as matrix:
        yield matrix


@FUZZED
@given(drawn=VALUES, rules=RULES, friends=st.booleans())
async def test_nobody_reads_on_any_path_what_is_hidden_from_him(matrix, drawn, rules, friends):
    await matrix.say(rules, friends=friends)
    name, old, new = await matrix.register(drawn)
    every = f"/api/handles/{name}"
    for who, headers in matrix.headers.items():
        audience = audience_of(who, friends=friends)
        by_token = who.endswith("token") or who == "regulator"

        def allowed(value, audience=audience, by_token=by_token):
            if by_token and value.type == "HS_SECKEY" and not value.permissions & 2:
                return False  # Whoever held it would be more than his token says.
            return may_read(audience or "public", value, rules)

        may_know = marks_of((*old, *new), allowed)
        now = marks_of(new, allowed)
        indexes = "&".join(f"index={value.index}" for value in new)
        answers = {
            "single": await matrix.ask("GET", every, **headers),
            "insisting": await matrix.ask("GET", f"{every}?publicOnly=false", **headers),
            "by index": await matrix.ask("GET", f"{every}?{indexes}", **headers),
            "by type": await matrix.ask("GET", f"{every}?type=COST&type=MIX.&type=HS_SECKEY", **headers),
            "anew": await matrix.ask("GET", f"{every}?auth=true", **headers),
            "signed": await matrix.ask("GET", f"{every}?sign=jws", **headers),
            "batch": await matrix.ask("POST", "/api/resolve", [name], **headers),
            "bundle": await matrix.ask("POST", "/api/bundle", [name], **headers),
            "page": await matrix.ask("GET", f"/{name}?noredirect", Accept="text/html", **headers),
            "links": await matrix.ask("GET", f"/{name}?linkType=linkset", **headers),
            "native": await matrix.ask_native(name, matrix.by.get(who)),
            "now": await matrix.ask_registry(f"/api/history/{quote(name)}?version=2", headers),
            "before": await matrix.ask_registry(f"/api/history/{quote(name)}?version=1", headers),
            "difference": await matrix.ask_registry(f"/api/history/{quote(name)}?version=2&since=1", headers),
            "feed": await matrix.ask_registry(f"/api/changes?prefix={OWN}", headers),
        }
        for path, (status, text) in answers.items():
            assert marks(text) <= may_know, (who, path, status, text)
        for path in ("single", "anew", "signed", "batch", "native"):
            if audience in ("partner", "regulator") or (audience == "public" and path != "native"):
                assert marks(answers[path][1]) == now, (who, path, answers[path])
        for value in new:
            if value.type in ("COST", "SEED"):
                path = f"/api/search?prefix={OWN}&type={value.type}&value={quote(value.text)}"
                _, text = await matrix.ask_registry(path, headers)
                assert name not in text or may_read(audience or "public", value, rules), (who, text)


@FUZZED
@given(drawn=VALUES, rules=RULES)
async def test_an_owner_sees_what_each_audience_would_and_nobody_else_does(matrix, drawn, rules):
    await matrix.say(rules, friends=True)
    name, _, new = await matrix.register(drawn)
    for audience in AUDIENCES:
        seen = marks_of(new, lambda value, audience=audience: may_read(audience, value, rules))
        path = f"/api/handles/{name}?as={audience}"
        for who in ("owner", "node"):
            status, text = await matrix.ask("GET", path, **matrix.headers[who])
            assert (status, marks(text)) == (200, seen), (audience, who, text)
            _, text = await matrix.ask("POST", f"/api/resolve?as={audience}", [name], **matrix.headers[who])
            assert marks(text) == seen
        own = {"friend": "partner", "regulator": "regulator"}
        for who in ("public", "other", "friend", "regulator", "other token"):
            status, text = await matrix.ask("GET", path, **matrix.headers[who])
            public = marks_of(new, lambda value: value.permissions & 2)
            assert marks(text) <= (seen if own.get(who) == audience else public), (audience, who, text)


async def test_a_proof_holds_nothing_that_is_hidden(matrix):
    await matrix.say({"COST": ["partner"]}, friends=True)
    name, _, _ = await matrix.register([("URL", PUBLIC), ("COST", ADMINS), ("SEED", NOBODYS)])
    sealer = Sealer(matrix.store, matrix.directory)
    while await sealer.step(DAY):
        pass
    for who in ("public", "friend", "owner"):
        status, text = await matrix.ask("GET", f"/api/proofs/{name}", **matrix.headers[who])
        assert status == 200
        assert marks(base64.b64decode(json.loads(text)["values"]).decode(errors="replace")) == {"mark-new-1"}


async def test_what_was_opened_is_closed_again_at_once(matrix):
    name, _, _ = await matrix.register([("COST", ADMINS)])
    for rules, friends, seen in (
        ({"COST": ["partner"]}, True, True),
        ({"COST": ["partner"]}, False, False),
        ({}, True, False),
    ):
        await matrix.say(rules, friends=friends)
        _, text = await matrix.ask("GET", f"/api/handles/{name}", **matrix.headers["friend"])
        assert ("mark-new-1" in text) == seen


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"views": [{"type": "COST", "audiences": ["everybody"]}]}, 400),
        ({"views": [{"type": "", "audiences": []}]}, 400),
        ({"views": [{"type": "A", "audiences": []}, {"type": "a", "audiences": []}]}, 400),
        ({"partners": ["no prefix"]}, 400),
        ({"partners": [f"88.118.{number}" for number in range(300)]}, 400),
        ({"readers": []}, 400),
    ],
)
async def test_views_that_make_no_sense_are_refused_and_change_nothing(matrix, form, status):
    await matrix.say({"COST": ["partner"]}, friends=True)
    path, owner = f"/api/views?prefix={OWN}", matrix.headers["owner"]
    async with matrix.registry.put(path, json=form, headers=owner) as answer:
        assert answer.status == status, await answer.text()
    async with matrix.registry.get(path, headers=owner) as answer:
        assert await answer.json() == {"partners": [FRIEND], "views": [{"type": "COST", "audiences": ["partner"]}]}


async def test_only_who_administers_a_prefix_says_and_sees_its_views(matrix):
    for who in ("friend", "other", "regulator", "owner token", "public"):
        async with matrix.registry.put(f"/api/views?prefix={OWN}", json={}, headers=matrix.headers[who]) as answer:
            assert answer.status in (401, 403), who
