"""A node and its registry for the matrices of reading rights: who asks, what is hidden from him, and an oracle.

The oracle knows permissions, rules and partners and nothing of the code. Each value holds a mark of its own, and an
answer of any form is searched for the marks of what its reader may not know.
"""

import asyncio
import base64
import json
import re
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from hypothesis import strategies as st

from registry.api import create_app
from registry.authentication import Administrator
from registry.enterprise import add_enterprise
from registry.errors import HandleError
from registry.handle import Handle
from registry.registration import Registration
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
PUBLIC, ADMINS, NOBODYS = 0b1110, 0b1100, 0b0100
AUDIENCES = ("public", "partner", "regulator", "owner")


def drawn_values(types, least, most):
    """Types of values, and who may read each."""
    permissions = st.sampled_from((PUBLIC, ADMINS, ADMINS, NOBODYS))
    return st.lists(st.tuples(st.sampled_from(types), permissions), min_size=least, max_size=most)


def drawn_rules(types):
    """Who else may read values of these types, or of types that begin so."""
    readers = st.sets(st.sampled_from(("partner", "regulator"))).map(sorted)
    return st.dictionaries(st.sampled_from(types), readers, max_size=5)


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


def _data(value_type, mark):
    """What a value of a type says, with its mark in it."""
    address = f"https://example.com/{mark}"
    if value_type == "LINK":
        return json.dumps({"rel": "gs1:pip", "href": address, "title": mark}).encode()
    if value_type == "10320/loc":
        return f'<locations><location href="{address}"/></locations>'.encode()
    if value_type == "PART_OF":
        return f"{OWN}/{mark}".encode()
    return (address if value_type == "URL" else mark).encode()


class Matrix:
    """A node and its registry, with an enterprise whose values are read, its partner, another one, and a regulator."""

    def __init__(self, node, store, client, registry, directory):
        self.node, self.store, self.client, self.registry, self.directory = node, store, client, registry, directory
        self.numbers = iter(range(1, 1_000_000))
        self.headers, self.by, self.secrets = {"public": {}}, {}, {}

    async def people(self):
        """Who asks: by key and by token."""
        tokens, keys = Tokens(self.store), {"owner": OWN, "friend": FRIEND, "other": OTHER}
        for who, prefix in keys.items():
            granted = await add_enterprise(self.store, who, "", "", prefix, by="test")
            self.headers[who] = basic(granted.identity, granted.secret_key.encode())
            self.secrets[who] = granted.secret_key.encode()
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
                HandleValue(
                    index, value_type, _data(value_type, f"mark-{version}-{index}-{name[-6:]}"), permissions=permissions
                )
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


@asynccontextmanager
async def open_matrix(database_dsn, directory, handles=None, **settings):
    """`handles` and `settings` are those of the lab."""
    registry = RegistrySettings(
        dsn=database_dsn,
        administrators=(ADMINISTRATOR,),
        plain_authentication=True,
        data_directory=str(directory),
        webhook_networks=("127.0.0.0/8",),
    )
    async with lab(database_dsn, directory, handles, plain_authentication=True, **settings) as node:
        store = Store(registry, "test")
        await store.open()
        runner = web.AppRunner(create_app(store))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        client = Client(node.port)
        async with aiohttp.ClientSession(f"http://{host}:{port}") as session:
            made = Matrix(node, store, client, session, directory)
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
