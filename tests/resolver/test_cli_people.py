"""The operator's commands for people, tokens and applications."""

import json
from datetime import UTC, datetime

from tests.registry.companies import open_office
from tests.resolver.test_cli import filament


def rows(*arguments):
    return json.loads(filament(*arguments, "--output", "json").stdout)


async def test_people_and_tokens_are_added_listed_and_let_in_no_more(database_dsn, tmp_path):
    dsn = ("--dsn", database_dsn, "--data-directory", str(tmp_path))
    filament("enterprise", "add", "化纤厂", "--prefix", "88.168.1", *dsn)
    (added,) = rows("person", "add", "wang", "--role", "administrator", "--enterprise", "化纤厂", *dsn)
    (token,) = rows(
        *("token", "add", "MES", "--scope", "bulk", "--scope", "read", "--enterprise", "化纤厂"),
        *("--prefix", "88.168.1", "--from", "192.0.2.0/24", *dsn),
    )
    async with open_office(database_dsn, tmp_path) as office:
        await office.people.log_in("wang", added["password"])
    (listed,) = rows("person", "list", "--enterprise", "化纤厂", *dsn)
    assert (listed["name"], listed["role"], listed["active"]) == ("wang", "administrator", True)
    shown = rows("token", "list", "--enterprise", "化纤厂", *dsn)
    assert [one["label"] for one in shown] == ["MES", "log-in"]
    assert (shown[0]["scopes"], shown[0]["prefixes"]) == (["bulk", "read"], ["88.168.1"])
    assert datetime.fromisoformat(shown[0]["expires_at"]) > datetime.now(UTC)
    (rotated,) = rows("token", "rotate", str(token["token_id"]), *dsn)
    assert rotated["token"] != token["token"]
    assert "revoked" in filament("token", "revoke", str(token["token_id"]), *dsn).stderr
    assert "已更新" in filament("person", "disable", "wang", "--lang", "zh", *dsn).stderr
    assert not rows("person", "list", "--enterprise", "化纤厂", *dsn)[0]["active"]


async def test_an_application_is_reviewed_and_its_enterprise_leaves(database_dsn, tmp_path):
    dsn = ("--dsn", database_dsn, "--data-directory", str(tmp_path))
    async with open_office(database_dsn, tmp_path) as office:
        number = await office.apply("88.168.9", "化纤厂")
    (listed,) = rows("application", "list", *dsn)
    assert (listed["state"], listed["prefix"]) == ("submitted", "88.168.9")
    done = filament("application", "review", str(number), "approve", "--reason", "齐全", "--lang", "zh", *dsn)
    assert "approved" in done.stderr
    assert "set" in filament("enterprise", "limit", "化纤厂", "--handles", "10", *dsn).stderr
    for step, state in (("suspend", "suspended"), ("resume", "active"), ("leave", "left")):
        assert state in filament("enterprise", "move", "化纤厂", step, "--reason", "x", *dsn).stderr
    assert "free" in filament("enterprise", "recycle", "88.168.9", "--reason", "x", *dsn).stderr


async def test_what_cannot_be_is_refused_in_both_languages(database_dsn, tmp_path):
    dsn = ("--dsn", database_dsn, "--data-directory", str(tmp_path))
    for arguments, english, chinese in (
        (("person", "add", "wang", "--role", "god"), "no role", "没有角色"),
        (("person", "add", "wang", "--role", "member", "--enterprise", "无"), "no enterprise", "没有企业"),
        (("token", "add", "x", "--scope", "fly"), "cannot be given", "不能授予"),
        (("token", "revoke", "7"), "no token", "没有使用中的令牌"),
        (("enterprise", "recycle", "88.168.5", "--reason", "x"), "nobody's", "未分配"),
    ):
        assert english in filament(*arguments, *dsn, code=1).stderr
        assert chinese in filament(*arguments, *dsn, "--lang", "zh", code=1).stderr
