"""Ranges in the book: registered, changed, overridden by single handles, listed, searched and exported."""

import asyncio

import orjson
import pytest

from registry.errors import (
    AuthenticationNeeded,
    HandleAlreadyExists,
    HandleNotFound,
    InvalidAdministrator,
    InvalidHandle,
    InvalidValue,
    PrefixNotHomed,
    ProtocolFault,
)
from registry.export import export_handles
from registry.minting import Minting
from registry.ranges import NewRange, Ranges
from registry.search import declare, search
from registry.store import Store
from registry.suffixes import SuffixRule
from registry.template import Attribute, Template
from registry.templates import State, Templates
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.books import NODE, OWNER, PREFIX, STRANGER, URL, name, read, register
from tests.registry.bulk_files import line, loaded
from tests.registry.trials import on_trial

LINK = HandleValue(1, "URL", b"https://yarn.example/{suffix}")
BATCH = HandleValue(2, "BATCH", b"CL0322")
PLACE = HandleValue(3, "SPINDLE", b"{position}")
VALUES = (LINK, BATCH, PLACE)
LATER = (BATCH, HandleValue(4, "GRADE", b"AA"))


@pytest.fixture
def ranges(store, registration):
    return Ranges(store, registration)


def doff(first="88.118.1/Cake-01", members=12, *, width=2, radix=10, values=VALUES):
    return NewRange(name(first), members, width, radix, values)


def cakes(first=1, last=12):
    return [f"88.118.1/Cake-{number:02}" for number in range(first, last + 1)]


async def counted(store):
    return await store.count(store.prefixes.find(PREFIX.encode()))


async def texts(store, handle):
    record = await read(store, name(handle))
    return None if record is None else [value.text for value in record.values]


async def test_every_member_of_a_range_is_found_with_what_it_says(store, ranges):
    written = await ranges.register(doff(), OWNER)
    assert (str(written.handle), written.created, written.record.version) == ("88.118.1/Cake-01", True, 1)
    assert await texts(store, "88.118.1/cake-07") == ["https://yarn.example/Cake-07", "CL0322", "7"]
    record = await read(store, name("88.118.1/cake-12"))
    assert (str(record.handle), record.version) == ("88.118.1/Cake-12", 1)
    assert {value.timestamp for value in record.values} == {written.record.values[0].timestamp} != {0}
    for other in ("88.118.1/Cake-00", "88.118.1/Cake-13", "88.118.1/Cake-1X", "88.118.1/Cake-1", "88.118.1/Cake-011"):
        assert await texts(store, other) is None


async def test_a_range_of_a_million_takes_one_row_and_counts_a_million(store, ranges):
    before = await counted(store)
    await ranges.register(doff("88.118.1/S000000", 1_000_000, width=6), OWNER)
    assert await counted(store) == before + 1_000_000
    assert await texts(store, "88.118.1/S999999") == ["https://yarn.example/S999999", "CL0322", "1000000"]
    async with store.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM handle_range") == 1
        assert await connection.fetchval("SELECT count(*) FROM handle WHERE suffix LIKE 'S%'") == 0


async def test_a_member_with_a_row_of_its_own_says_what_that_says(store, ranges, registration):
    await ranges.register(doff(), OWNER)
    before = await counted(store)
    written = await registration.put_record(name("88.118.1/Cake-03"), [URL], OWNER)
    assert (written.created, written.record.version) == (False, 2)
    changed = await registration.put_values(name("88.118.1/Cake-04"), [HandleValue(5, "GRADE", b"B")], OWNER)
    assert [value.index for value in changed.record.values] == [1, 2, 3, 5]
    assert await texts(store, "88.118.1/Cake-03") == ["http://example.org/1"]
    assert await texts(store, "88.118.1/Cake-04") == ["https://yarn.example/Cake-04", "CL0322", "4", "B"]
    assert await texts(store, "88.118.1/Cake-05") == ["https://yarn.example/Cake-05", "CL0322", "5"]
    assert await counted(store) == before
    with pytest.raises(HandleAlreadyExists):
        await registration.put_record(name("88.118.1/Cake-05"), [URL], OWNER, overwrite=False)


async def test_a_deleted_member_stays_deleted_until_it_is_registered_itself(store, ranges, registration):
    await ranges.register(doff(), OWNER)
    before = await counted(store)
    await registration.delete_record(name("88.118.1/Cake-03"), OWNER)
    assert await texts(store, "88.118.1/Cake-03") is None
    assert await counted(store) == before - 1
    await ranges.replace(name("88.118.1/Cake-01"), LATER, OWNER)
    assert await texts(store, "88.118.1/Cake-03") is None
    written = await registration.put_record(name("88.118.1/Cake-03"), [URL], OWNER)
    assert (written.created, await counted(store)) == (True, before)


