"""Tokens by prefixes by routes: whoever asks for what is another enterprise's gets none of it and changes none of it.

Every route of the interface has a row here, or stands among those that aim at nobody's data; a new one without either
fails the first test. Whatever the other enterprise keeps to itself carries a mark, so that no answer has to be
understood to see that it tells too much.
"""

import json
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.enterprise import add_enterprise
from registry.errors import AuthenticationFailed
from registry.grants import OF_PROGRAMS
from registry.search import declare
from registry.tokens import OVERLAP, Tokens, Wanted
from tests.registry.bulk_files import line
from tests.registry.companies import PASSWORD, PDF
from tests.registry.interface import NDJSON, Node, basic, open_interface
from tests.registry.test_people_api import application, ask, bearer, log_in, number_of, person

OURS, THEIRS = "88.168.2", "88.168.7"
MARK = "mark7f3a"
VALUES = [{"index": 1, "type": "DESC", "data": MARK}]
ATTRIBUTE = {"index": 1, "type": "DESC", "zh": MARK, "en": MARK, "kind": "string"}
TEMPLATE = {"zh": MARK, "en": MARK, "attributes": [ATTRIBUTE]}
WHY = {"reason": "matrix"}
# Of 0.NA and of theirs: tables whose rows belong to a prefix or to an enterprise, but for what is only counted.
COUNTED = ("quota_use", "usage", "act", "change_log")


@dataclass(frozen=True)
class Row:
    """How a route is asked for what is theirs: in braces, the names of it."""

    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    octets: str = ""  # A body that is no JSON, and its media type.
    media_type: str = "application/x-ndjson"


