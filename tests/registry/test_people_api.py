"""People, tokens and applications over a real connection; no token is good for another's prefix, by any path."""

import asyncio
import random
from datetime import timedelta

import pytest

from registry.enterprise import add_enterprise
from registry.grants import OF_PROGRAMS
from registry.passwords import Passwords
from registry.people import People
from registry.tokens import Tokens, Wanted
from tests.registry.bulk_files import line
from tests.registry.companies import PASSWORD, PDF, PERSONAL, credit_code
from tests.registry.interface import NDJSON

OURS, THEIRS = "88.168.2", "88.168.7"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def ask(node, method, path, headers, json=None, data=None, **query):
    async with node.client.request(method, path, params=query, json=json, data=data, headers=headers) as answer:
        body = await answer.read()
        return answer.status, (await answer.json(content_type=None) if body[:1] in (b"{", b"[") else body)


async def log_in(node, name, password=PASSWORD):
    status, body = await ask(node, "POST", "/api/login", {}, {"name": name, "password": password})
    assert status == 200, body
    return bearer(body["token"])


async def person(node, name, role, enterprise=None):
    await People(node.store, Tokens(node.store), Passwords()).add(name, role, enterprise, by="test", password=PASSWORD)
    return await log_in(node, name)


async def number_of(node, prefix):
    _, listed = await ask(node, "GET", "/api/enterprises", node.operator)
    return next(one["enterprise_id"] for one in listed if one["prefix"] == prefix)


def application(prefix="88.168.9", name="浙江澜丝化纤有限公司", account="applicant"):
    form = {"name": name, "credit_code": credit_code(), "prefix": prefix}
    form["personal"] = {name: getattr(PERSONAL, name) for name in PERSONAL.__struct_fields__}
    return form | ({"account": {"name": account, "password": PASSWORD}} if account else {})


async def test_an_enterprise_comes_in_from_its_application_to_its_first_load(node):
    reviewer = await person(node, "reviewer", "reviewer")
    status, made = await ask(node, "POST", "/api/applications", {}, application())
    assert (status, made["state"]) == (201, "submitted")
    path = f"/api/applications/{made['application']}"
    applicant = await log_in(node, "applicant")
    pdf = applicant | {"Content-Type": "application/pdf"}
    assert (await ask(node, "POST", f"{path}/evidence", pdf, data=PDF, name="执照.pdf"))[0] == 201
    assert (await ask(node, "POST", f"{path}/approve", applicant, {"reason": "me"}))[0] == 403
    assert await ask(node, "GET", f"{path}/evidence/1", reviewer) == (200, PDF)
    _, shown = await ask(node, "GET", path, reviewer)
    assert shown["personal"]["legal_person"] == "沈**"
    _, full = await ask(node, "GET", path, reviewer, personal="full")
    assert full["personal"]["legal_person"] == PERSONAL.legal_person
    _, own = await ask(node, "GET", path, applicant, personal="full")
    assert own["personal"]["legal_person"] == "沈**"
    status, moved = await ask(node, "POST", f"{path}/approve", reviewer, {"reason": "齐全"})
    assert (status, moved["state"]) == (200, "approved")
    status, issued = await ask(node, "POST", "/api/tokens", applicant, {"label": "MES", "scopes": ["bulk", "read"]})
    assert status == 201
    status, report = await ask(
        node, "POST", "/api/bulk", bearer(issued["token"]) | NDJSON, data=line("88.168.9/A", "1")
    )
    assert (status, report["created"]) == (200, 1)
    _, me = await ask(node, "GET", "/api/me", bearer(issued["token"]))
    assert (me["scopes"], me["prefixes"]) == (["bulk", "read"], ["88.168.9"])


async def test_an_applicant_sees_no_application_but_his_own(node):
    for name in ("one", "other"):
        await ask(node, "POST", "/api/applications", {}, application(name=name, account=f"applicant-{name}"))
    one = await log_in(node, "applicant-one")
    assert [row["name"] for row in (await ask(node, "GET", "/api/applications", one))[1]] == ["one"]
    for method, path in (("GET", ""), ("POST", "/withdraw"), ("GET", "/evidence/1")):
        status, body = await ask(node, method, f"/api/applications/2{path}", one, {} if method == "POST" else None)
        assert (status, body["rule"]) == (404, "application.not_found")


