"""Tokens at the resolver's own interface: everywhere that a key is accepted, and for nothing of another enterprise."""

import asyncio
import random
from contextlib import asynccontextmanager
from datetime import timedelta

from registry.enterprise import add_enterprise
from registry.enterprise_standing import EnterpriseStanding
from registry.grants import OF_PROGRAMS
from registry.personal import Vault
from registry.settings import RegistrySettings
from registry.store import Store
from registry.tokens import Tokens, Wanted
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.books import name
from tests.resolver.http.lab import TIMEOUT, Client, lab

OURS, THEIRS = "88.168.2", "88.168.7"
VALUE = [{"index": 1, "type": "DESC", "data": "x"}]
RESTRICTED = HandleValue(9, "NOTE", b"kept from strangers", permissions=0b1100)
SECRET_KEY = HandleValue(300, "HS_SECKEY", b"a key of somebody", permissions=0b1100)


class Mill:
    """Two enterprises with a handle each, and a node that answers for both."""

    def __init__(self, store, node, directory):
        self.store = store
        self.node = node
        self.standing = EnterpriseStanding(store, Vault(directory))

    async def token(self, prefix, *scopes, **more):
        enterprise = self.store.prefixes.find(prefix.encode()).enterprise_id
        wanted = Wanted("test", frozenset(scopes), enterprise, **more)
        return (await Tokens(self.store).issue(wanted, by="test")).token

    async def ask(self, method, path, token, body=None, **headers):
        def run():
            client = Client(self.node.port)
            try:
                given = {"Authorization": f"Bearer {token}"} if token is not None else {}
                return client.ask(method, path, body, given | headers)
            finally:
                client.close()

        return await asyncio.to_thread(run)


@asynccontextmanager
async def open_mill(dsn, directory, **settings):
    store = Store(RegistrySettings(dsn=dsn), "test")
    await store.open()
    for company, prefix in (("化纤厂", OURS), ("织造厂", THEIRS)):
        await add_enterprise(store, company, "", "", prefix, by="test")
        async with begin(store, "test") as transaction:
            await transaction.create(name(f"{prefix}/A"), (RESTRICTED, SECRET_KEY))
    try:
        async with lab(dsn, directory, plain_authentication=True, **settings) as node:
            yield Mill(store, node, directory)
    finally:
        await store.close()


async def test_a_token_writes_reads_and_lists_where_a_key_does(database_dsn, tmp_path):
    async with open_mill(database_dsn, tmp_path) as mill:
        token = await mill.token(OURS, "registry.write", "read")
        assert (await mill.ask("PUT", f"/api/handles/{OURS}/NEW", token, VALUE)).status == 201
        assert (await mill.ask("PUT", f"/api/handles/{OURS}/NEW?index=1", token, VALUE)).status == 200
        listed = (await mill.ask("GET", f"/api/handles?prefix=0.NA/{OURS}", token)).json
        assert listed["handles"] == [f"{OURS}/A", f"{OURS}/NEW"]
        shown = (await mill.ask("GET", f"/api/handles/{OURS}/A?index=9", token)).json
        assert shown["values"][0]["data"]["value"] == "kept from strangers"
        batch = (await mill.ask("POST", "/api/resolve?index=9", token, [f"{OURS}/A", f"{THEIRS}/A"])).body
        assert batch.count(b"kept from strangers") == 1
        assert (await mill.ask("DELETE", f"/api/handles/{OURS}/NEW", token)).status == 200


async def test_a_token_reads_no_secret_key_and_opens_no_session(database_dsn, tmp_path):
    async with open_mill(database_dsn, tmp_path) as mill:
        token = await mill.token(OURS, *OF_PROGRAMS)
        for path in (f"/api/handles/{OURS}/A", f"/api/handles/0.NA/{OURS}", f"/api/handles/{OURS}/A?index=300"):
            reply = await mill.ask("GET", path, token)
            assert (reply.status, reply.json["responseCode"]) == (403, 401)
        assert (await mill.ask("POST", "/api/sessions", token, {})).status == 400
        public = await mill.ask("GET", f"/api/handles/{OURS}/A?publicOnly=true", token)
        assert public.status in (200, 400)
        assert b"a key of somebody" not in public.body


async def test_a_token_that_is_none_is_refused_and_over_plain_http_counts_for_nothing(database_dsn, tmp_path):
    async with open_mill(database_dsn, tmp_path) as mill:
        refused = await mill.ask("PUT", f"/api/handles/{OURS}/NEW", "fil_none", VALUE)
        assert (refused.status, "invalid_token" in str(refused.headers["WWW-Authenticate"])) == (401, True)
        token = await mill.token(OURS, "registry.write")
        fronted = {"X-Forwarded-For": "192.0.2.1"}
        assert (await mill.ask("PUT", f"/api/handles/{OURS}/NEW", token, VALUE, **fronted)).status == 403
        assert (await mill.ask("GET", f"/api/handles/{OURS}/NEW", None)).status == 404


