"""What is hidden stays hidden on every route of both interfaces, whoever asks.

Every route of the resolver has a row here, or stands among those that show nobody's values; a new one without either
fails the first test. Rows of the registry are those of its own matrix that name a handle or a prefix.
"""

import json

import pytest

from registry.handle import Handle
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.matrix import OF_RANGES, ROWS, filled
from tests.resolver.http.views_lab import (
    ADMINS,
    NOBODYS,
    OWN,
    PUBLIC,
    audience_of,
    marks,
    marks_of,
    may_read,
    open_matrix,
)

DRAWN = [
    ("URL", PUBLIC),
    ("COST", ADMINS),
    ("MIX.A", ADMINS),
    ("SEED", NOBODYS),
    ("HS_SECKEY", ADMINS),
]
RULES = {"COST": ["partner"], "MIX.": ["regulator"]}
LINK = HandleValue(1, "PART_OF", b"", permissions=ADMINS)  # As it is hidden below.
HTML = {"Accept": "text/html"}
ANY = {"index": 9, "type": "DESC", "data": "taken"}
WHOLE = {"handle": "{name}", "values": [ANY]}
# Path, body and headers of each question; in braces, names of what is asked for.
OF_RESOLVER: dict[str, list[tuple]] = {
    "GET /api/handles/{handle}": [
        ("/api/handles/{name}",),
        ("/api/handles/{name}?publicOnly=false&auth=true",),
        ("/api/handles/{name}?explain=true",),
        ("/api/handles/{name}?sign=true",),
        ("/api/handles/{name}?callback=f&pretty=true",),
        ("/api/handles/{name}?type=MIX.&index=4&index=5",),
        ("/api/handles/{member}",),
        ("/api/handles/{alias}",),
        ("/api/handles/{alias}?ignore_aliases=true",),
    ],
    "PUT /api/handles/{handle}": [("/api/handles/{name}?overwrite=true&dryRun=true&index=9", {"values": [ANY]})],
    "DELETE /api/handles/{handle}": [("/api/handles/{name}?dryRun=true",)],
    "POST /api/handles/{handle}": [("/api/handles/{name}?dryRun=true", {"values": [ANY]})],
    "GET /api/handles": [("/api/handles?prefix={prefix}",)],
    "POST /api/resolve": [
        ("/api/resolve", ["{name}", "{alias}", "{child}"]),
        ("/api/resolve?publicOnly=false&auth=true", ["{name}"]),
        ("/api/resolve", ["{name}"], {"Accept": "application/x-ndjson"}),
    ],
    "POST /api/transactions": [
        ("/api/transactions?dryRun=true", {"operations": [{"operation": "register", "mode": "upsert"} | WHOLE]})
    ],
    "POST /api/check": [("/api/check", {"handles": ["{name}"]}), ("/api/check", ["{name}"])],
    "GET /api/tree/{handle}": [
        ("/api/tree/{name}?depth=8",),
        ("/api/tree/{name}?fields=COST,MIX.A,SEED,HS_SECKEY,PART_OF",),
        ("/api/tree/{child}",),
    ],
    "POST /api/bundle": [("/api/bundle", ["{name}", "{alias}"]), ("/api/bundle?depth=4", ["{name}"])],
    "GET /api/proofs/{handle}": [("/api/proofs/{name}",)],
    "GET /api/label/{handle}": [("/api/label/{name}",)],
    "GET /{handle}": [
        ("/{name}?noredirect", None, HTML),
        ("/{name}", None, HTML),
        ("/{name}?noredirect",),
        ("/{name}?linkType=linkset",),
        ("/{name}?linkType=all", None, HTML),
        ("/{name}", None, {"Accept": "application/linkset+json"}),
        ("/{name}", None, {"Accept": "application/json"}),
        ("/{name}?explain",),
        ("/{name}?type=COST&noredirect&auth",),
        ("/{alias}?noredirect", None, HTML),
        ("/{child}?noredirect", None, HTML),
    ],
}
# Of the node, of a caller's own session, or pages that are the same for everybody.
OF_NOBODY = {
    "GET /",
    "GET /.well-known/did.json",
    "GET /.well-known/gs1resolver",
    "GET /api/roots",
    "GET /api/roots/{day}",
    "GET /api/prefixes",
    "POST /api/prefixes/{prefix}",
    "DELETE /api/prefixes/{prefix}",
    "GET /enterprises/{prefix}/did.json",
    "GET /linkset-context.jsonld",
    "GET /docs",
    "GET /openapi.json",
    "GET /api/site",
    "POST /api/sessions",
    "GET /api/sessions/this",
    "PUT /api/sessions/this",
    "DELETE /api/sessions/this",
    "GET /verify",
}