async def test_somebody_changes_his_password_and_logs_out(node):
    token = await person(node, "wang", "operator")
    form = {"name": "wang", "password": PASSWORD, "new_password": "another password"}
    status, body = await ask(node, "POST", "/api/login", {}, form)
    assert status == 200
    assert (await ask(node, "GET", "/api/me", token))[0] == 401
    assert (await ask(node, "DELETE", "/api/login", bearer(body["token"])))[0] == 204
    assert (await ask(node, "GET", "/api/me", bearer(body["token"])))[0] == 401
    form = {"name": "wang", "password": PASSWORD}
    status, refused = await ask(node, "POST", "/api/login", {"Accept-Language": "zh"}, form)
    assert (status, refused["rule"]) == (403, "person.log_in")
    assert "密码错误" in refused["detail"]


async def test_the_administrator_of_an_enterprise_has_people_and_tokens_of_his_own_alone(node):
    ours = await number_of(node, OURS)
    await add_enterprise(node.store, "织造厂", "", "", THEIRS, by="test")
    theirs = await number_of(node, THEIRS)
    boss = await person(node, "boss", "administrator", ours)
    member = await person(node, "member", "member", ours)
    other = await person(node, "other", "administrator", theirs)
    status, added = await ask(node, "POST", "/api/people", boss, {"name": "zhang", "role": "member"})
    assert (status, added["enterprise"], len(added["password"])) == (201, ours, 16)
    assert {one["name"] for one in (await ask(node, "GET", "/api/people", boss))[1]} == {"boss", "member", "zhang"}
    _, issued = await ask(node, "POST", "/api/tokens", boss, {"label": "MES", "scopes": ["read"]})
    for headers in (member, other, bearer(issued["token"])):
        for method, path, form in (
            ("GET", f"/api/people?enterprise={ours}", None),
            ("POST", "/api/people", {"name": "spy", "role": "administrator", "enterprise": ours}),
            ("POST", "/api/people/zhang", {"password": "another password"}),
            ("GET", f"/api/tokens?enterprise={ours}", None),
            ("POST", "/api/tokens", {"label": "spy", "scopes": ["read"], "enterprise": ours}),
            ("POST", f"/api/tokens/{issued['token_id']}/rotate", {}),
            ("DELETE", f"/api/tokens/{issued['token_id']}", None),
        ):
            assert (await ask(node, method, path, headers, form))[0] == 403, (path, headers)
    for scopes in (["operate"], ["review"], ["apply"], ["read", "operate"]):
        assert (await ask(node, "POST", "/api/tokens", boss, {"label": "x", "scopes": scopes}))[0] == 403
    for role in ("operator", "reviewer", "regulator", "applicant"):
        assert (await ask(node, "POST", "/api/people", boss, {"name": "spy", "role": role}))[0] == 400
    for path in ("/suspend", "/leave"):
        assert (await ask(node, "POST", f"/api/enterprises/{theirs}{path}", boss, {"reason": "x"}))[0] == 403
    assert (await ask(node, "GET", f"/api/enterprises/{theirs}", boss))[0] == 403
    assert (await ask(node, "GET", f"/api/enterprises/{ours}", boss))[0] == 200


async def test_an_enterprises_own_key_acts_for_it_as_its_administrator(node):
    ours = await number_of(node, OURS)
    status, issued = await ask(
        node, "POST", "/api/tokens", node.enterprise, {"label": "MES", "scopes": ["read"], "enterprise": ours}
    )
    assert status == 201
    assert (await ask(node, "GET", "/api/changes", bearer(issued["token"]), prefix=OURS))[0] == 200
    others = await number_of(node, "88.168.1")
    form = {"label": "x", "scopes": ["read"], "enterprise": others}
    assert (await ask(node, "POST", "/api/tokens", node.enterprise, form))[0] == 403
    assert (await ask(node, "POST", "/api/tokens", node.enterprise, form | {"enterprise": None}))[0] == 403
    await add_enterprise(node.store, "化纤厂", "", "", "88.168.22", by="test")
    form = {"label": "x", "scopes": ["read"], "enterprise": ours}
    assert (await ask(node, "POST", "/api/tokens", node.enterprise, form))[0] == 403, (
        "it is no key of the second prefix"
    )