async def test_a_token_is_held_to_its_source_behind_a_front(database_dsn, tmp_path):
    async with open_mill(database_dsn, tmp_path, trusted_proxies=("127.0.0.1",)) as mill:
        token = await mill.token(OURS, "registry.write", sources=("192.0.2.0/24",))
        https = {"X-Forwarded-Proto": "https"}
        for source, status in (("192.0.2.7", 201), ("198.51.100.1", 403), ("192.0.2.7, 198.51.100.1", 403)):
            path = f"/api/handles/{OURS}/{source.replace(', ', '-')}-{status}"
            forwarded = https | {"X-Forwarded-For": source}
            assert (await mill.ask("PUT", path, token, VALUE, **forwarded)).status == status


async def test_what_is_suspended_is_answered_and_not_written_at_once(database_dsn, tmp_path):
    async with open_mill(database_dsn, tmp_path) as mill:
        token = await mill.token(OURS, "registry.write", "read")
        enterprise = await mill.standing.named("化纤厂")
        await mill.standing.take(enterprise, "suspend", by="test", reason="test")
        assert (await mill.ask("PUT", f"/api/handles/{OURS}/NEW", token, VALUE)).status == 403
        assert (await mill.ask("GET", f"/api/handles/{OURS}/A?index=9", token)).status == 200


async def test_no_token_of_one_enterprise_reads_or_changes_anything_of_another(database_dsn, tmp_path):
    async with open_mill(database_dsn, tmp_path) as mill:
        draw = random.Random(2)
        tokens = ["fil_nonsense"]
        for _ in range(6):
            scopes = draw.sample(sorted(OF_PROGRAMS), draw.randint(1, 5))
            prefixes = draw.choice((None, (OURS,), (THEIRS,), (OURS, THEIRS)))
            tokens.append(await mill.token(OURS, *scopes, prefixes=prefixes, life=timedelta(days=1)))
        await published(mill)
        before = await contents(mill)
        for token in tokens:
            for method, path, body in (
                ("PUT", f"/api/handles/{THEIRS}/A", VALUE),
                ("PUT", f"/api/handles/{THEIRS}/A?index=1", VALUE),
                ("PUT", f"/api/handles/{THEIRS}/NEW", VALUE),
                ("PUT", f"/api/handles/{THEIRS}/NEW?mintNewSuffix=true", VALUE),
                ("PUT", f"/api/handles/{THEIRS.lower()}%2FNEW", VALUE),
                ("PUT", f"/api/handles/0.NA/{THEIRS}?index=301", VALUE),
                ("PUT", f"/api/handles/0.na/{THEIRS}", VALUE),
                ("PUT", f"/api/handles/0.NA/{THEIRS}.1", VALUE),
                ("PUT", f"/api/handles/0.NA/{OURS}.1", VALUE),
                ("DELETE", f"/api/handles/{THEIRS}/A", None),
                ("DELETE", f"/api/handles/{THEIRS}/A?index=9", None),
                ("DELETE", f"/api/handles/0.NA/{THEIRS}", None),
                ("GET", f"/api/handles?prefix=0.NA/{THEIRS}", None),
                ("GET", f"/api/handles/{THEIRS}/A?index=9", None),
                ("POST", f"/api/handles/{THEIRS}/A", {"index": [9]}),
                ("GET", "/api/prefixes", None),
                ("PUT", "/api/prefixes/0.NA/88.168.99", None),
                ("DELETE", f"/api/prefixes/0.NA/{THEIRS}", None),
            ):
                reply = await mill.ask(method, path, token, body)
                assert reply.status >= 400, (token, method, path, reply.body)
                assert b"kept from strangers" not in reply.body
            batch = (await mill.ask("POST", "/api/resolve?publicOnly=false", token, [f"{THEIRS}/A"])).body
            assert b"kept from strangers" not in batch
        assert await contents(mill) == before


async def published(mill):
    """Returns when the node has written into the handle of each prefix where it is, which it does once it is up."""
    sites = "SELECT count(*) FROM handle JOIN prefix USING (prefix_id) WHERE prefix = '0.NA' AND version = 1"
    async with mill.store.connection() as connection, asyncio.timeout(TIMEOUT):
        while await connection.fetchval(f"{sites} AND suffix IN ($1, $2)", OURS, THEIRS):  # noqa: ASYNC110  # in Postgres
            await asyncio.sleep(0.01)


async def contents(mill):
    async with mill.store.connection() as connection:
        return await connection.fetchval(
            "SELECT string_agg(prefix_id || suffix || version || state, ',' ORDER BY prefix_id, suffix) FROM handle"
        ), await connection.fetchval("SELECT string_agg(prefix || homed, ',' ORDER BY prefix) FROM prefix")
