"""Values deflated against a dictionary, and the dictionaries that loads make."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.enterprises import ENTERPRISES
from bench.forms import ndjson_blocks
from bench.identifiers import records
from registry.deflating import Dictionary, body_of, number_of
from registry.dictionaries import MAX_DICTIONARIES
from registry.handle import Handle
from registry.octets import Truncated
from registry.packing import PACKED, pack
from registry.preparing import content_of, message_of
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue
from tests.registry.bulk_files import loaded, opened
from tests.registry.records import UINT32, VALUE_TUPLES

SAMPLES = [pack([HandleValue(1, "DESC", b"cake %d of batch L.POY111-48" % number)], 0) for number in range(400)]
ROWS = 6_000  # One chunk, long enough for a dictionary to be made of it.


@pytest.fixture
async def store(database_dsn):
    store = await opened(database_dsn)
    async with begin(store, "test") as transaction:
        for enterprise in ENTERPRISES:
            await transaction.home(enterprise.prefix)
    await store.load_prefixes()
    yield store
    await store.close()


def demo(count=ROWS):
    return b"".join(block for _, block in ndjson_blocks(records(count)))


async def forms(store):
    """How many rows there are of each form, and their octets."""
    async with store.connection() as connection:
        rows = await connection.fetch(
            "SELECT get_byte(packed, 0) AS form, count(*) AS rows, avg(length(packed))::int AS octets"
            " FROM handle GROUP BY 1"
        )
    return {row["form"]: (row["rows"], row["octets"]) for row in rows}


@given(VALUE_TUPLES, UINT32, st.integers(1, 1 << 31))
def test_values_are_inflated_as_they_were_deflated(values, written_at, number):
    packed = pack(values, written_at)
    dictionary = Dictionary(number, body_of(SAMPLES))
    stored = dictionary.deflate(packed)
    assert len(stored) <= len(packed)
    if number_of(stored) is None:
        assert stored == packed
    else:
        assert number_of(stored) == number
        assert dictionary.inflate(stored) == packed


@given(st.binary(max_size=60))
def test_any_deflated_octets_give_octets_of_form_1_or_truncated(octets):
    with contextlib.suppress(Truncated):
        assert Dictionary(1, b"sample").inflate(b"\x02\x01" + octets)[0] == PACKED


def test_a_row_like_its_dictionary_takes_less_than_half_of_its_octets():
    packed = pack([HandleValue(1, "DESC", b"cake 1234 of batch L.POY111-48")], 0)
    assert len(Dictionary(1, body_of(SAMPLES)).deflate(packed)) * 2 < len(packed)


def test_a_dictionary_that_was_sent_to_another_process_deflates_as_before():
    dictionary = Dictionary(7, body_of(SAMPLES))
    deflated = dictionary.deflate(SAMPLES[0])
    assert content_of(message_of(dictionary)[1]).deflate(SAMPLES[0]) == deflated


async def test_a_long_load_makes_one_dictionary_and_the_next_load_is_deflated_from_its_first_row(store):
    octets = demo()
    await loaded(store, octets, key="first")
    assert set(await forms(store)) == {1}
    assert len(await _dictionaries(store)) == 1
    async with store.connection() as connection:
        await connection.execute("TRUNCATE handle, handle_count")
    await loaded(store, octets, key="second")
    assert len(await _dictionaries(store)) == 1
    deflated = await forms(store)
    assert deflated[2][0] == ROWS
    assert deflated[2][1] < 60


async def test_deflated_handles_are_read_by_a_process_that_never_met_their_dictionary(store):
    octets = demo()
    await loaded(store, octets, key="first")
    async with store.connection() as connection:
        await connection.execute("TRUNCATE handle, handle_count")
    await loaded(store, octets, key="second")
    other = Store(store.settings, "test")
    await other.open()
    for record in records(50):
        found = await other.fetch(other.key_of(record.handle.encode()))
        assert [(value.index, value.type, value.text) for value in found.values] == list(record.values)
    await other.close()


async def test_deflated_handles_loaded_again_are_unchanged_and_one_that_differs_is_updated_and_stays_deflated(store):
    octets = demo()
    await loaded(store, octets, key="first")
    again = await loaded(store, octets, key="second")
    assert (again.updated, again.unchanged) == (0, ROWS)
    changed = octets.replace(b'"data":"AA"', b'"data":"AB"', 1)
    report = await loaded(store, changed, key="third")
    assert (report.created, report.updated, report.unchanged) == (0, 1, ROWS - 1)
    assert (await forms(store))[2][0] == 1


async def test_a_deflated_handle_is_changed_and_deleted_like_any_other(store):
    octets = demo()
    await loaded(store, octets, key="first")
    await loaded(store, octets.replace(b'"data":"AA"', b'"data":"AB"'), key="second")
    name = Handle.from_text(next(record.handle for record in records(ROWS) if (3 + 1, "GRADE", "AA") in record.values))
    async with begin(store, "test") as transaction:
        record = await transaction.lock(name)
        assert record.at(4).text == "AB"
        record = await transaction.replace(record, [HandleValue(1, "DESC", b"else")])
        await transaction.delete(record)
    assert await store.fetch(store.key_of(name.octets)) is None


async def test_a_row_whose_dictionary_is_not_in_the_book_is_told_by_its_number(store):
    with pytest.raises(Truncated, match="no dictionary 77"):
        await store.plain([Dictionary(77, b"cake cake").deflate(pack([HandleValue(1, "DESC", b"cake cake cake")], 0))])


async def test_a_book_has_so_many_dictionaries_and_no_more(store):
    async with store.connection() as connection:
        for number in range(MAX_DICTIONARIES):
            assert await store.dictionaries.add(connection, b"%d" % number) is not None
        assert await store.dictionaries.add(connection, b"one more") is None


async def _dictionaries(store):
    async with store.connection() as connection:
        return await connection.fetch("SELECT number FROM dictionary")