async def test_an_operator_suspends_limits_and_dismisses_an_enterprise(node):
    ours = await number_of(node, OURS)
    operator = await person(node, "ops", "operator")
    path = f"/api/enterprises/{ours}"
    assert (await ask(node, "POST", f"{path}/suspend", operator, {"reason": "检查"}))[1]["state"] == "suspended"
    status, report = await ask(node, "POST", "/api/bulk", node.enterprise | NDJSON, data=line(f"{OURS}/A", "1"))
    assert (status, report["created"], report["refused"]) == (200, 0, 1)
    assert (await ask(node, "POST", f"{path}/suspend", operator, {"reason": "again"}))[0] == 409
    assert (await ask(node, "POST", f"{path}/resume", operator, {"reason": "完成"}))[0] == 200
    _, limited = await ask(node, "PUT", f"{path}/limits", operator, {"handles": 0})
    assert (limited["max_handles"], limited["max_rate"]) == (0, None)
    status, refused = await ask(node, "POST", "/api/bulk", node.enterprise | NDJSON, data=line(f"{OURS}/A", "1"))
    assert (status, refused["responseCode"], refused["rule"]) == (403, 604, "quota.handles")
    assert (await ask(node, "POST", f"{path}/leave", operator, {"reason": "退出"}))[1]["state"] == "left"
    assert (await ask(node, "POST", f"/api/recycled/{OURS}", operator, {"reason": "回收"}))[0] == 200
    _, shown = await ask(node, "GET", path, operator)
    assert [one["step"] for one in shown["decisions"]] == ["suspend", "resume", "limit", "leave", "recycle"]


# Every way to ask for something of a prefix; what may be answered to whoever has no right to it holds no handle of it.
ROUTES = (
    ("GET", "/api/search?prefix={prefix}&type=BATCH&value=B1", None),
    ("GET", "/api/changes?prefix={prefix}", None),
    ("GET", "/api/changes", None),
    ("GET", "/api/history/{prefix}/SECRET", None),
    ("GET", "/api/history/{prefix}/SECRET?version=1", None),
    ("GET", "/api/history/0.NA/{prefix}?version=1", None),
    ("POST", "/api/history/{prefix}/SECRET?version=1", None),
    ("GET", "/api/statistics?prefix={prefix}", None),
    ("GET", "/api/statistics", None),
    ("GET", "/api/statistics/busiest", None),
    ("GET", "/api/bulk/1", None),
    ("GET", "/api/bulk/1/refused", None),
    ("POST", "/api/bulk", "load"),
    ("GET", "/api/enterprises", None),
    ("POST", "/api/enterprises", {"name": "x", "prefix": "88.168.77"}),
    ("GET", "/api/enterprises/{enterprise}", None),
    ("PUT", "/api/enterprises/{enterprise}/limits", {}),
    ("POST", "/api/enterprises/{enterprise}/suspend", {"reason": "x"}),
    ("POST", "/api/recycled/{prefix}", {"reason": "x"}),
    ("GET", "/api/people?enterprise={enterprise}", None),
    ("POST", "/api/people", {"name": "spy", "role": "member", "enterprise": "{enterprise}"}),
    ("GET", "/api/tokens?enterprise={enterprise}", None),
    ("POST", "/api/tokens", {"label": "x", "scopes": ["read"], "enterprise": "{enterprise}"}),
    ("DELETE", "/api/tokens/{token}", None),
    ("POST", "/api/tokens/{token}/rotate", {}),
    ("GET", "/api/applications", None),
    ("GET", "/api/applications/1", None),
)


