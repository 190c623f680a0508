"""Archives: everything of an enterprise goes out, and comes in at an empty node as it was."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import orjson
import pytest

from registry import archive_import
from registry.authentication import Administrator
from registry.handle import Handle
from registry.minting import Asked, Minting
from registry.opening import ViewsForm, say
from registry.past import past
from registry.ranges import NewRange, Ranges
from registry.registration import Registration
from registry.standing import State as HandleState
from registry.standing import Wish
from registry.states import anything, put
from registry.store import Store
from registry.suffixes import Minter, SuffixRule
from registry.template import Attribute, Template
from registry.templates import State, Templates
from registry.value import HandleValue, Reference
from registry.views import Rule
from tests.registry.bulk_files import line
from tests.registry.interface import OPERATOR, Node, open_interface
from tests.registry.test_jobs import done, working

PREFIX = "88.168.2"
BY = "300:0.NA/88.168.2"
NAMESPACE = b'<namespace><template delimiter="@"><foreach><value/></foreach></template></namespace>'
WEIGHT = Attribute(index=10, type="WEIGHT", kind="number", zh="重量", en="weight", required=True, maximum=10)


def name(suffix: str) -> Handle:
    return Handle(PREFIX, suffix)


@pytest.fixture
async def other(postgres: Any, template: str) -> AsyncIterator[Node]:
    """Another node, which is empty."""
    database = f"other_{uuid4().hex}"
    await postgres.execute(f"CREATE DATABASE {database} TEMPLATE {template}")
    async with open_interface(postgres.dsn_of(database)) as node:
        yield node
    await postgres.execute(f"DROP DATABASE {database} WITH (FORCE)")


async def fill(store: Store) -> None:
    """A little of everything."""
    registration = Registration(store, [OPERATOR])
    by = Administrator(Reference("0.NA/88.168.2", 300))
    prefix = store.prefixes.find(PREFIX.encode())
    assert prefix is not None
    templates = Templates(store)
    for most in (10, 20):
        version = await templates.save(prefix, "cake", Template(zh="丝饼", en="cake", attributes=(WEIGHT,)), BY)
        await templates.move(prefix, "cake", version, State.PUBLISHED, BY)
        assert most
    await templates.move(prefix, "cake", 1, State.DEPRECATED, BY)
    await templates.save(prefix, "roll", Template(zh="布卷", en="roll", attributes=(WEIGHT,)), BY)
    cake = (HandleValue(10, "WEIGHT", b"9.5"), HandleValue(1000, "TEMPLATE", b"88.168.2/cake@2"))
    for suffix in ("A", "b", "gone", "late", "涤纶"):
        await registration.put_record(name(suffix), cake, by)
    await registration.put_record(name("alias"), (HandleValue(1, "HS_ALIAS", b"88.168.2/A"),), by)
    ranges = Ranges(store, registration)
    doff = NewRange(name("D.01"), 96, 2, 10, (HandleValue(1, "URL", b"https://example.com/{serial}"),))
    await ranges.register(doff, by)
    await registration.put_record(name("D.07"), (HandleValue(1, "DESC", b"own"),), by)
    await registration.delete_record(name("D.08"), by)
    await registration.delete_record(name("gone"), by)
    minting = Minting(store)
    await minting.set_rules(prefix, [SuffixRule(pattern="[A-Z].*", accepted=("A",), refused=("1",))], BY)
    await say(store, prefix, ViewsForm(["88.168.1"], [Rule("WEIGHT", ("partner",))]), BY)
    await minting.set_minters(prefix, [Minter(name="serial", layout="S{serial}")], BY)
    await registration.mint_record(Handle(PREFIX, ""), Asked("serial"), cake, by)
    for suffix, wish in (
        ("A", Wish(HandleState.FROZEN, "recall")),
        ("b", Wish(HandleState.REVOKED, "scrapped", f"{PREFIX}/A")),
        ("late", Wish(HandleState.ACTIVE, "", "", 4_000_000_000)),
        ("R-1", Wish(HandleState.RESERVED, "for tomorrow")),
    ):
        await put(store, [name(suffix)], wish, by=BY, of_node=False, allow=anything)
    async with store.connection() as connection:  # Long ago, and by somebody who is not at the other node.
        standing = """{"since": 1700000000, "by": "token:7", "reason": "recall"}"""
        await connection.execute("UPDATE handle SET standing = $1 WHERE suffix = 'A'", standing)
    about = (HandleValue(7, "EMAIL", b"codes@example.com"), HandleValue(8, "HS_NAMESPACE", NAMESPACE))
    await registration.put_values(Handle("0.NA", PREFIX), about, by)
    await store.load_prefixes()


async def exported(node: Node, query: str = "") -> list[dict[str, Any]]:
    async with node.client.get(f"/api/export{query}", headers=node.enterprise) as answer:
        assert answer.status == 200, await answer.read()
        return [orjson.loads(one) for one in (await answer.read()).splitlines()]


def packed(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(one) + b"\n" for one in lines)


def content(lines: list[dict[str, Any]]) -> list[bytes]:
    """What an archive says but for its head."""
    return sorted(orjson.dumps(one, option=orjson.OPT_SORT_KEYS) for one in lines[1:])


def timeless(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the times of versions: a handle that was written once is as old as its row in each book."""
    times = ("since", "until", "registered")
    return [{key: said for key, said in one.items() if "past" not in one or key not in times} for one in lines]


