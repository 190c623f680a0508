"""Tokens by prefixes by routes: how each route of the registry's interface is asked for what is another enterprise's.

Whatever the other enterprise keeps to itself carries a mark, so that no answer has to be understood to see that it
tells too much.
"""

import json
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from registry.enterprise import add_enterprise
from registry.grants import OF_PROGRAMS
from registry.search import declare
from registry.tokens import Tokens, Wanted
from tests.registry.bulk_files import line
from tests.registry.companies import PDF
from tests.registry.interface import NDJSON, Node, basic, open_interface
from tests.registry.test_people_api import application, ask, log_in, number_of, person

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
    "POST /api/purge": Row({}, {"handles": ["{handle}"], "prefixes": ["{prefix}"]}),
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
