"""Links that a range fills in for each member: walked from both ends, and never in a circle."""

import asyncio
import itertools
from collections import defaultdict

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry import migrate, range_circles
from registry.circles import circular_keys
from registry.edges import LinksRefused
from registry.errors import HandleError
from registry.filling import beginning, member_of
from registry.handle import Handle
from registry.handle_range import PLACE
from registry.ranges import NewRange
from registry.relations import Direction, Relation, links_said, outward
from registry.trace import Walk, recalled
from registry.value import HandleValue
from tests.registry.books import NODE, PREFIX
from tests.registry.test_edges import handle, put
from tests.registry.test_handle_range import ranges as any_ranges
from tests.registry.test_range_links import doff, ranges, walked

__all__ = ["ranges"]  # a fixture

BACKWARD, FORWARD = Direction.BACKWARD, Direction.FORWARD


def said(relation, suffix, index=9):
    return HandleValue(index, relation, f"{PREFIX}/{suffix}".encode())


@given(
    any_ranges(),
    st.lists(st.sampled_from(["a", "7", "-", "{serial}", "{position}", "{suffix}"]), max_size=5),
    st.data(),
)
def test_what_is_filled_in_names_its_member(made, parts, data):
    text = "".join(parts).encode() + data.draw(st.sampled_from([b"{serial}", b"{position}", b"{suffix}"]))
    suffix = made.suffix_at(data.draw(st.integers(1, made.members)))
    filled = PLACE.sub(lambda place: made.filling(suffix)[place[1]], text)
    assert filled.startswith(beginning(made, text))
    for spelled in (filled, filled.upper(), filled.lower()):
        assert member_of(made, text, spelled.decode()) == suffix
    assert member_of(made, text, filled.decode() + "/") is None


async def test_a_filled_link_is_walked_from_both_ends(store, registration, ranges):
    await doff(ranges, said("ON_MACHINE", "E.{position}"), said("MADE_FROM", "Roll-{serial}", 8), PART_OF="BATCH")
    await put(registration, "ROLL-07", MADE_FROM="DYE")
    await put(registration, "SHIRT", MADE_FROM="Cake-07")
    assert await walked(store, "ROLL-07") == [f"{PREFIX}/Cake-07", f"{PREFIX}/SHIRT"]
    assert await walked(store, "E.12") == [f"{PREFIX}/Cake-12"]
    assert await walked(store, "E.13") == []
    assert await walked(store, "ROLL-7") == []
    assert await walked(store, "DYE") == [f"{PREFIX}/{name}" for name in ("ROLL-07", "Cake-07", "SHIRT")]
    assert await walked(store, "SHIRT", BACKWARD) == [
        f"{PREFIX}/{name}" for name in ("Cake-07", "BATCH", "E.7", "ROLL-07", "DYE")
    ]
    assert [one.handle for one in await recalled(store, Walk(handle("roll-07"), FORWARD))][:1] == [f"{PREFIX}/Cake-07"]


async def test_a_member_with_a_row_of_its_own_and_a_changed_range_say_what_they_say_now(store, registration, ranges):
    await doff(ranges, said("MADE_FROM", "ROLL-{serial}"))
    await registration.put_values(handle("Cake-04"), [HandleValue(7, "GRADE", b"A")], NODE)
    await put(registration, "Cake-05", MADE_FROM="ROLL-06")
    assert await walked(store, "ROLL-04") == [f"{PREFIX}/Cake-04"]
    assert (await walked(store, "ROLL-05"), len(await walked(store, "ROLL-06"))) == ([], 2)
    await ranges.replace(handle("Cake-01"), [said("MADE_FROM", "ROLL-{position}")], NODE)
    assert (await walked(store, "ROLL-07"), await walked(store, "ROLL-7")) == ([], [f"{PREFIX}/Cake-07"])
    await ranges.delete(handle("Cake-01"), NODE)
    assert await walked(store, "ROLL-7") == []


