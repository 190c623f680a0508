"""A purge has kept answers forgotten, is written down, and is no change to anybody who follows what is said."""

from registry.audit import list_acts, seal
from registry.feed import Feed
from registry.handle import Handle
from registry.purge_api import MOST
from registry.purging import purge_beginning, purge_handle, purge_prefix
from tests.registry.test_people_api import ask, person
from tests.resolver.cores import Core, core

PATH = "/api/purge"

NAMES = ("0.NA/88.1", "0.NA/88.12", "0.NA/88.2")


async def kept_after(made: Core, purging) -> list[bool]:
    """Which of the names are still kept after a purge of all that were."""
    await made.resolver.caught_up()
    for name in NAMES:
        await made.ask(name)
    await purging
    await made.resolver.caught_up()
    return [made.peek(name) is not None for name in NAMES]


async def test_what_is_purged_is_read_anew_and_nothing_else(database_dsn):
    async with core(database_dsn) as made:
        for name in NAMES:
            await made.register(name)
        one = Handle.from_text(NAMES[0])
        assert await kept_after(made, purge_handle(made.store, one, "test")) == [False, True, True]
        assert await kept_after(made, purge_beginning(made.store, one, "test")) == [False, False, True]
        prefix = made.store.prefixes.of(made.store.key_of(one.octets))
        assert await kept_after(made, purge_prefix(made.store, prefix, "test")) == [False, False, False]


async def test_a_purge_is_in_the_audit_log_and_no_event(database_dsn):
    async with core(database_dsn) as made:
        await made.register(NAMES[0])
        feed = Feed(made.store)
        before = await feed.now()
        await purge_handle(made.store, Handle.from_text(NAMES[0]), "the operator")
        await purge_beginning(made.store, Handle.from_text("0.NA/88"), "the operator")
        assert (await feed.read(before, None)).events == ()
        await seal(made.store)
        acts = await list_acts(made.store, None, limit=2)
        assert {(act.act, act.subject, act.by) for act in acts} == {
            ("cache.purged", NAMES[0], "the operator"),
            ("cache.purged", "0.NA/88*", "the operator"),
        }


async def test_over_http_operators_purge_by_name_beginning_and_prefix_and_it_is_in_the_audit_log(node):
    body = {"handles": ["88.168.2/A"], "beginnings": ["88.168.2/CAKE"], "prefixes": ["88.168.2"]}
    operator = await person(node, "ops", "operator")
    for by in (node.operator, operator):
        assert await ask(node, "POST", PATH, by, body) == (200, {"purged": 3})
    await seal(node.store)
    acts = [act for act in await list_acts(node.store, None, limit=20) if act.act == "cache.purged"]
    assert sorted(act.subject for act in acts) == sorted(2 * ["88.168.2/A", "88.168.2/CAKE*", "88.168.2"])
    status, shown = await ask(node, "GET", "/api/audit", node.operator, prefix="88.168.2")
    assert (status, shown["acts"][0]["act"]) == (200, "cache.purged")


async def test_over_http_nobody_else_purges_and_nothing_is_purged_where_a_name_is_refused(node):
    body = {"prefixes": ["88.168.2"]}
    for by, status in ((node.enterprise, 403), (await person(node, "rev", "reviewer"), 403), ({}, 401)):
        assert (await ask(node, "POST", PATH, by, body))[0] == status
    for refused, status in (
        ({}, 400),
        ({"handles": ["88.168.2/A"] * MOST, "prefixes": ["88.168.2"]}, 400),
        ({"handles": ["88.168.2/A", "88.999/A"]}, 400),
        ({"prefixes": ["88.168.2", "88.999"]}, 400),
        ({"handles": ["88.168.2/A"], "all": True}, 400),
    ):
        assert (await ask(node, "POST", PATH, node.operator, refused))[0] == status, refused
    await seal(node.store)
    assert "cache.purged" not in {act.act for act in await list_acts(node.store, None, limit=20)}