PREFIX = {"prefix": "{prefix}"}
ENTERPRISE = {"enterprise": "{enterprise}"}
LINE = '{{"handle":"{handle}","values":[{{"index":1,"type":"DESC","data":"taken"}}]}}'
SNMS_VALUE = {"index": 2000, "type": "batch", "data": {"format": "string", "value": "taken"}}
SNMS = {"handle": "{handle}", "templateVersion": "cake", "value": [SNMS_VALUE]}
SNMS_ITEM = {"name": MARK, "idType": "batch", "idIndex": 2000, "metadata": {"minLength": 1, "maxLength": 20}}
SNMS_TEMPLATE = {
    "prefix": "{prefix}",
    "version": "cake",
    "type": 2,
    "items": [SNMS_ITEM],
    "industryCategory": "C",
    "industrySpecific": "28",
    "industryTrade": "282",
    "industrySubclass": "2822",
}
ROWS: dict[str, Row] = {
    "GET /api/changes": Row(PREFIX),
    "GET /api/webhooks": Row(PREFIX),
    "POST /api/webhooks": Row(PREFIX, {"url": "https://hooks.example/spy"}),
    "GET /api/webhooks/{webhook}": Row(),
    "DELETE /api/webhooks/{webhook}": Row(),
    "POST /api/webhooks/{webhook}/replay": Row({}, {}),
    "GET /api/webhooks/{webhook}/dead-letters": Row(),
    "GET /api/issuers": Row(),
    "POST /api/issuers": Row({}, {"system": "gs1", "start": "6901234", "prefix": "{prefix}"}),
    "POST /api/issuers/revoke": Row({}, {"system": "gs1", "start": "6901234"}),
    "GET /api/transfers": Row(PREFIX),
    "POST /api/transfers": Row({}, {"giver": "{prefix}", "taker": "88.168.1", "handles": ["{handle}"]}),
    "GET /api/transfers/{transfer}": Row(),
    "POST /api/transfers/{transfer}/accept": Row(),
    "POST /api/transfers/{transfer}/decline": Row(),
    "GET /api/trace/{handle}": Row({"direction": "forward"}),
    "GET /api/recall/{handle}": Row(),
    "GET /api/audit": Row(PREFIX),
    "GET /api/views": Row(PREFIX),
    "PUT /api/views": Row(PREFIX, {"partners": [OURS], "views": []}),
    "GET /api/export": Row(PREFIX),
    "POST /api/jobs": Row({"kind": "register", "onError": "proceed"}, octets=LINE),
    "GET /api/jobs": Row(),
    "GET /api/jobs/{job}": Row(),
    "DELETE /api/jobs/{job}": Row(),
    "GET /api/jobs/{job}/results": Row(),
    "GET /api/state/{handle}": Row(),
    "PUT /api/state/{handle}": Row({}, {"state": "frozen"} | WHY),
    "POST /api/state": Row({}, {"state": "revoked", "handles": ["{handle}"]} | WHY),
    "GET /api/templates": Row(PREFIX),
    "GET /api/templates/{owner}/{name}": Row(),
    "PUT /api/templates/{owner}/{name}": Row({}, {"zh": "x", "en": "x", "attributes": []}),
    "PATCH /api/templates/{owner}/{name}": Row({}, {"state": "published"}),
    "GET /api/suffix-rules/{prefix}": Row(),
    "PUT /api/suffix-rules/{prefix}": Row({}, {"rules": []}),
    "GET /api/minters/{prefix}": Row(),
    "PUT /api/minters/{prefix}": Row({}, {"minters": []}),
    "GET /api/suffixes/{prefix}": Row(),
    "POST /api/suffixes/{prefix}": Row({}, {"minter": "m", "count": 1}),
    "POST /api/ranges": Row({}, {"first": "{prefix}/N-01", "members": 9, "width": 2, "values": []}),
    "GET /api/ranges": Row(PREFIX),
    "GET /api/history/{handle}": Row({"version": "1"}),
    "POST /api/history/{handle}": Row({"version": "1"}),
    "POST /api/bulk": Row(octets=LINE),
    "GET /api/bulk/{batch}": Row(),
    "GET /api/bulk/{batch}/refused": Row(),
    "GET /api/search": Row(PREFIX | {"type": "DESC", "value": MARK}),
    "GET /api/statistics": Row(PREFIX),
    "GET /api/statistics/busiest": Row(),
    "GET /api/enterprises": Row(),
    "POST /api/enterprises": Row({}, {"name": "x", "prefix": "88.168.77"}),
    "GET /api/people": Row(ENTERPRISE),
    "POST /api/people": Row({}, {"name": "spy", "role": "member", "enterprise": "{enterprise}"}),
    "POST /api/people/{name}": Row({}, {"active": False}),
    "GET /api/tokens": Row(ENTERPRISE),
    "POST /api/tokens": Row({}, {"label": "x", "scopes": ["read"], "enterprise": "{enterprise}"}),
    "POST /api/tokens/{token}/rotate": Row({}, {}),
    "DELETE /api/tokens/{token}": Row(),
    "GET /api/applications": Row(),
    "GET /api/applications/{application}": Row(),
    "POST /api/applications/{application}/evidence": Row(
        {"name": "a.pdf"}, octets="%PDF-1.7 x", media_type="application/pdf"
    ),
    "GET /api/applications/{application}/evidence/{number}": Row(),
    "POST /api/applications/{application}/{step}": Row({}, WHY),
    "GET /api/enterprises/{enterprise}": Row(),
    "PUT /api/enterprises/{enterprise}/limits": Row({}, {"handles": 0}),
    "POST /api/enterprises/{enterprise}/{step}": Row({}, WHY),
    "POST /api/recycled/{prefix}": Row({}, WHY),
    "POST /identityv2/data": Row({}, SNMS),
    "PUT /identityv2/data": Row({}, SNMS),
    "DELETE /identityv2/data": Row({}, {"handle": "{handle}"}),
    "POST /identityv2/data/batchCreate": Row({}, [SNMS]),
    "PUT /identityv2/data/batchUpdate": Row({}, [SNMS]),
    "DELETE /identityv2/data/batchDelete": Row({}, ["{handle}"]),
    "POST /snms/api/v3/template": Row({}, SNMS_TEMPLATE),
    "DELETE /snms/api/v3/template": Row(PREFIX | {"version": "cake"}),
    "POST /snms/api/v5/template": Row({}, SNMS_TEMPLATE),
    "PUT /snms/api/v5/template": Row({}, SNMS_TEMPLATE),
    "DELETE /snms/api/v5/template": Row(PREFIX | {"version": "cake"}),
}
# Asked for with a member of a range in place of a handle.
OF_RANGES = {
    "GET /api/ranges/{handle}": Row(),
    "PUT /api/ranges/{handle}": Row({}, {"values": []}),
    "DELETE /api/ranges/{handle}": Row(),
}
# Routes that aim at nobody's data: at what is public, or at what is the caller's own.
OF_NOBODY = {
    "GET /healthz",
    "POST /api/login",
    "POST /identity/token",
    "GET /identityv2/data/detail",  # What a resolver would tell the same caller.
    "GET /snms/api/v3/template",  # Published ones, which are for all who read identifiers.
    "GET /snms/api/v5/template",
    "DELETE /api/login",
    "POST /api/login/openid",
    "POST /api/login/openid/code",
    "GET /api/me",
    "POST /api/sessions",
    "PUT /api/sessions/this",
    "GET /api/sessions/this",
    "DELETE /api/sessions/this",
    "POST /api/applications",
    "POST /api/labels",
    "GET /api/mappings",
    "PUT /api/mappings",
    "POST /api/mappings/propose",
}
OF_SNMS = ("/identity", "/snms")
# Public: which issuers there are. For applicants and reviewers: applications, which are of no enterprise yet.
SHOWS_NO_MARK = {"GET /api/issuers"}


