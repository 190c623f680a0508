"""Links in the book: exactly those that the values say, whoever wrote them, and never in a circle."""

import asyncio

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.circles import circular_keys
from registry.edges import LinksRefused, step
from registry.errors import InvalidValue
from registry.handle import Handle
from registry.record import check_values
from registry.refusals import write_refusals
from registry.relations import Direction, Relation, links_said
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.books import NODE, PREFIX
from tests.registry.bulk_files import loaded
from tests.registry.trials import on_trial

EDGES = "SELECT prefix_id, suffix, relation, target, public FROM edge ORDER BY 1, 2, 3, 4"
ROWS = "SELECT prefix_id, suffix, packed FROM handle WHERE state <> 1"


def handle(suffix):
    return Handle(PREFIX, suffix)


def saying(**links):
    """Values that say these links, each a suffix or several."""
    said = [
        (relation, suffix)
        for relation, suffixes in links.items()
        for suffix in ([suffixes] if isinstance(suffixes, str) else suffixes)
    ]
    return tuple(
        HandleValue(index, relation, f"{PREFIX}/{suffix}".encode()) for index, (relation, suffix) in enumerate(said, 1)
    )


async def put(registration, suffix, **links):
    await registration.put_record(handle(suffix), saying(**links) or (HandleValue(1, "URL", b"x"),), NODE)


async def edges(store):
    """Every link, and a proof that they are those of the rows."""
    from registry.packing import unpack

    async with store.connection() as connection:
        there = {tuple(row) for row in await connection.fetch(EDGES)}
        rows = await connection.fetch(ROWS)
        said = {
            (row["prefix_id"], row["suffix"], link.relation, store.key_of(link.target.encode()).decode(), link.public)
            for row, packed in zip(rows, await store.plain([row["packed"] for row in rows], connection), strict=True)
            for link in links_said(unpack(packed, 0))
        }
    assert there == said
    return {(suffix, Relation(relation).name, target.partition("/")[2]) for _, suffix, relation, target, _ in there}


async def reached(store, suffix, direction):
    async with store.connection() as connection, connection.transaction():
        steps = [one async for one in step(connection, store, [f"{PREFIX}/{suffix}"], direction)]
    return sorted(one.to.partition("/")[2] for one in steps)


async def test_a_link_is_walked_both_ways(store, registration):
    await put(registration, "cake", MADE_FROM="batch", PACKED_IN="box", ON_MACHINE="m1")
    assert await edges(store) == {
        ("CAKE", "MADE_FROM", "BATCH"),
        ("CAKE", "PACKED_IN", "BOX"),
        ("CAKE", "ON_MACHINE", "M1"),
    }
    assert await reached(store, "CAKE", Direction.BACKWARD) == ["BATCH", "M1"]
    assert await reached(store, "CAKE", Direction.FORWARD) == ["BOX"]
    assert await reached(store, "BATCH", Direction.FORWARD) == ["CAKE"]
    assert await reached(store, "BOX", Direction.BACKWARD) == ["CAKE"]


async def test_links_follow_the_values_through_every_change(store, registration):
    await put(registration, "cake", MADE_FROM=("a", "b"))
    await put(registration, "cake", MADE_FROM="b", PART_OF="c")
    assert await edges(store) == {("CAKE", "MADE_FROM", "B"), ("CAKE", "PART_OF", "C")}
    await registration.delete_record(handle("cake"), NODE)
    assert await edges(store) == set()
    await put(registration, "cake", MADE_FROM="a")
    assert await edges(store) == {("CAKE", "MADE_FROM", "A")}
    await put(registration, "cake")
    assert await edges(store) == set()


async def test_what_was_taken_back_leaves_no_link(store, registration):
    await on_trial(store, lambda: registration.put_record(handle("cake"), saying(MADE_FROM="a"), NODE))
    assert await edges(store) == set()


async def test_a_circle_is_refused_and_changes_nothing(store, registration):
    await put(registration, "a", MADE_FROM="b")
    await put(registration, "b", PART_OF="c")
    with pytest.raises(LinksRefused, match="lead back"):
        await put(registration, "c", MADE_FROM="a")
    with pytest.raises(LinksRefused, match="lead back"):
        await on_trial(store, lambda: put(registration, "c", MADE_FROM="a"))
    assert await edges(store) == {("A", "MADE_FROM", "B"), ("B", "PART_OF", "C")}


async def test_a_handle_is_not_made_from_itself(store, registration):
    with pytest.raises(LinksRefused):
        await put(registration, "a", MADE_FROM="A")


async def test_packing_leads_the_other_way_than_making(store, registration):
    await put(registration, "cake", MADE_FROM="batch", PACKED_IN="box")
    with pytest.raises(LinksRefused):
        await put(registration, "batch", MADE_FROM="box")
    await put(registration, "box", PACKED_IN="pallet", PART_OF="batch")