async def test_a_process_that_knows_of_no_range_registers_no_member_twice(store, ranges):
    other = Store(store.settings, "another process")
    await other.open()
    try:
        await ranges.register(doff(), OWNER)
        before = await counted(store)
        assert not other.prefixes.find(PREFIX.encode()).ranged
        with pytest.raises(HandleAlreadyExists):
            async with begin(other, "test") as transaction:
                await transaction.create(name("88.118.1/Cake-03"), [URL])
        async with begin(other, "test") as transaction:
            assert await transaction.lock(name("88.118.1/Cake-03")) is None
            with pytest.raises(HandleAlreadyExists):
                await transaction.create(name("88.118.1/Cake-03"), [URL])
            record = await transaction.lock(name("88.118.1/Cake-03"))
            await transaction.replace(record, [URL])
        assert await texts(store, "88.118.1/Cake-03") == ["http://example.org/1"]
        assert await counted(store) == before
    finally:
        await other.close()


async def test_what_a_load_says_of_a_member_is_a_change(store, ranges):
    await ranges.register(doff(), OWNER)
    before = await counted(store)
    report = await loaded(store, line("88.118.1/Cake-03", "x") + line("88.118.1/Other", "y"))
    assert (report.created, report.updated) == (1, 1)
    assert await counted(store) == before + 1
    assert await texts(store, "88.118.1/Cake-03") == ["x"]


async def test_ranges_do_not_overlap_and_take_nothing_that_is_registered(store, ranges):
    await register(store, "88.118.1/Cake-50", URL)
    await ranges.register(doff(), OWNER)
    for first, members in (("88.118.1/Cake-12", 2), ("88.118.1/CAKE-00", 2), ("88.118.1/Cake-03", 1)):
        with pytest.raises(HandleAlreadyExists, match=r"the range 88\.118\.1/Cake-01 to 88\.118\.1/Cake-12"):
            await ranges.register(doff(first, members), OWNER)
    with pytest.raises(HandleAlreadyExists, match="Cake-50"):
        await ranges.register(doff("88.118.1/Cake-40", 20), OWNER)
    await ranges.register(doff("88.118.1/Cake-13", 20), OWNER)
    await ranges.register(doff("88.118.1/Cake-001", 20, width=3), OWNER)
    assert await texts(store, "88.118.1/Cake-13") == ["https://yarn.example/Cake-13", "CL0322", "1"]


async def test_a_member_that_was_deleted_before_stays_so_and_is_not_counted(store, ranges, registration):
    await register(store, "88.118.1/Cake-03", URL)
    await registration.delete_record(name("88.118.1/Cake-03"), OWNER)
    before = await counted(store)
    await ranges.register(doff(), OWNER)
    assert await counted(store) == before + 11
    assert await texts(store, "88.118.1/Cake-03") is None


async def test_of_a_range_and_handles_registered_at_once_each_member_is_counted_once(store, ranges, registration):
    before = await counted(store)
    single = [registration.put_record(name(cake), [URL], OWNER) for cake in cakes()]
    outcomes = await asyncio.gather(*single[:6], ranges.register(doff(), OWNER), *single[6:], return_exceptions=True)
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert all(isinstance(one, HandleAlreadyExists) for one in failed)
    assert len(failed) <= 1, "a range that came too late is refused; single handles never are"
    assert await counted(store) == before + 12
    assert [await texts(store, cake) for cake in cakes()] == [["http://example.org/1"]] * 12


