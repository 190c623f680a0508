"""Every way to change something through the registry's interface leaves an act, in the transaction of the change."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.registry.companies import PASSWORD, PDF
from tests.registry.interface import NDJSON, Node, open_interface
from tests.registry.test_people_api import application, log_in

VALUES = [{"index": 1, "type": "URL", "data": "http://example.org/1"}]
CAKE = "88.168.2/CAKE"
ADDRESS = {"index": 1, "type": "URL", "zh": "网址", "en": "address", "kind": "string"}
TEMPLATE = {"zh": "丝饼", "en": "cake", "attributes": [ADDRESS]}
WHY = {"reason": "test"}
OPERATOR, ENTERPRISE, APPLICANT, NOBODY = "operator", "enterprise", "applicant", "nobody"

# In an order in which each can be done: who asks, the route, what fills its placeholders, the body, and the act.
STEPS: list[tuple[str, str, str, dict[str, str], Any, str]] = [
    (OPERATOR, "POST /api/enterprises", "", {}, {"name": "三厂", "prefix": "88.168.3"}, "enterprise.added"),
    (OPERATOR, "PUT /api/enterprises/{enterprise}/limits", "", {"enterprise": "3"}, {"handles": 9}, "enterprise.limit"),
    (OPERATOR, "POST /api/people", "", {}, {"name": "wang", "role": "regulator", "password": PASSWORD}, "person.added"),
    (OPERATOR, "POST /api/people/{name}", "", {"name": "wang"}, {"active": True}, "person.changed"),
    (NOBODY, "POST /api/login", "", {}, {"name": "wang", "password": PASSWORD}, "token.issued"),
    (OPERATOR, "POST /api/tokens", "", {}, {"label": "a", "scopes": ["read"], "days": 9}, "token.issued"),
    (OPERATOR, "POST /api/tokens/{token}/rotate", "", {"token": "2"}, {"days": 9}, "token.rotated"),
    (OPERATOR, "DELETE /api/tokens/{token}", "", {"token": "2"}, None, "token.revoked"),
    (NOBODY, "POST /api/applications", "", {}, application(), "application.apply"),
    (APPLICANT, "POST /api/applications/{application}/evidence", "?name=a.pdf", {"application": "1"}, PDF,
     "application.evidence"),
    (OPERATOR, "POST /api/applications/{application}/{step}", "", {"application": "1", "step": "approve"}, WHY,
     "application.approve"),
    (APPLICANT, "DELETE /api/login", "", {}, None, "token.revoked"),
    (ENTERPRISE, "POST /api/bulk", "", {}, b'{"handle":"88.168.2/CAKE","values":[]}', "load.begun"),
    (ENTERPRISE, "POST /api/bulk", "", {},
     b'{"handle":"88.168.2/CAKE","values":[{"index":1,"type":"A","data":"b"}]}', "load.finished"),
    (ENTERPRISE, "PUT /api/state/{handle}", "", {"handle": CAKE}, {"state": "frozen"} | WHY, "handle.state"),
    (ENTERPRISE, "POST /api/state", "", {}, {"state": "active", "handles": [CAKE]}, "handle.state"),
    (ENTERPRISE, "POST /api/history/{handle}", "?version=1", {"handle": CAKE}, None, "handle.updated"),
    (ENTERPRISE, "PUT /api/templates/{owner}/{name}", "", {"owner": "88.168.2", "name": "cake"}, TEMPLATE,
     "template.saved"),
    (ENTERPRISE, "PATCH /api/templates/{owner}/{name}", "", {"owner": "88.168.2", "name": "cake@1"},
     {"state": "published"}, "template.published"),
    (ENTERPRISE, "PUT /api/suffix-rules/{prefix}", "", {"prefix": "88.168.2"}, {"rules": [{"pattern": "C.*"}]},
     "suffix-rules.set"),
    (ENTERPRISE, "PUT /api/minters/{prefix}", "", {"prefix": "88.168.2"},
     {"minters": [{"name": "m", "layout": "C{serial}"}]}, "minters.set"),
    (ENTERPRISE, "POST /api/suffixes/{prefix}", "", {"prefix": "88.168.2"}, {"minter": "m", "count": 9},
     "suffixes.reserved"),
    (ENTERPRISE, "POST /api/ranges", "", {},
     {"first": "88.168.2/CX-01", "members": 9, "width": 2, "values": VALUES}, "range.created"),
    (ENTERPRISE, "PUT /api/ranges/{handle}", "", {"handle": "88.168.2/CX-01"}, {"values": []}, "range.updated"),
    (ENTERPRISE, "DELETE /api/ranges/{handle}", "", {"handle": "88.168.2/CX-01"}, None, "range.deleted"),
    (ENTERPRISE, "POST /api/webhooks", "?prefix=88.168.2", {}, {"url": "https://hooks.example/f"}, "webhook.added"),
    (ENTERPRISE, "POST /api/webhooks/{webhook}/replay", "", {"webhook": "1"}, {}, "webhook.replayed"),
    (ENTERPRISE, "DELETE /api/webhooks/{webhook}", "", {"webhook": "1"}, None, "webhook.removed"),
    (ENTERPRISE, "PUT /api/views", "?prefix=88.168.2", {}, {"partners": [], "views": []}, "views.said"),
    (OPERATOR, "POST /api/purge", "", {}, {"handles": [CAKE]}, "cache.purged"),
    (OPERATOR, "POST /api/enterprises/{enterprise}/{step}", "", {"enterprise": "3", "step": "leave"}, WHY,
     "enterprise.leave"),
    (OPERATOR, "POST /api/recycled/{prefix}", "", {"prefix": "88.168.3"}, WHY, "enterprise.recycle"),
]  # fmt: skip
CHANGES_NOTHING = {"POST /api/labels"}
# Whose acts are looked for beside what else they do.
ELSEWHERE = (
    *("/api/jobs", "/api/mappings", "/api/transfers", "/api/issuers", "/api/sessions", "/api/login/openid"),
    *("/identity", "/snms"),
)


@pytest.fixture
async def node(database_dsn: str) -> AsyncIterator[Node]:
    async with open_interface(database_dsn) as node:
        yield node


async def newest(node: Node) -> tuple[int, str]:
    async with node.store.connection() as connection:
        row = await connection.fetchrow("SELECT seq, act FROM act ORDER BY seq DESC LIMIT 1")
    return (0, "") if row is None else (row["seq"], row["act"])


async def acts_since(node: Node, seq: int) -> set[str]:
    async with node.store.connection() as connection:
        return {row["act"] for row in await connection.fetch("SELECT act FROM act WHERE seq > $1", seq)}


async def headers(node: Node, who: str) -> dict[str, str]:
    if who == OPERATOR:
        return node.operator
    if who == ENTERPRISE:
        return node.enterprise
    return {} if who == NOBODY else await log_in(node, "applicant")


async def test_every_route_that_writes_leaves_an_act(node: Node):
    async with node.client.get("/openapi.json") as response:
        paths = (await response.json())["paths"]
    writing = {
        f"{method.upper()} {path}"
        for path, operations in paths.items()
        for method in operations
        if method in {"post", "put", "patch", "delete"} and not path.startswith(ELSEWHERE)
    }
    assert {route for _, route, *_ in STEPS} == writing - CHANGES_NOTHING
    for who, route, query, filled, body, expected in STEPS:
        method, _, path = route.partition(" ")
        by = await headers(node, who)
        before, _ = await newest(node)
        sent = {"data": body, "headers": by | NDJSON} if isinstance(body, bytes) else {"json": body, "headers": by}
        async with node.client.request(method, path.format(**filled) + query, **sent) as response:
            assert response.status < 300, (route, await response.text())
        assert expected in await acts_since(node, before), route