async def test_a_diamond_is_no_circle(store, registration):
    await put(registration, "roll", MADE_FROM=("cake1", "cake2"))
    await put(registration, "cake1", MADE_FROM="batch")
    await put(registration, "cake2", MADE_FROM="batch")
    assert await reached(store, "BATCH", Direction.FORWARD) == ["CAKE1", "CAKE2"]


async def test_of_two_writers_at_once_only_one_closes_the_circle(store, registration):
    for _ in range(10):
        outcomes = await asyncio.gather(
            put(registration, "a", MADE_FROM="b"),
            put(registration, "b", MADE_FROM="c"),
            put(registration, "c", MADE_FROM="a"),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, LinksRefused) for outcome in outcomes) == 1
        assert len(await edges(store)) == 2
        for suffix in "abc":
            await put(registration, suffix)


async def test_several_handles_of_one_transaction_are_looked_at_together(store):
    with pytest.raises(LinksRefused):
        async with begin(store, "test") as transaction:
            await transaction.create(handle("a"), saying(MADE_FROM="b"))
            await transaction.create(handle("b"), saying(MADE_FROM="a"))
    assert await edges(store) == set()


async def test_a_link_that_nobody_may_read_is_walked_by_those_who_may(store, registration):
    secret = HandleValue(1, "MADE_FROM", f"{PREFIX}/batch".encode(), permissions=0b1100)
    await registration.put_record(handle("cake"), (secret,), NODE)
    assert await edges(store) == {("CAKE", "MADE_FROM", "BATCH")}
    (prefix,) = (one for one in store.prefixes.homed() if one.spelling == PREFIX)
    async with store.connection() as connection, connection.transaction():
        for sight, count in (((), 0), ((prefix.prefix_id,), 1), (None, 1)):
            walked = step(connection, store, [f"{PREFIX}/CAKE"], Direction.BACKWARD, sight=sight)
            assert len([one async for one in walked]) == count


@pytest.mark.parametrize(
    ("value_type", "data"),
    [
        ("MADE_FROM", b"batch"),
        ("MADE_FROM", b"/x"),
        ("MADE_FROM", b"8/"),
        ("MADE_FROM", b"\xff/\xff"),
        ("made_from", b"8/x"),
    ],
)
def test_a_link_that_leads_to_no_name_is_refused(value_type, data):
    with pytest.raises(InvalidValue):
        check_values((HandleValue(1, value_type, data),))


def line(suffix, **links):
    values = [
        {"index": value.index, "type": value.type, "data": value.data.decode()}
        for value in saying(**links) or (HandleValue(1, "URL", b"x"),)
    ]
    return orjson.dumps({"handle": f"{PREFIX}/{suffix}", "values": values}) + b"\n"


async def test_a_load_keeps_links_as_a_single_write_does(store, registration):
    cakes = [f"cake{number}" for number in range(50)]
    report = await loaded(store, b"".join(line(cake, MADE_FROM="batch", PACKED_IN="box") for cake in cakes))
    assert report.created == 50
    assert len(await edges(store)) == 100
    changed = b"".join(line(cake, MADE_FROM="other") if cake < "cake3" else line(cake) for cake in cakes)
    await loaded(store, changed + line("new", PART_OF="batch"))
    said = await edges(store)
    assert ("NEW", "PART_OF", "BATCH") in said
    assert {target for _, _, target in said} == {"OTHER", "BATCH"}
    await loaded(store, changed)
    assert await edges(store) == said


async def test_rows_of_a_load_that_close_a_circle_are_refused_and_the_others_kept(store, registration, tmp_path):
    await put(registration, "a", MADE_FROM="b")
    body = (
        line("good", MADE_FROM="a") + line("b", MADE_FROM="good") + line("c", PACKED_IN="d") + line("d", PACKED_IN="c")
    )
    report = await loaded(store, body)
    assert (report.lines, report.refused) == (4, 4)
    report = await loaded(store, line("good", MADE_FROM="a") + line("b", MADE_FROM="b") + line("d", PACKED_IN="c"))
    assert (report.created, report.refused) == (2, 1)
    with (tmp_path / "refused").open("wb+") as file:
        await write_refusals(store, report.batch_id, file, "en")
        file.seek(0)
        (refused,) = map(orjson.loads, file)
    assert refused["refusal"]["rule"] == "link.circle"
    assert await edges(store) == {("A", "MADE_FROM", "B"), ("GOOD", "MADE_FROM", "A"), ("D", "PACKED_IN", "C")}


@given(st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=20))
def test_a_key_is_circular_when_it_reaches_itself(pairs):
    links = {}
    for origin, to in pairs:
        links.setdefault(str(origin), set()).add(str(to))
    keys = [str(number) for number in range(9)]

    def reaches_itself(key):
        seen, ahead = set(), set(links.get(key, ()))
        while ahead:
            seen |= ahead
            ahead = {to for one in ahead for to in links.get(one, ())} - seen
        return key in seen

    assert circular_keys(links, keys) == {key for key in keys if reaches_itself(key)}