@dataclass
class Matrix:
    node: Node
    names: dict[str, str]
    ours: int
    theirs: int
    tokens: Tokens
    owner: dict[str, str]  # Who may see it all: the key of the other enterprise.

    async def asked(self, route: str, headers: Mapping[str, str], **names: str) -> tuple[int, bytes]:
        row = (ROWS | OF_RANGES)[route]
        method, _, path = route.partition(" ")
        known = self.names | names
        if route in OF_RANGES:
            known["handle"] = known["member"]
        known["step"] = "approve" if "applications" in path else "suspend"
        sent = dict(headers)
        body: dict[str, Any] = {}
        if row.octets:
            body["data"] = (row.octets.format_map(known) if row.octets == LINE else row.octets).encode()
            sent["Content-Type"] = row.media_type
        elif row.body is not None:
            body["json"] = filled(row.body, known)
        query = filled(row.query, known)
        async with self.node.client.request(method, path.format_map(known), params=query, headers=sent, **body) as got:
            said = (await got.read()).lower()
        if got.status == 200 and path.startswith(OF_SNMS):
            # Of HTTP its status is always 200.
            return (200 if json.loads(said)["status"] == 1 else 403), said
        return got.status, said

    async def leaks(self, headers: Mapping[str, str], **names: str) -> list[str]:
        """Routes that told this caller what is theirs, or failed."""
        found = []
        for route in ROWS | OF_RANGES:
            status, body = await self.asked(route, headers, **names)
            if MARK.encode() in body or status >= 500:
                found.append(f"{route} {status} {body[:300]!r}")
        return found

    async def contents(self) -> dict[str, str]:
        """What the book says of the other enterprise and of prefixes, by table."""
        async with self.node.store.connection() as connection:
            columns = await connection.fetch(
                "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables "
                "USING (table_schema, table_name) WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' "
                "AND column_name IN ('prefix_id', 'enterprise_id') ORDER BY 1, 2"
            )
            said = {}
            for table, column in columns:
                if table in COUNTED:
                    continue
                kept = (
                    "(SELECT prefix_id FROM prefix WHERE spelling IN ('0.NA', $1))"
                    if column == "prefix_id"
                    else "(SELECT enterprise_id FROM prefix WHERE spelling = $1)"
                )
                said[f"{table}.{column}"] = await connection.fetchval(
                    f"SELECT string_agg(t::text, E'\\n' ORDER BY t::text) FROM {table} AS t WHERE {column} IN {kept}",
                    THEIRS,
                )
        return said


def filled(form: Any, names: Mapping[str, str]) -> Any:
    if isinstance(form, dict):
        return {name: filled(said, names) for name, said in form.items()}
    if isinstance(form, list):
        return [filled(said, names) for said in form]
    if form == "{enterprise}":
        return int(names["enterprise"])
    return form.format_map(names) if isinstance(form, str) else form


@asynccontextmanager
async def open_matrix(dsn: str):
    async with open_interface(dsn) as node:
        key = await add_enterprise(node.store, MARK, MARK, MARK, THEIRS, by="test")
        owner = basic(key.identity, key.secret_key)
        ours, theirs = await number_of(node, OURS), await number_of(node, THEIRS)
        tokens = Tokens(node.store)
        issued = await tokens.issue(Wanted(MARK, OF_PROGRAMS, theirs), by="test")
        await person(node, "target", "member", theirs)
        await person(node, MARK, "member", theirs)
        names = {"prefix": THEIRS, "owner": THEIRS, "name": "cake@1", "enterprise": str(theirs)}
        names |= {"handle": f"{THEIRS}/TARGET", "member": f"{THEIRS}/R-07", "token": str(issued.token_id)}
        matrix = Matrix(node, names | {"number": "1"}, ours, theirs, tokens, owner)
        await fill(matrix)
        yield matrix