async def test_an_archive_makes_an_equal_book_of_an_empty_one(node: Node, other: Node):
    await fill(node.store)
    lines = await exported(node)
    assert lines[0]["archive"]["prefixes"] == [PREFIX]
    assert lines[-1] == {"end": {"handles": 8, "leftOut": 0}}
    kinds = [next(iter(one)) for one in lines]
    assert kinds.count("range") == 1
    assert {"template", "prefix", "state", "deleted", "views", "rules", "minters"} < set(kinds)
    async with working(other.store):
        job = await done(other, packed(sorted(lines, key=lambda one: next(iter(one)), reverse=True)))
    assert (job["state"], job["refused"], job["fault"]) == ("finished", 0, None)
    await other.store.load_prefixes()
    assert content(await exported(other)) == content(lines)
    async with other.client.get("/api/jobs", headers=other.enterprise) as answer:
        assert answer.status == 200, "the key is the one that was given out there"
    for suffix in ("D.96", "D.07", "D.08", "A", "b", "gone", "涤纶", "alias"):
        key = node.store.key_of(name(suffix).octets)
        ours, theirs = await node.store.fetch(key), await other.store.fetch(key)
        assert (ours and [(one.index, one.data) for one in ours.values]) == (
            theirs and [(one.index, one.data) for one in theirs.values]
        )


async def test_the_next_archive_holds_only_what_changed_and_brings_the_other_book_up_to_date(node: Node, other: Node):
    await fill(node.store)
    lines = await exported(node)
    registration = Registration(node.store, [OPERATOR])
    by = Administrator(Reference("0.NA/88.168.2", 300))
    async with working(other.store), working(node.store):
        await done(other, packed(lines))
        cake = (HandleValue(10, "WEIGHT", b"1"), HandleValue(1000, "TEMPLATE", b"88.168.2/cake@2"))
        await registration.put_record(name("涤纶"), cake, by)
        await registration.delete_record(name("alias"), by)
        await done(node, b"".join(line(f"{PREFIX}/L{number}", "loaded") for number in range(5)))
        cursor = lines[0]["archive"]["cursor"]
        more = await exported(node, f"?since={cursor}")
        assert more[0]["archive"]["since"] == cursor
        assert {one["handle"] for one in more if "handle" in one} == {
            f"{PREFIX}/涤纶",
            *(f"{PREFIX}/L{number}" for number in range(5)),
        }
        assert {"deleted": f"{PREFIX}/alias"} in more
        job = await done(other, packed(more))
    assert (job["state"], job["refused"]) == ("finished", 0)
    await other.store.load_prefixes()
    assert content(timeless(await exported(other))) == content(timeless(await exported(node)))


async def histories(node: Node, names: Sequence[str]) -> dict[str, Any]:
    """What a node says of the versions of handles, and how each reads."""
    found: dict[str, Any] = {}
    for one in names:
        async with node.client.get(f"/api/history/{one}", headers=node.enterprise) as answer:
            listed = await answer.json()
        for version in listed["versions"]:
            of = f"/api/history/{one}?version={version['version']}"
            async with node.client.get(of, headers=node.enterprise) as answer:
                assert answer.status == 200
                found[of] = await answer.json()
    return found


async def aged(store: Store) -> None:
    """As if everything had been written a day earlier, version by version, and by somebody else."""
    async with store.connection() as connection:
        for statement in (
            "UPDATE handle SET created_at = created_at - interval '1 day', updated_at = updated_at - interval '1 hour'",
            "UPDATE handle_history SET written_at = written_at - interval '1 day' + version * interval '1 minute'",
            "UPDATE handle_history SET at = at - interval '1 day' + (version + 1) * interval '1 minute'",
            "UPDATE handle_history SET changed_by = 'token:7' WHERE version = 2",
        ):
            await connection.execute(statement)


CHANGED = ("A", "b", "gone", "late", "R-1", "涤纶")


