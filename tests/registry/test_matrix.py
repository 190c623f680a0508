"""Tokens by prefixes by routes: whoever asks for what is another enterprise's gets none of it and changes none of it.

Every route of the interface has a row (`tests.registry.matrix`), or stands among those that aim at nobody's data; a new
one without either fails the first test.
"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.errors import AuthenticationFailed
from registry.grants import OF_PROGRAMS
from registry.tokens import OVERLAP, Tokens, Wanted
from tests.registry.companies import PASSWORD
from tests.registry.matrix import (
    MARK,
    OF_NOBODY,
    OF_RANGES,
    OURS,
    ROWS,
    SHOWS_NO_MARK,
    THEIRS,
    open_matrix,
)
from tests.registry.test_people_api import ask, bearer, person


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