async def fill(matrix: Matrix) -> None:
    """Everything of theirs that a route of the matrix is asked for."""
    node, by = matrix.node, matrix.owner

    async def done(method: str, path: str, body: Any = None, **query: str) -> Any:
        status, answer = await ask(node, method, path, by, body, **query)
        assert status < 300, (path, answer)
        return answer

    await node.store.load_prefixes()
    prefix = node.store.prefixes.find(THEIRS.encode())
    assert prefix is not None
    await declare(node.store, prefix, "DESC", settling=0)
    octets = b"".join(line(f"{THEIRS}/{suffix}", MARK) for suffix in ("TARGET", MARK))
    _, report = await ask(node, "POST", "/api/bulk", by | NDJSON, data=octets)
    _, job = await ask(node, "POST", "/api/jobs", by | NDJSON, data=octets, kind="register", onError="proceed")
    await done("PUT", f"/api/templates/{THEIRS}/cake", TEMPLATE)
    await done("POST", "/snms/api/v5/template", SNMS_TEMPLATE | {"prefix": THEIRS})
    await done("PUT", f"/api/minters/{THEIRS}", {"minters": [{"name": "m", "layout": f"{MARK.upper()}{{serial}}"}]})
    await done("POST", f"/api/suffixes/{THEIRS}", {"minter": "m", "count": 9})
    members = {"first": f"{THEIRS}/R-01", "members": 9, "width": 2, "values": VALUES}
    await done("POST", "/api/ranges", members)
    await done("PUT", "/api/suffix-rules/" + THEIRS, {"rules": [{"pattern": f".*|{MARK}"}]})
    webhook = await done("POST", "/api/webhooks", {"url": f"https://{MARK}.example/"}, prefix=THEIRS)
    giving = {"giver": THEIRS, "taker": "88.168.1", "handles": [f"{THEIRS}/TARGET"], "note": MARK}
    transfer = await done("POST", "/api/transfers", giving)
    _, applied = await ask(node, "POST", "/api/applications", {}, application(name=MARK, account="theirs"))
    applicant = await log_in(node, "theirs") | {"Content-Type": "application/pdf"}
    path = f"/api/applications/{applied['application']}/evidence"
    assert (await ask(node, "POST", path, applicant, data=PDF, name=f"{MARK}.pdf"))[0] == 201
    matrix.names |= {
        "batch": str(report["batch"]),
        "job": str(job["job"]),
        "webhook": str(webhook["id"]),
        "transfer": str(transfer["id"]),
        "application": str(applied["application"]),
    }


@pytest.fixture
async def matrix(database_dsn):
    async with open_matrix(database_dsn) as matrix:
        yield matrix


async def test_every_route_has_a_row_or_aims_at_nobodys_data(node):
    _, description = await ask(node, "GET", "/openapi.json", {})
    routes = {f"{method.upper()} {path}" for path, operations in description["paths"].items() for method in operations}
    undocumented = {route for route in routes if "/docs" in route or "openapi.json" in route}
    assert routes - undocumented == set(ROWS) | set(OF_RANGES) | OF_NOBODY
    assert not (set(ROWS) | set(OF_RANGES)) & OF_NOBODY


async def test_the_rows_aim_at_something(matrix):
    """Else they would find nothing wrong whatever was."""
    callers = [matrix.owner, matrix.node.operator, await person(matrix.node, "rev", "reviewer")]
    callers.append(await person(matrix.node, "boss", "administrator", matrix.theirs))
    for route in ROWS | OF_RANGES:
        if route.startswith("GET"):
            answers = [await matrix.asked(route, headers) for headers in callers]
            assert any(status < 300 for status, _ in answers), (route, answers)
    marked = [route for route in ROWS if route.startswith("GET") and route not in SHOWS_NO_MARK]
    told = {route for route in marked for by in callers if MARK.encode() in (await matrix.asked(route, by))[1]}
    assert len(told) > len(marked) / 2, set(marked) - told