async def test_the_past_goes_along_with_its_numbers_times_and_names(node: Node, other: Node):
    await fill(node.store)
    registration = Registration(node.store, [OPERATOR])
    by = Administrator(Reference("0.NA/88.168.2", 300))
    for weight in (b"1", b"2", b"3"):
        await registration.put_record(
            name("涤纶"), (HandleValue(10, "WEIGHT", weight), HandleValue(3, "DESC", b"x")), by
        )
    await aged(node.store)
    changed = [str(name(suffix)) for suffix in CHANGED]
    lines = await exported(node)
    past = [one for one in lines if "past" in one]
    assert {one["past"] for one in past} >= set(changed)
    async with working(other.store):
        for _ in range(2):
            job = await done(other, packed(lines))
            assert (job["state"], job["refused"], job["fault"]) == ("finished", 0, None)
    await other.store.load_prefixes()
    ours, theirs = await histories(node, changed), await histories(other, changed)
    assert len(ours) > len(changed)
    assert theirs == ours
    assert content(await exported(other)) == content(lines)
    async with node.store.connection() as here, other.store.connection() as there:
        for each in ("SELECT sum(registered) FROM handle_count", "SELECT suffix, at FROM handle_expiry"):
            assert await there.fetch(each) == await here.fetch(each)


async def test_a_later_archive_goes_on_with_the_past_where_the_one_before_it_ended(node: Node, other: Node):
    await fill(node.store)
    lines = await exported(node)
    registration = Registration(node.store, [OPERATOR])
    by = Administrator(Reference("0.NA/88.168.2", 300))
    async with working(other.store):
        await done(other, packed(lines))
        for weight in (b"4", b"5"):
            await registration.put_record(name("涤纶"), (HandleValue(10, "WEIGHT", weight),), by)
        await put(node.store, [name("A")], Wish(HandleState.ACTIVE), by=BY, of_node=False, allow=anything)
        await registration.delete_record(name("A"), by)
        await registration.put_record(name("A"), (HandleValue(1, "DESC", b"back"),), by)
        more = await exported(node, f"?since={lines[0]['archive']['cursor']}")
        job = await done(other, packed(more))
    assert (job["state"], job["refused"]) == ("finished", 0)
    changed = [str(name(suffix)) for suffix in ("A", "b", "gone", "R-1")]
    assert await histories(other, changed) == await histories(node, changed)
    await other.store.load_prefixes()
    assert content(timeless(await exported(other))) == content(timeless(await exported(node)))


async def test_the_past_is_the_same_in_pages_of_any_length(node: Node):
    registration = Registration(node.store, [OPERATOR])
    by = Administrator(Reference("0.NA/88.168.2", 300))
    for suffix, versions in (("a", 1), ("b", 4), ("c", 2), ("d", 3), ("e", 1), ("f", 2)):
        for version in range(versions):
            await registration.put_record(name(suffix), (HandleValue(1, "DESC", b"%d" % version),), by)
    await registration.delete_record(name("c"), by)
    prefix = node.store.prefixes.find(PREFIX.encode())
    assert prefix is not None
    written = [("b", 1), ("b", 2), ("b", 3), ("b", 4), ("c", 1), ("c", 2), ("c", 3), ("d", 1), ("d", 2), ("d", 3)]
    for page in (1, 2, 3, 4, 5, 8, 9, 1000):
        for suffixes, ends in ((None, [*written, ("f", 1), ("f", 2)]), (["A", "B", "C", "D"], written)):
            read = past(node.store, prefix, lambda _: True, suffixes, page)
            lines = [one async for some, _ in read for one in some]
            assert [(one["past"].removeprefix(f"{PREFIX}/"), one["version"]) for one in lines] == ends
            assert [one["past"] for one in lines if "registered" in one] == sorted({one["past"] for one in lines})


async def test_nothing_is_put_into_the_past_of_a_handle_that_is_here(node: Node):
    registration = Registration(node.store, [OPERATOR])
    by = Administrator(Reference("0.NA/88.168.2", 300))
    await registration.put_record(name("A"), (HandleValue(1, "DESC", b"ours"),), by)
    value, times = {"index": 1, "type": "DESC"}, {"since": "2001-01-01T00:00:00Z", "until": "2002-01-01T00:00:00Z"}

    def versions(first: str) -> bytes:
        head = {"past": f"{PREFIX}/A", "state": "active"}
        return packed(
            [
                {**head, "version": 1, **times, "by": "x", "values": [{**value, "data": first}]},
                {**head, "version": 2, **times, "by": "x", "values": [{**value, "data": "forged"}]},
                {**head, "version": 3, "since": times["until"], "registered": times["since"], "values": []},
            ]
        )

    async with working(node.store):
        job = await done(node, versions("theirs"))
        assert (job["refused"], job["updated"]) == (1, 0)
        async with node.client.get(job["results"], headers=node.enterprise) as answer:
            assert orjson.loads(await answer.read())["refusal"]["rule"] == "archive.past"
        job = await done(node, versions("ours"))
        assert (job["refused"], job["updated"]) == (0, 1)
    found = await histories(node, [str(name("A"))])
    assert [one["version"] for one in found.values()] == [3, 2, 1]
    assert min(one["since"] for one in found.values()) == found[f"/api/history/{PREFIX}/A?version=1"]["since"]
    async with node.client.get(f"/api/history/{PREFIX}/A?at=2001-06-01", headers=node.enterprise) as answer:
        assert answer.status == 404