async def test_of_two_ranges_that_overlap_registered_at_once_one_is_refused(store, ranges):
    before = await counted(store)
    outcomes = await asyncio.gather(
        ranges.register(doff(), OWNER), ranges.register(doff("88.118.1/Cake-10", 5), OWNER), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["HandleAlreadyExists", "Written"]
    assert await counted(store) in (before + 12, before + 5)


async def test_a_range_is_changed_as_a_whole_and_by_version(store, ranges, registration):
    await ranges.register(doff(), OWNER)
    await registration.put_record(name("88.118.1/Cake-03"), [URL], OWNER)
    with pytest.raises(ProtocolFault, match="version 1"):
        await ranges.replace(name("88.118.1/Cake-05"), LATER, OWNER, 7)
    written = await ranges.replace(name("88.118.1/Cake-05"), LATER, OWNER, 1)
    assert (written.created, written.record.version) == (False, 2)
    assert await texts(store, "88.118.1/Cake-02") == ["CL0322", "AA"]
    assert (await read(store, name("88.118.1/Cake-02"))).version == 2
    assert await texts(store, "88.118.1/Cake-03") == ["http://example.org/1"]
    assert (await ranges.replace(name("88.118.1/Cake-05"), LATER, OWNER)).record.version == 2
    with pytest.raises(HandleNotFound):
        await ranges.replace(name("88.118.1/Cake-13"), LATER, OWNER)


async def test_a_deleted_range_leaves_what_was_changed_singly_and_can_come_back(store, ranges, registration):
    before = await counted(store)
    await ranges.register(doff(), OWNER)
    await registration.put_record(name("88.118.1/Cake-03"), [URL], OWNER)
    await registration.delete_record(name("88.118.1/Cake-04"), OWNER)
    await ranges.delete(name("88.118.1/Cake-07"), OWNER)
    assert await texts(store, "88.118.1/Cake-03") == ["http://example.org/1"]
    assert await texts(store, "88.118.1/Cake-07") is None
    assert await counted(store) == before + 1
    await ranges.register(doff("88.118.1/Cake-05", 3), OWNER)
    assert (await read(store, name("88.118.1/Cake-05"))).version == 2, "versions go on counting"
    async with store.connection() as connection:
        rows = await connection.fetch("SELECT version, changed_by FROM handle_range_history")
    assert [tuple(row) for row in rows] == [(1, str(OWNER))]


async def test_a_trial_checks_everything_and_writes_nothing(store, ranges):
    before = await counted(store)
    written = await on_trial(store, lambda: ranges.register(doff(), OWNER))
    assert written.created
    assert await counted(store) == before
    assert await texts(store, "88.118.1/Cake-01") is None


@pytest.mark.parametrize(
    ("new", "by", "refusal"),
    [
        (doff(), None, AuthenticationNeeded),
        (doff(), STRANGER, InvalidAdministrator),
        (doff("99.9/Cake-01"), NODE, PrefixNotHomed),
        (doff("0.NA/88.118.10"), NODE, PrefixNotHomed),
        (doff(values=(HandleValue(1, "HS_ADMIN", b"x"),)), OWNER, InvalidValue),
        (doff(values=(HandleValue(0, "URL", b"x"),)), OWNER, InvalidValue),
        (
            doff(f"88.118.1/{'C' * 40}-01", values=(HandleValue(1, "URL", b"{suffix}" + b"x" * 258_000),)),
            OWNER,
            InvalidValue,
        ),
    ],
)
async def test_a_range_is_refused_for_what_a_handle_is_refused_for(store, ranges, new, by, refusal):
    with pytest.raises(refusal):
        await ranges.register(new, by)
    async with store.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM handle_range") == 0


async def test_strangers_neither_change_nor_delete_nor_see_a_range(ranges):
    await ranges.register(doff(), OWNER)
    member = name("88.118.1/Cake-01")
    for refused in (
        ranges.replace(member, LATER, STRANGER),
        ranges.delete(member, STRANGER),
        ranges.find(member, STRANGER),
        ranges.of_prefix(PREFIX, STRANGER),
    ):
        with pytest.raises(InvalidAdministrator):
            await refused


async def test_lists_hold_members_between_other_handles_page_by_page(store, ranges, registration):
    await ranges.register(doff(), OWNER)
    await ranges.register(doff("88.118.1/Cake-001", 3, width=3), OWNER)
    for other in ("88.118.1/A", "88.118.1/Cake-05X", "88.118.1/Z"):
        await register(store, other, URL)
    await registration.put_record(name("88.118.1/Cake-06"), [URL], OWNER)
    await registration.delete_record(name("88.118.1/Cake-07"), OWNER)
    three = [f"88.118.1/Cake-00{number}" for number in (1, 2, 3)]
    expected = [
        "88.118.1/A",
        *three,
        *cakes(1, 5),
        "88.118.1/Cake-05X",
        "88.118.1/Cake-06",
        *cakes(8, 12),
        "88.118.1/Z",
    ]
    assert await registration.list_handles(PREFIX, OWNER) == (len(expected), expected)
    paged = []
    for page in range(len(expected)):
        paged += (await registration.list_handles(PREFIX, OWNER, page, 4))[1]
    assert paged == expected
    assert [one.members for one in await ranges.of_prefix(PREFIX, OWNER)] == [3, 12]
    assert [one.first for one in await ranges.of_prefix(PREFIX, OWNER, after="CAKE-001")] == ["CAKE-01"]


async def test_a_long_list_goes_over_many_ranges_and_rows(store, ranges, registration):
    for number in range(130):
        await ranges.register(doff(f"88.118.1/D{number:03}-1", 9, width=1), OWNER)
    rows = [f"88.118.1/D{number:03}-A" for number in range(130)]
    await loaded(store, b"".join(line(row, "x") for row in rows))
    expected = sorted([*rows, *(f"88.118.1/D{number:03}-{cake}" for number in range(130) for cake in range(1, 10))])
    assert await registration.list_handles(PREFIX, OWNER) == (len(expected), expected)
    assert (await registration.list_handles(PREFIX, OWNER, 1, 1100))[1] == expected[1100:]


async def test_members_are_found_by_what_all_of_them_say(store, ranges, registration):
    await ranges.register(doff(), OWNER)
    prefix = store.prefixes.find(PREFIX.encode())
    await declare(store, prefix, "BATCH", settling=0)
    prefix = store.prefixes.find(PREFIX.encode())
    await ranges.register(doff("88.118.1/Tube-1", 3, width=1), OWNER)
    await registration.put_record(name("88.118.1/Cake-02"), [URL], OWNER)
    await registration.put_values(name("88.118.1/Cake-03"), [HandleValue(5, "GRADE", b"B")], OWNER)
    await registration.delete_record(name("88.118.1/Cake-04"), OWNER)
    expected = ["88.118.1/Cake-01", "88.118.1/Cake-03", *cakes(5), *(f"88.118.1/Tube-{one}" for one in (1, 2, 3))]
    assert (await search(store, prefix, "BATCH", b"CL0322")).handles == expected
    found, after = [], ""
    while after is not None:
        page = await search(store, prefix, "BATCH", b"CL0322", after=after, limit=2)
        found += page.handles
        after = page.cursor
    assert found == expected
    assert (await search(store, prefix, "BATCH", b"CL")).handles == []


async def test_an_export_holds_members_as_handles_of_their_own(store, ranges, registration):
    await ranges.register(doff(), OWNER)
    await registration.put_record(name("88.118.1/Cake-02"), [URL], OWNER)
    await registration.delete_record(name("88.118.1/Cake-03"), OWNER)
    lines = b"".join([piece async for piece in export_handles(store, PREFIX)]).splitlines()
    forms = {form["handle"]: form["values"] for form in map(orjson.loads, lines)}
    assert list(forms) == [*cakes(1, 2), *cakes(4)]
    assert [value["data"] for value in forms["88.118.1/Cake-04"]] == ["https://yarn.example/Cake-04", "CL0322", "4"]
    assert [value["data"] for value in forms["88.118.1/Cake-02"]] == ["http://example.org/1"]


async def test_a_member_of_a_base_36_range_is_found_in_small_letters_too(store, ranges):
    await ranges.register(doff("88.118.1/Roll-0y", 4, radix=36), OWNER)
    assert await texts(store, "88.118.1/roll-0z") == ["https://yarn.example/Roll-0Z", "CL0322", "2"]
    assert await texts(store, "88.118.1/ROLL-11") == ["https://yarn.example/Roll-11", "CL0322", "4"]
    assert await texts(store, "88.118.1/Roll-12") is None


async def test_members_are_held_to_the_rules_of_their_prefix_and_to_their_template(store, registration, ranges):
    prefix = store.prefixes.find(PREFIX.encode())
    await Minting(store).set_rules(prefix, [SuffixRule("Cake-[0-9][0-6]")], "test")
    for new in (doff("88.118.1/Cake-03", 6), doff("88.118.1/Box-01", 3)):
        with pytest.raises(InvalidHandle, match="fits none of the rules"):
            await ranges.register(new, OWNER)
    assert (await ranges.register(doff("88.118.1/Cake-01", 6), OWNER)).created
    await Minting(store).set_rules(prefix, [], "test")
    attribute = Attribute(index=10, type="PLACE", kind="number", zh="位", en="place", maximum=5)
    templates = Templates(store)
    await templates.save(prefix, "place", Template(zh="位", en="place", attributes=(attribute,)), "test")
    await templates.move(prefix, "place", 1, State.PUBLISHED, "test")
    values = (HandleValue(10, "PLACE", b"{position}"), HandleValue(1000, "TEMPLATE", b"88.118.1/place@1"))
    with pytest.raises(InvalidValue, match="is not between"):
        await ranges.register(NewRange(name("88.118.1/Box-01"), 6, 2, 10, values), OWNER)
    assert (await ranges.register(NewRange(name("88.118.1/Box-01"), 5, 2, 10, values), OWNER)).created
    other = (HandleValue(10, "PLACE", b"7"), values[1])
    with pytest.raises(InvalidValue, match="is not between"):
        await ranges.replace(name("88.118.1/Box-01"), other, OWNER)
