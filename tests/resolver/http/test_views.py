"""Reading rights as a matrix: who asks, on which path, for values of every kind; what is hidden never leaks.

The oracle below knows permissions, rules and partners and nothing of the code. Each value holds a mark of its own, and
an answer of any form is searched for the marks of what its reader may not know.
"""

import asyncio
import base64
import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from registry.api import create_app
from registry.authentication import Administrator
from registry.enterprise import add_enterprise
from registry.errors import HandleError
from registry.handle import Handle
from registry.registration import Registration
from registry.sealing import Sealer
from registry.search import declare
from registry.settings import RegistrySettings
from registry.store import Store
from registry.tokens import Tokens, Wanted
from registry.transaction import begin
from registry.value import HandleValue, Reference, type_matches
from resolver.queries import Queries
from tests.resolver.http.lab import ADMINISTRATOR, SECRET, Client, basic, lab
from tests.resolver.native import query

OWN, FRIEND, OTHER = "88.118.7", "88.118.8", "88.118.9"
TYPES = ("URL", "COST", "MIX.A", "MIX.B", "SEED", "HS_SECKEY")
PUBLIC, ADMINS, NOBODYS = 0b1110, 0b1100, 0b0100
RULE_TYPES = ("COST", "MIX.", "mix.a", "SEED", "HS_SECKEY", "URL")
AUDIENCES = ("public", "partner", "regulator", "owner")
DAY = datetime.now(UTC).date() + timedelta(days=1)

VALUES = st.lists(
    st.tuples(st.sampled_from(TYPES), st.sampled_from((PUBLIC, ADMINS, ADMINS, NOBODYS))), min_size=1, max_size=7
)
RULES = st.dictionaries(
    st.sampled_from(RULE_TYPES), st.sets(st.sampled_from(("partner", "regulator"))).map(sorted), max_size=5
)

# Each example is some hundred requests, so that few are made, and a failure is told as it was met.
FUZZED = settings(
    max_examples=6,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def may_read(audience, value, rules):
    """The oracle."""
    if value.permissions & 2:
        return True
    if audience == "node":
        return True
    if not value.permissions & 8 or audience == "public":
        return False
    if audience == "owner":
        return True
    if value.type.startswith("HS_"):
        return False
    said = [opened for named, opened in rules.items() if type_matches(value.type, named)]
    return any(audience in opened for opened in said) if said else audience == "regulator"


class Matrix:
    """A node and its registry, with an enterprise whose values are read, its partner, another one, and a regulator."""

    def __init__(self, node, store, client, registry, directory):
        self.node, self.store, self.client, self.registry, self.directory = node, store, client, registry, directory
        self.numbers = iter(range(1, 1_000_000))
        self.headers, self.by = {"public": {}}, {}

    async def people(self):
        """Who asks: by key and by token."""
        tokens, keys = Tokens(self.store), {"owner": OWN, "friend": FRIEND, "other": OTHER}
        for who, prefix in keys.items():
            granted = await add_enterprise(self.store, who, "", "", prefix, by="test")
            self.headers[who] = basic(granted.identity, granted.secret_key.encode())
            self.by[who] = Administrator(Reference(f"0.NA/{prefix}", 300))
        self.headers["node"] = basic(ADMINISTRATOR, SECRET)
        self.by["node"] = Administrator.from_text(ADMINISTRATOR)
        for who, prefix in (*((f"{who} token", prefix) for who, prefix in keys.items()), ("regulator", None)):
            enterprise = None if prefix is None else self.store.prefixes.find(prefix.encode()).enterprise_id
            issued = await tokens.issue(Wanted("test", frozenset({"read", "stats"}), enterprise), by="test")
            self.headers[who] = {"Authorization": f"Bearer {issued.token}"}
            self.by[who] = await tokens.administrator(issued.token, None, "read")
        for value_type in ("COST", "SEED"):
            await declare(self.store, self.store.prefixes.find(OWN.encode()), value_type, settling=0)

    async def say(self, rules, *, friends):
        form = {
            "partners": [FRIEND] if friends else [],
            "views": [{"type": named, "audiences": opened} for named, opened in rules.items()],
        }
        async with self.registry.put(f"/api/views?prefix={OWN}", json=form, headers=self.headers["owner"]) as answer:
            assert answer.status == 200, await answer.text()
        await self.node.resolver.store.load_prefixes()

    async def register(self, drawn):
        """A handle in two versions; the first had the same values with other marks, hidden in the same way."""
        name = f"{OWN}/H{next(self.numbers)}"
        versions = []
        for version in ("old", "new"):
            values = tuple(
                HandleValue(index, value_type, f"mark-{version}-{index}-{name[-6:]}".encode(), permissions=permissions)
                for index, (value_type, permissions) in enumerate(drawn, 1)
            )
            async with begin(self.store, "test") as transaction:
                there = await transaction.lock(Handle.from_text(name))
                await (
                    transaction.replace(there, values) if there else transaction.create(Handle.from_text(name), values)
                )
            versions.append(values)
        return name, *versions

    async def ask(self, method, path, body=None, **headers):
        reply = await asyncio.to_thread(self.client.ask, method, path, body, headers)
        text = reply.body.decode()
        if "payload" in text[:20]:
            payload = json.loads(text)["payload"]
            text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
        return reply.status, text

    async def ask_registry(self, path, headers):
        async with self.registry.get(path, headers=headers) as answer:
            return answer.status, await answer.text()

    async def ask_native(self, name, by):
        registration = Registration(self.store, [ADMINISTRATOR])
        queries = Queries(self.node.resolver, registration, None, None, None)
        try:
            reply = await queries.respond(query(name, flags=0), by)
        except HandleError as refused:
            return refused.code, str(refused)
        return 200, reply.body.decode(errors="replace")


@pytest.fixture
async def matrix(database_dsn, tmp_path):
    registry = RegistrySettings(dsn=database_dsn, administrators=(ADMINISTRATOR,), plain_authentication=True)
    async with lab(database_dsn, tmp_path, plain_authentication=True) as node:
        store = Store(registry, "test")
        await store.open()
        runner = web.AppRunner(create_app(store))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        client = Client(node.port)
        async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
            made = Matrix(node, store, client, session, tmp_path)
            await made.people()
            yield made
        client.close()
        await runner.cleanup()
        await store.close()


def audience_of(who, *, friends):
    """Who somebody is for the enterprise; None for a stranger with a key, who is refused what is hidden."""
    who = who.removesuffix(" token")
    if who == "friend":
        return "partner" if friends else None
    return None if who == "other" else who


def marks(text):
    return set(re.findall(r"mark-(?:old|new)-\d+", text))


def marks_of(values, keep):
    return {found for value in values if keep(value) for found in marks(value.text)}


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
                assert name not in text or value.permissions & 2, (who, text)


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