async def test_of_more_versions_than_can_be_held_the_present_one_is_taken_in(node: Node, monkeypatch):
    head = {"past": f"{PREFIX}/A", "state": "active", "since": "2001-01-01T00:00:00Z", "values": []}
    versions = [head | {"version": version, "until": "2002-01-01T00:00:00Z"} for version in (1, 2)]
    present = head | {"version": 3, "registered": head["since"]}
    body = packed(
        [*versions, present, {"handle": f"{PREFIX}/A", "values": [{"index": 1, "type": "DESC", "data": "x"}]}]
    )
    monkeypatch.setattr(archive_import, "MAX_VERSIONS", 2)
    async with working(node.store):
        job = await done(node, body)
        assert (job["created"], job["refused"]) == (1, 1)
        async with node.client.get(job["results"], headers=node.enterprise) as answer:
            rows = [orjson.loads(one) for one in (await answer.read()).splitlines()]
        assert [row["refusal"]["rule"] for row in rows if "refusal" in row] == ["archive.past_long"]


async def test_what_is_wrong_in_an_archive_is_told_line_by_line_and_the_rest_is_taken_in(node: Node):
    body = packed(
        [
            {"template": f"{PREFIX}/a@1", "state": "published", "form": {"zh": "甲", "en": "a", "x": 1}},
            {"template": "88.168.1/a@1", "state": "published", "form": {"zh": "甲", "en": "a"}},
            {"handle": f"{PREFIX}/A", "values": [{"index": 1, "type": "DESC", "data": "x"}]},
            {"state": f"{PREFIX}/Z", "standing": {"state": "revoked", "reason": "r"}},
            {"state": f"{PREFIX}/A", "standing": {"state": "frozen", "reason": "r", "since": "2100-01-01T00:00:00Z"}},
            {"views": PREFIX, "form": {"partners": ["no prefix"], "views": []}},
            {"views": "88.168.1", "form": {}},
            {"range": f"{PREFIX}/x", "members": 3, "width": 2, "radix": 10, "values": []},
        ]
    )
    async with working(node.store):
        job = await done(node, body)
        assert (job["state"], job["created"], job["refused"]) == ("finished", 1, 7)
        async with node.client.get(job["results"], headers=node.enterprise) as answer:
            rows = [orjson.loads(one) for one in (await answer.read()).splitlines()]
        rules = {row["refusal"]["line"]: row["refusal"]["rule"] for row in rows if "refusal" in row}
        assert rules == {
            1: "json.unknown_field",
            2: "load.may_not_write",
            4: "handle.not_found",
            5: "json.field",
            6: "prefix.syntax",
            7: "load.may_not_write",
            8: "range.serial",
        }
        job = await done(node, body, "?onError=rollback")
        assert (job["state"], job["fault"]["rule"]) == ("failed", "job.archive_rollback")


async def test_an_archive_makes_nobody_an_administrator(node: Node):
    (before,) = [one for one in await exported(node) if "prefix" in one]
    assert {one["type"] for one in before["values"]} == {"DESC"}
    own = Handle("0.NA", PREFIX)
    key = {"index": 9, "type": "hs_seckey", "data": {"format": "string", "value": "mine"}}
    taken = {"index": 300, "type": "DESC", "data": {"format": "string", "value": "in the place of the key"}}
    async with working(node.store):
        for value, rule in ((key, "json.field"), (taken, "value.exists")):
            job = await done(node, packed([{"prefix": PREFIX, "values": [value]}]))
            assert (job["refused"], job["fault"]) == (1, None)
            async with node.client.get(job["results"], headers=node.enterprise) as answer:
                assert orjson.loads(await answer.read())["refusal"]["rule"] == rule
        theirs = await done(node, packed([{"prefix": "88.168.1", "values": []}]))
        assert theirs["refused"] == 1
    record = await node.store.fetch(node.store.key_of(own.octets))
    assert record is not None
    assert record.version == 1


async def test_nobody_exports_what_is_not_his(node: Node):
    async with node.client.get("/api/export?prefix=88.168.1", headers=node.enterprise) as answer:
        assert answer.status == 403
    async with node.client.get("/api/export?prefix=0.NA", headers=node.operator) as answer:
        assert answer.status == 400
    async with node.client.get("/api/export?since=nonsense", headers=node.enterprise) as answer:
        assert answer.status == 400