@pytest.fixture
async def matrix(database_dsn, tmp_path):
    async with open_matrix(database_dsn, tmp_path) as matrix:
        yield matrix


async def registered(matrix):
    """A handle with hidden values, an alias of it, and one inside it by a link that is hidden, too."""
    name, old, new = await matrix.register(DRAWN)
    names = {"name": name, "prefix": OWN, "alias": f"{OWN}/ALIAS", "child": f"{OWN}/CHILD", "member": f"{OWN}/R-07"}
    secret = HandleValue(2, "COST", b"mark-new-2", permissions=ADMINS)
    async with begin(matrix.store, "test") as transaction:
        await transaction.create(Handle.from_text(names["alias"]), (HandleValue(1, "HS_ALIAS", name.encode()), secret))
        link = HandleValue(1, "PART_OF", name.encode(), permissions=ADMINS)
        await transaction.create(Handle.from_text(names["child"]), (link, secret))
    taken = {"index": 2, "type": "COST", "data": "mark-new-2", "permissions": "1100"}
    members = {"first": f"{OWN}/R-01", "members": 9, "width": 2, "values": [taken]}
    async with matrix.registry.post("/api/ranges", json=members, headers=matrix.headers["owner"]) as answer:
        assert answer.status == 201, await answer.text()
    return names, old, new


def readers(matrix, old, new):
    """Who asks, how, and the marks that he may see."""
    for who, headers in matrix.headers.items():
        audience = audience_of(who, friends=True)
        by_token = who.endswith("token") or who == "regulator"

        def allowed(value, audience=audience, by_token=by_token):
            if by_token and value.type == "HS_SECKEY":
                return False
            return may_read(audience or "public", value, RULES)

        yield who, headers, marks_of((*old, *new), allowed)


async def test_every_route_of_the_resolver_has_a_row_or_shows_nobodys_values(matrix):
    _, text = await matrix.ask("GET", "/openapi.json")
    paths = json.loads(text)["paths"]
    served = {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}
    assert served == set(OF_RESOLVER) | OF_NOBODY


async def test_no_route_of_the_resolver_shows_what_is_hidden(matrix):
    await matrix.say(RULES, friends=True)
    names, old, new = await registered(matrix)
    for who, headers, may_know in readers(matrix, old, new):
        for route, questions in OF_RESOLVER.items():
            for path, *rest in questions:
                body = filled(rest[0], names) if rest else None
                more = rest[1] if len(rest) > 1 else {}
                status, text = await matrix.ask(route.split()[0], path.format_map(names), body, **headers, **more)
                assert status < 500, (who, path, text)
                assert marks(text) <= may_know, (who, path, status, text)
                asked_for = "{child}" in path or "{child}" in str(rest)
                sees = may_read(audience_of(who, friends=True) or "public", LINK, RULES)
                if not sees and not asked_for and "prefix=" not in path:
                    assert names["child"] not in text, (who, path, "a hidden link", text)


async def test_no_route_of_the_registry_shows_what_is_hidden(matrix):
    await matrix.say(RULES, friends=True)
    names, old, new = await registered(matrix)
    known = {"handle": names["name"], "prefix": OWN, "enterprise": "0", "owner": OWN}
    asked = 0
    for who, headers, may_know in readers(matrix, old, new):
        for route, row in (ROWS | OF_RANGES).items():
            method, _, path = route.partition(" ")
            if method != "GET" or "{" in path.replace("{handle}", "").replace("{prefix}", ""):
                continue
            query = filled(row.query, known)
            async with matrix.registry.get(path.format_map(known), params=query, headers=headers) as answer:
                status, text = answer.status, await answer.text()
            asked += 1
            assert status < 500, (who, path, text)
            assert marks(text) <= may_know, (who, path, status, text)
    assert asked > 100