async def test_what_nobody_may_read_is_walked_by_those_who_may(store, ranges):
    hidden = HandleValue(9, "MADE_FROM", f"{PREFIX}/ROLL-{{serial}}".encode(), permissions=0b1100)
    await doff(ranges, hidden)
    ours = store.prefixes.find(PREFIX.encode()).prefix_id
    for sight, seen in ((None, 1), ([ours], 1), ([], 0)):
        assert len(await walked(store, "ROLL-07", sight=sight)) == seen
    assert await walked(store, "ROLL-07", may_read=lambda key, value: value.is_public) == []


async def test_a_circle_through_a_filled_link_is_refused_whoever_closes_it(store, registration, ranges):
    await doff(ranges, said("MADE_FROM", "ROLL-{serial}"))
    with pytest.raises(LinksRefused, match="lead back"):
        await put(registration, "ROLL-07", MADE_FROM="Cake-07")
    await put(registration, "ROLL-07", MADE_FROM="Cake-06")
    await ranges.replace(handle("Cake-01"), [said("MADE_FROM", "ROLL-0{position}")], NODE)
    with pytest.raises(LinksRefused, match="lead back"):
        await put(registration, "ROLL-06", MADE_FROM="ROLL-07")
    await put(registration, "YARN-5", MADE_FROM="BAG-5")
    with pytest.raises(LinksRefused, match="lead back"):
        await doff(ranges, said("MADE_FROM", "YARN-{serial}"), first="BAG-1", members=9, width=1)
    with pytest.raises(LinksRefused, match="lead back"):
        await doff(ranges, said("MADE_FROM", "{suffix}"), first="X-1", members=9, width=1)


async def test_each_of_a_block_may_be_made_from_the_one_before_it(store, ranges):
    await doff(ranges, said("MADE_FROM", "STEP-{position}"), first="STEP-2", members=8, width=1)
    assert await walked(store, "STEP-1") == [f"{PREFIX}/STEP-{number}" for number in range(2, 10)]


async def test_a_wide_block_is_refused_when_it_may_lead_back_and_written_when_it_cannot(store, registration, ranges):
    wide = {"members": 1_000_000, "width": 6}
    await doff(ranges, said("MADE_FROM", "RAW.{position}"), first="ROLL-000000", **wide)
    await doff(
        ranges, said("MADE_FROM", "ROLL-{serial}"), said("PACKED_IN", "BOX-{serial}", 8), first="C-000000", **wide
    )
    await doff(ranges, said("MADE_FROM", "C-{serial}"), first="SHIRT-000000", **wide)
    assert await walked(store, "ROLL-000777") == [
        f"{PREFIX}/C-000777",
        f"{PREFIX}/BOX-000777",
        f"{PREFIX}/SHIRT-000777",
    ]
    with pytest.raises(LinksRefused, match="cannot be checked"):
        await ranges.replace(handle("ROLL-000000"), [said("MADE_FROM", "SHIRT-{serial}")], NODE)
    with pytest.raises(LinksRefused, match="lead back"):
        await put(registration, "RAW.778", MADE_FROM="SHIRT-000777")
    await ranges.replace(
        handle("ROLL-000000"), [said("MADE_FROM", "RAW.{position}"), HandleValue(1, "URL", b"x")], NODE
    )
    await ranges.replace(handle("ROLL-000000"), [said("MADE_FROM", "OTHER.{position}")], NODE)


async def test_filled_links_of_ranges_that_an_older_program_wrote_are_found_after_the_upgrade(
    store, registration, ranges, database_dsn
):
    await doff(ranges, said("MADE_FROM", "ROLL-{serial}"))
    await doff(ranges, first="PLAIN-1", members=9, width=1, MADE_FROM="BATCH")
    (post,) = [one for one in migrate.migrations() if one.name == "post_filled_links"]
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("DELETE FROM range_edge WHERE right(target, 1) = '{'")
    assert await walked(store, "ROLL-07") == []
    for _ in range(2):
        await connection.execute(post.sql)
        assert await connection.fetchval("SELECT count(*) FROM range_edge") == 2
    await connection.close()
    assert await walked(store, "ROLL-07") == [f"{PREFIX}/Cake-07"]
    with pytest.raises(LinksRefused, match="lead back"):
        await put(registration, "ROLL-07", MADE_FROM="Cake-07")


