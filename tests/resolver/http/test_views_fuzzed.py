"""Any values, any rules, any askers, with the eyes of any audience, on every route of the resolver: nothing leaks.

An answer is searched as it is sent, headers and all: a redirect, a link or a tag could tell as much as a body. In the
same run everybody has to see what is his to see, or nothing would be shown by finding nothing.
"""

import asyncio
import base64
import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from registry.handle import Handle
from registry.tokens import Tokens, Wanted
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.matrix import filled
from tests.resolver.http.test_views_by_route import HTML, OF_RESOLVER
from tests.resolver.http.views_lab import (
    ADMINS,
    AUDIENCES,
    OWN,
    audience_of,
    drawn_rules,
    drawn_values,
    marks,
    marks_of,
    may_read,
    open_matrix,
)

TYPES = ("DESC", "URL", "COST", "MIX.A", "LINK", "10320/loc", "PART_OF", "SEED", "HS_SECKEY")
RULE_TYPES = ("COST", "MIX.", "LINK", "URL", "10320/loc", "PART_OF", "HS_SECKEY")
VALUES = drawn_values(TYPES, 2, 8)
RULES = drawn_rules(RULE_TYPES)
# Each example is some hundred requests.
FUZZED = settings(
    max_examples=4,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
async def matrix(database_dsn, tmp_path):
    async with open_matrix(database_dsn, tmp_path) as matrix:
        yield matrix


async def no_tokens(matrix):
    """What once was a token of the owner's, or is one elsewhere, or never was one."""
    enterprise = matrix.store.prefixes.find(OWN.encode()).enterprise_id
    tokens, scopes = Tokens(matrix.store), frozenset({"read"})
    long_ago = Tokens(matrix.store, lambda: datetime.now(UTC) - timedelta(days=9))
    expired = await long_ago.issue(Wanted("x", scopes, enterprise, life=timedelta(days=1)), by="test")
    revoked = await tokens.issue(Wanted("x", scopes, enterprise), by="test")
    await tokens.revoke(revoked.token_id, by="test")
    elsewhere = await tokens.issue(Wanted("x", scopes, enterprise, sources=("192.0.2.1",)), by="test")
    secrets = {"expired": expired.token, "revoked": revoked.token, "elsewhere": elsewhere.token, "none": "fil_nonsense"}
    return {who: {"Authorization": f"Bearer {secret}"} for who, secret in secrets.items()}


async def told(matrix, method, path, body, headers):
    """Everything that an answer says."""
    reply = await asyncio.to_thread(matrix.client.ask, method, path, body, headers)
    text = reply.body.decode(errors="replace")
    if "payload" in text[:20]:
        payload = json.loads(text)["payload"]
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
    return reply.status, f"{reply.headers}\n{text}"


def allowed(who, audience, rules):
    """Which values somebody may see, and which an audience would with whose eyes he looks."""
    own = audience_of(who, friends=True) or "public"
    by_token = who.endswith("token") or who == "regulator"

    def may(value):
        if by_token and value.type == "HS_SECKEY" and not value.permissions & 2:
            return False
        return may_read(own, value, rules) and (audience is None or may_read(audience, value, rules))

    return may


@FUZZED
@given(drawn=VALUES, rules=RULES, seed=st.integers(0, 1 << 30))
async def test_no_answer_of_any_route_holds_what_its_reader_may_not_know(matrix, drawn, rules, seed):
    await matrix.say(rules, friends=True)
    chance = random.Random(seed)
    name, old, new = await matrix.register(drawn)
    names = {"name": name, "prefix": OWN, "alias": f"{name}-ALIAS", "child": f"{name}-CHILD", "member": name}
    async with begin(matrix.store, "test") as transaction:
        await transaction.create(Handle.from_text(names["alias"]), (HandleValue(1, "HS_ALIAS", name.encode()),))
        link = HandleValue(1, "PACKED_IN", name.encode(), permissions=ADMINS)
        await transaction.create(Handle.from_text(names["child"]), (link,))
    for who, headers in (matrix.headers | await no_tokens(matrix)).items():
        is_known = who in matrix.headers
        for route, questions in OF_RESOLVER.items():
            for path, *rest in questions:
                audience = chance.choice((None, None, *AUDIENCES))
                target = path.format_map(names)
                if audience is not None:
                    target += f"{'&' if '?' in path else '?'}as={audience}"
                body, more = filled(rest[0], names) if rest else None, rest[1] if len(rest) > 1 else {}
                status, text = await told(matrix, route.split()[0], target, body, headers | more)
                # A route that knows no audience shows the reader's own view.
                sees = allowed(who if is_known else "public", None, rules)
                assert status < 500, (who, target, text)
                assert marks(text) <= marks_of((*old, *new), sees), (who, target, status, text)
        for path, body, more in (
            (f"/{name}?noredirect", None, HTML),
            (f"/api/tree/{name}?depth=1", None, {}),
            ("/api/bundle", [name], {}),
        ):
            if not is_known or who == "node":
                continue
            audience = chance.choice((None, *AUDIENCES)) if who == "owner" else None
            target = path if audience is None else f"{path}{'&' if '?' in path else '?'}as={audience}"
            status, text = await told(matrix, "GET" if body is None else "POST", target, body, headers | more)
            assert (status, marks(text)) == (200, marks_of(new, allowed(who, audience, rules))), (who, target, text)