SHAPES = st.tuples(
    st.sets(st.sampled_from(sorted(OF_PROGRAMS)), min_size=1),
    st.sampled_from((None, (OURS,), (THEIRS,), (OURS, THEIRS))),
)
SPELLINGS = st.sampled_from(("TARGET", "target", "Target", "%54ARGET"))


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=SHAPES, spelling=SPELLINGS)
async def test_no_token_of_one_enterprise_gets_or_changes_anything_of_another(matrix, shape, spelling):
    scopes, prefixes = shape
    before = await matrix.contents()
    issued = await matrix.tokens.issue(Wanted("x", frozenset(scopes), matrix.ours, prefixes), by="test")
    names = {"handle": f"{THEIRS}/{spelling}", "member": f"{THEIRS}/r-07"}
    assert await matrix.leaks(bearer(issued.token), **names) == []
    assert await matrix.contents() == before


async def test_people_and_keys_of_one_enterprise_get_and_change_nothing_of_another(matrix):
    callers = [await person(matrix.node, f"{role}-2", role, matrix.ours) for role in ("administrator", "member")]
    before = await matrix.contents()
    for headers in (*callers, matrix.node.enterprise):
        assert await matrix.leaks(headers) == []
    assert await matrix.contents() == before


async def test_those_who_may_look_at_everything_change_nothing(matrix):
    before = await matrix.contents()
    for role in ("regulator", "reviewer"):
        headers = await person(matrix.node, role, role)
        for route in ROWS | OF_RANGES:
            if not route.startswith("GET") and "{step}" not in route:
                await matrix.asked(route, headers)
    assert await matrix.contents() == before


async def test_what_is_no_token_now_is_good_for_nothing_at_all(matrix):
    now = datetime.now(UTC)
    past = Tokens(matrix.node.store, lambda: now - timedelta(days=2))
    wanted = Wanted("x", OF_PROGRAMS, matrix.theirs, life=timedelta(days=1))
    expired = await past.issue(wanted, by="test")
    of_the_past = await past.issue(Wanted("x", OF_PROGRAMS, matrix.theirs), by="test")
    await past.rotate(of_the_past.token_id, timedelta(days=90), by="test")
    assert timedelta(days=2) > OVERLAP
    revoked = await matrix.tokens.issue(wanted, by="test")
    await matrix.tokens.revoke(revoked.token_id, by="test")
    elsewhere = await matrix.tokens.issue(Wanted("x", OF_PROGRAMS, matrix.theirs, sources=("192.0.2.1",)), by="test")
    before = await matrix.contents()
    strangers = [bearer(issued.token) for issued in (expired, of_the_past, revoked, elsewhere)]
    strangers += [{}, bearer("fil_nonsense"), bearer(""), {"Authorization": 'Handle sessionId="x"'}]
    for headers in strangers:
        for route in ROWS | OF_RANGES:
            status, body = await matrix.asked(route, headers)
            assert status in (400, 401, 403), (route, headers, status, body[:200])
    assert await matrix.contents() == before


async def test_a_token_ends_when_the_clock_says_so_and_comes_back_with_it(matrix):
    now = datetime.now(UTC)
    at = now
    tokens = Tokens(matrix.node.store, lambda: at)
    issued = await tokens.issue(Wanted("x", OF_PROGRAMS, matrix.ours, life=timedelta(days=1)), by="test")
    for days, good in ((0, True), (2, False), (-400, True), (366, False), (0.5, True)):
        at = now + timedelta(days=days)
        if good:
            assert await tokens.administrator(issued.token, None, "read")
        else:
            with pytest.raises(AuthenticationFailed):
                await tokens.administrator(issued.token, None, "read")


async def test_a_password_is_asked_for_where_a_token_of_somebody_dismissed_was_enough_before(matrix):
    headers = await person(matrix.node, "gone", "administrator", matrix.theirs)
    assert (await matrix.asked("GET /api/export", headers))[0] == 200
    operator = await person(matrix.node, "ops", "operator")
    assert (await ask(matrix.node, "POST", "/api/people/gone", operator, {"active": False}))[0] == 200
    assert (await matrix.asked("GET /api/export", headers))[0] == 401
    status, _ = await ask(matrix.node, "POST", "/api/login", {}, {"name": "gone", "password": PASSWORD})
    assert status == 403