HEADS = "ABC"
NUMBERS = range(6)
TEXTS = [f"{head}-{end}" for head in HEADS for end in (*NUMBERS, "{serial}", "{position}")]
LINKS = st.lists(st.tuples(st.sampled_from(list(Relation)), st.sampled_from(TEXTS)), max_size=2)
CHANGES = st.tuples(
    st.sampled_from(["put", "put", "add", "delete", "register", "register", "replace", "withdraw"]),
    st.tuples(st.sampled_from(HEADS), st.sampled_from(NUMBERS)),
    LINKS,
)
number_of_book = itertools.count()


class Book:
    """A corner of the book of its own, changed at random."""

    def __init__(self, store, registration, ranges):
        self.store, self.registration, self.ranges = store, registration, ranges
        self.head = f"M{next(number_of_book)}"
        self.keys = [f"{PREFIX}/{self.head}{head}-{number}" for head in HEADS for number in NUMBERS]

    async def change(self, kind, place, links):
        """Does it, or not; a link that closes a circle may be the reason."""
        name = handle(f"{self.head}{place[0]}-{place[1]}")
        values = [said(relation.name, f"{self.head}{text}", index) for index, (relation, text) in enumerate(links, 1)]
        values.append(HandleValue(9, "URL", b"x"))
        match kind:
            case "put":
                await self.registration.put_record(name, values, NODE)
            case "add":
                await self.registration.put_values(name, [HandleValue(8, "GRADE", b"A")], NODE)
            case "delete":
                await self.registration.delete_record(name, NODE)
            case "register":
                new = NewRange(name, len(NUMBERS) - place[1], 1, 10, tuple(values))
                await self.ranges.register(new, NODE)
            case "replace":
                await self.ranges.replace(name, values, NODE)
            case "withdraw":
                await self.ranges.delete(name, NODE)

    async def graph(self, direction):
        """What leads where, as the records themselves say it."""
        links = defaultdict(set)
        for key, record in (await self.store.fetch_many([key.encode() for key in self.keys])).items():
            for link in links_said(record.values):
                ends = (key.decode(), self.store.key_of(link.target.encode()).decode())
                origin, to = ends if outward(direction, [link.relation]) else ends[::-1]
                links[origin].add(to)
        return links

    async def check(self):
        for direction in Direction:
            links = await self.graph(direction)
            assert circular_keys(links, {*self.keys, *links}) == set()
            for key in sorted(links)[:4]:
                walk = Walk(Handle.from_text(key), direction)
                assert {one.key for one in await recalled(self.store, walk)} == behind(links, key), (key, direction)


def behind(links, key):
    found, ahead = set(), set(links.get(key, ()))
    while ahead:
        found |= ahead
        ahead = {to for one in ahead for to in links.get(one, ())} - found
    return found


@pytest.mark.parametrize("singly", [range_circles.MAX_SINGLY, 0])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(CHANGES, min_size=1, max_size=3), min_size=2, max_size=6))
async def test_whatever_is_written_at_once_closes_no_circle_and_is_walked_both_ways(
    store, registration, ranges, monkeypatch, singly, turns
):
    monkeypatch.setattr(range_circles, "MAX_SINGLY", singly)
    book = Book(store, registration, ranges)
    for turn in turns:
        outcomes = await asyncio.gather(*(book.change(*change) for change in turn), return_exceptions=True)
        assert all(outcome is None or isinstance(outcome, HandleError) for outcome in outcomes), outcomes
    await book.check()
