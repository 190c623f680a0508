"""Links of ranges: walked as those of any handle, member by member, from one row for all of them."""

import pytest

from registry.edges import LinksRefused
from registry.ranges import NewRange, Ranges
from registry.relations import Direction
from registry.trace import Walk, recalled, traced
from registry.value import HandleValue
from tests.registry.books import NODE, PREFIX
from tests.registry.bulk_files import line, loaded
from tests.registry.test_edges import edges, handle, put, saying

SPINDLE = HandleValue(9, "ON_MACHINE", f"{PREFIX}/E.{{position}}".encode())
DOFF = [f"{PREFIX}/Cake-{number:02}" for number in range(1, 13)]


@pytest.fixture
def ranges(store, registration):
    return Ranges(store, registration)


async def doff(ranges, *values, members=12, first="Cake-01", width=2, **links):
    values = (*saying(**links), *values) or (HandleValue(1, "URL", b"x"),)
    await ranges.register(NewRange(handle(first), members, width, 10, values), NODE)


async def walked(store, suffix, direction=Direction.FORWARD, **more):
    page = await traced(store, Walk(handle(suffix), direction, **more))
    return [one.handle for one in page.handles]


async def test_a_batch_is_followed_to_every_member_and_a_member_to_its_raw_material(store, registration, ranges):
    await put(registration, "BATCH", MADE_FROM="RAW")
    await doff(ranges, SPINDLE, PART_OF="BATCH")
    await put(registration, "ROLL", MADE_FROM="Cake-07")
    assert await walked(store, "BATCH") == [*sorted(DOFF), f"{PREFIX}/ROLL"]
    assert await walked(store, "RAW") == [f"{PREFIX}/BATCH", *sorted(DOFF), f"{PREFIX}/ROLL"]
    assert await walked(store, "ROLL", Direction.BACKWARD) == [
        f"{PREFIX}/Cake-07",
        f"{PREFIX}/BATCH",
        f"{PREFIX}/E.7",
        f"{PREFIX}/RAW",
    ]
    assert [one.handle for one in await recalled(store, Walk(handle("BATCH"), Direction.FORWARD))][:12] == DOFF


async def test_a_member_with_a_row_of_its_own_is_followed_once_and_says_its_own(store, registration, ranges):
    await doff(ranges, PART_OF="BATCH")
    await put(registration, "Cake-03", PART_OF="OTHER")
    await registration.put_values(handle("Cake-04"), [HandleValue(7, "GRADE", b"A")], NODE)
    await registration.delete_record(handle("Cake-05"), NODE)
    assert await walked(store, "BATCH") == [name for name in DOFF if name[-2:] not in ("03", "05")]
    assert await walked(store, "OTHER") == [f"{PREFIX}/Cake-03"]
    assert await edges(store) == {("CAKE-03", "PART_OF", "OTHER"), ("CAKE-04", "PART_OF", "BATCH")}


async def test_a_member_whose_row_a_file_leaves_as_it_was_keeps_its_links(store, registration, ranges):
    await doff(ranges, PART_OF="BATCH")
    report = await loaded(store, line(f"{PREFIX}/Cake-03", "new"))
    assert report.updated == 1
    same = b'{"handle":"%s/Cake-04","values":[{"index":1,"type":"PART_OF","data":"%s/BATCH"}]}\n'
    report = await loaded(store, same % (PREFIX.encode(), PREFIX.encode()), key="same")
    assert (report.updated, report.unchanged) == (0, 1)
    assert await walked(store, "BATCH") == [name for name in DOFF if name[-2:] != "03"]
    assert await edges(store) == {("CAKE-04", "PART_OF", "BATCH")}


async def test_links_follow_the_range_through_its_changes(store, registration, ranges):
    await doff(ranges, PART_OF="BATCH")
    await ranges.replace(handle("Cake-01"), saying(PART_OF="LATER"), NODE)
    assert (await walked(store, "BATCH"), await walked(store, "LATER")) == ([], DOFF)
    await ranges.delete(handle("Cake-01"), NODE)
    assert await walked(store, "LATER") == []
    async with store.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM range_edge") == 0


async def test_a_circle_through_a_member_is_refused_whoever_closes_it(store, registration, ranges):
    await doff(ranges, PART_OF="BATCH")
    with pytest.raises(LinksRefused, match="lead back"):
        await put(registration, "BATCH", MADE_FROM="Cake-07")
    await put(registration, "TWIST", MADE_FROM="YARN-3")
    for values in ({"MADE_FROM": "TWIST"}, {"PACKED_IN": "YARN-2"}):
        with pytest.raises(LinksRefused, match="lead back"):
            await doff(ranges, first="YARN-1", members=9, width=1, **values)
    itself = HandleValue(1, "PART_OF", f"{PREFIX}/YARN-{{serial}}".encode())
    with pytest.raises(LinksRefused, match="lead back"):
        await doff(ranges, itself, first="YARN-1", members=9, width=1)
    await doff(ranges, first="YARN-1", members=9, width=1, MADE_FROM="RAW")
    assert await walked(store, "RAW") == [*(f"{PREFIX}/YARN-{number}" for number in range(1, 10)), f"{PREFIX}/TWIST"]


async def test_what_nobody_may_read_is_walked_by_those_who_may(store, registration, ranges):
    hidden = HandleValue(1, "PART_OF", f"{PREFIX}/BATCH".encode(), permissions=0b1100)
    await doff(ranges, hidden)
    ours = store.prefixes.find(PREFIX.encode()).prefix_id
    for sight, seen in ((None, 12), ([ours], 12), ([], 0)):
        assert len(await walked(store, "BATCH", sight=sight)) == seen
        assert len(await walked(store, "Cake-01", Direction.BACKWARD, sight=sight)) == (1 if seen else 0)


async def test_a_wide_block_is_walked_page_by_page_and_keeps_nobody_from_linking(store, registration, ranges):
    await doff(ranges, first="S-000000", members=60_000, width=6, PART_OF="BATCH")
    page = await traced(store, Walk(handle("BATCH"), Direction.FORWARD), limit=100)
    assert [one.handle for one in page.handles[:2]] == [f"{PREFIX}/S-000000", f"{PREFIX}/S-000001"]
    page = await traced(store, Walk(handle("BATCH"), Direction.FORWARD), page.cursor, limit=100)
    assert [one.handle for one in page.handles[-2:]] == [f"{PREFIX}/S-000198", f"{PREFIX}/S-000199"]
    await put(registration, "BATCH", MADE_FROM="RAW")
    assert await walked(store, "S-000007", Direction.BACKWARD) == [f"{PREFIX}/BATCH", f"{PREFIX}/RAW"]