async def leaks_of(node, headers, prefix, enterprise, token):
    """What this caller was given of the prefix, or did to it, by any route."""
    leaks = []
    for method, path, form in ROUTES:
        at = path.format(prefix=prefix, enterprise=enterprise, token=token)
        if form == "load":
            status, body = await ask(node, method, at, headers | NDJSON, data=line(f"{prefix}/NEW", "1"))
            refused = status >= 400 or body["created"] == 0
        else:
            numbered = form and {name: enterprise if value == "{enterprise}" else value for name, value in form.items()}
            status, body = await ask(node, method, at, headers, numbered)
            refused = status >= 400 or body == []
        if not refused:
            leaks.append((method, at, status, body))
    return leaks


async def test_no_token_of_one_enterprise_reads_or_changes_anything_of_another_by_any_path(node):
    await add_enterprise(node.store, "织造厂", "", "", THEIRS, by="test")
    ours, theirs = await number_of(node, OURS), await number_of(node, THEIRS)
    tokens = Tokens(node.store)
    victim = await tokens.issue(Wanted("victim", OF_PROGRAMS, theirs), by="test")
    load = line(f"{THEIRS}/SECRET", "1")
    assert (await ask(node, "POST", "/api/bulk", bearer(victim.token) | NDJSON, data=load))[1]["created"] == 1
    await ask(node, "POST", "/api/applications", {}, application())
    before = await contents(node)
    callers = [await person(node, f"{role}-2", role, ours) for role in ("administrator", "member")]
    draw = random.Random(1)
    shapes = [
        (draw.sample(sorted(OF_PROGRAMS), draw.randint(1, 5)), draw.choice((None, OURS, THEIRS))) for _ in range(24)
    ]
    for scopes, prefix in shapes:
        wanted = Wanted("x", frozenset(scopes), ours, None if prefix is None else (prefix,), life=timedelta(days=1))
        callers.append(bearer((await tokens.issue(wanted, by="test")).token))
    callers += [bearer("fil_nonsense"), {}, node.enterprise]
    for headers in callers:
        assert await leaks_of(node, headers, THEIRS, theirs, victim.token_id) == []
    assert await contents(node) == before
    assert (await ask(node, "GET", "/api/me", bearer(victim.token)))[0] == 200


async def contents(node):
    """What the book says of the other enterprise."""
    async with node.store.connection() as connection:
        return [
            await connection.fetchval(query)
            for query in (
                "SELECT string_agg(h.suffix || h.version || h.state, ',' ORDER BY h.suffix) FROM handle AS h "
                f"JOIN prefix USING (prefix_id) WHERE prefix IN ('{THEIRS}', '0.NA')",
                "SELECT string_agg(name || state, ',' ORDER BY name) FROM enterprise",
                "SELECT count(*) FROM person WHERE name = 'spy'",
                "SELECT count(*) FROM prefix",
            )
        ]


async def test_a_reviewer_and_a_regulator_change_nothing(node):
    ours = await number_of(node, OURS)
    issued = await Tokens(node.store).issue(Wanted("x", OF_PROGRAMS, ours), by="test")
    before = await contents(node)
    for name, role in (("rev", "reviewer"), ("reg", "regulator")):
        headers = await person(node, name, role)
        for method, path, form in ROUTES:
            if method == "GET":
                continue
            at = path.format(prefix=OURS, enterprise=ours, token=issued.token_id)
            if form == "load":
                status, _ = await ask(node, method, at, headers | NDJSON, data=line(f"{OURS}/NEW", "1"))
            else:
                numbered = form and {key: ours if value == "{enterprise}" else value for key, value in form.items()}
                status, _ = await ask(node, method, at, headers, numbered)
            assert status >= 400, (role, at)
    assert await contents(node) == before


async def test_a_thousand_wrong_tokens_cost_no_more_than_a_refusal(node):
    statuses = await asyncio.gather(*(ask(node, "GET", "/api/me", bearer(f"fil_{number}")) for number in range(100)))
    assert {status for status, _ in statuses} == {401}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"name":1,"password":"x"}', b'{"name":"a"}', b"\xff", b"null"])
async def test_a_log_in_that_is_none_is_refused(node, body):
    status, refused = await ask(node, "POST", "/api/login", {}, data=body)
    assert (status, refused["rule"].partition(".")[0]) == (400, "json")
