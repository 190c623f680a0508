"""Files that change, delete, or put into a state what is there; and loads that are taken back."""

from collections.abc import AsyncIterator

import pytest

from registry import ledger
from registry.bulk import Plan, chunks_of
from registry.chunks import CHUNK_ROWS, NAMES
from registry.handle import Handle
from registry.preparers import Preparers
from registry.record import HandleRecord
from registry.standing import State, Wish
from registry.store import Store
from registry.transaction import begin
from registry.turns import Turns
from registry.undoing import undo
from registry.value import HandleValue
from tests.registry.bulk_files import check_book, line, loaded, opened, pieces, refusals, table

BY = "300:0.NA/test"
DELETING = Plan("delete", reading=NAMES)


@pytest.fixture
async def store(database_dsn: str) -> AsyncIterator[Store]:
    opened_store = await opened(database_dsn)
    yield opened_store
    await opened_store.close()


async def record(store: Store, name: str) -> HandleRecord | None:
    return await store.fetch(store.key_of(name.encode()))


async def texts(store: Store, name: str) -> list[str] | None:
    found = await record(store, name)
    return None if found is None else [value.text for value in found.values]


async def undone(store: Store, octets: bytes, batch_id: int) -> None:
    async with store.connection() as connection:
        batch = await ledger.batch(connection, batch_id)
    async with Preparers() as preparers:
        await undo(store, chunks_of(store, pieces(octets), "ndjson"), batch, BY, Turns(), preparers)


async def test_an_update_changes_what_it_names_and_leaves_the_rest(store: Store):
    await loaded(store, line("88.168.1/A", "1", "keep") + line("88.168.1/B", "x"), key="before")
    octets = line("88.168.1/a", "2") + line("88.168.1/B", "x") + line("88.168.1/C", "missing")
    report = await loaded(store, octets, plan=Plan("update"))
    assert (report.updated, report.unchanged, report.refused) == (1, 1, 1)
    assert await texts(store, "88.168.1/A") == ["2", "keep"]
    assert await refusals(store) == [(3, "$.handle", "handle.not_found")]
    assert await check_book(store) == 2


async def test_an_update_is_held_to_the_template_that_the_handle_names(store: Store):
    header = ["handle", "2:PRODUCT", "21:MODEL", "1000:TEMPLATE"]
    machines = [["88.168.1/M1", "draw frame", "X", "textile/machine@1"], ["88.168.1/M2", "d", "X", "textile/machine@1"]]
    await loaded(store, table([header, *machines]), "csv", key="before")
    octets = table([["handle", "17:MADE_AT", "21:MODEL"], ["88.168.1/M1", "2026-01-02", "Y"], ["88.168.1/M2", "x", ""]])
    report = await loaded(store, octets, "csv", plan=Plan("update"))
    assert (report.updated, report.refused) == (1, 1)
    assert (await refusals(store))[0][0] == 3
    assert await texts(store, "88.168.1/M1") == ["draw frame", "2026-01-02", "Y", "textile/machine@1"]


async def test_rows_of_a_table_are_deleted_and_counted(store: Store):
    await loaded(store, line("88.168.1/A", "1") + line("88.168.1/B", "2") + line("88.168.10/C", "3"), key="before")
    octets = table([["标识", "备注"], ["88.168.1/A", "x"], ["88.168.10/C", ""], ["88.168.1/Z", ""]])
    report = await loaded(store, octets, "csv", plan=DELETING)
    assert (report.updated, report.refused) == (2, 1)
    assert await texts(store, "88.168.1/A") is None
    assert await texts(store, "88.168.1/B") == ["2"]
    assert await check_book(store) == 1


async def test_rows_are_put_into_a_state_and_a_fixed_one_is_refused(store: Store):
    await loaded(store, line("88.168.1/A", "1") + line("88.168.1/B", "2"), key="before")
    frozen = Plan("state", wish=Wish(State.FROZEN, "recall"), reading=NAMES)
    report = await loaded(store, b'{"handle": "88.168.1/A"}\n', key="freeze", plan=frozen)
    assert (report.updated, report.refused) == (1, 0)
    found = await record(store, "88.168.1/A")
    assert found is not None
    assert found.standing is not None
    assert (found.standing.state, found.standing.reason) == (State.FROZEN, "recall")
    report = await loaded(store, b'{"handle": "88.168.1/A"}\n{"handle": "88.168.1/B"}\n', plan=DELETING)
    assert (report.updated, report.refused) == (1, 1)
    assert await refusals(store) == [(1, "$.handle", "state.fixed")]


async def test_a_load_taken_back_leaves_what_was_there_and_what_others_wrote_since(store: Store):
    before = line("88.168.1/A", "1", "old") + line("88.168.1/B", "2") + line("88.168.1/C", "3")
    await loaded(store, before, key="before")
    octets = b"".join(line(f"88.168.1/{name}", "new") for name in "ABDE")
    report = await loaded(store, octets)
    assert (report.created, report.updated) == (2, 2)
    async with begin(store, "somebody") as transaction:
        there = await transaction.lock(Handle("88.168.1", "E"))
        assert there is not None
        await transaction.replace(there, (HandleValue(1, "DESC", b"later"),))
    await undone(store, octets, report.batch_id)
    assert [await texts(store, f"88.168.1/{name}") for name in "ABCDE"] == [["1", "old"], ["2"], ["3"], None, ["later"]]
    assert await check_book(store) == 4


async def test_deleted_handles_come_back_with_their_states_and_undoing_twice_changes_nothing(store: Store):
    octets = b"".join(line(f"88.168.1/{number:07}", "x") for number in range(CHUNK_ROWS + 5))
    await loaded(store, octets, key="before")
    report = await loaded(store, octets, plan=DELETING)
    assert report.updated == CHUNK_ROWS + 5
    assert await check_book(store) == 0
    for _ in range(2):
        await undone(store, octets, report.batch_id)
        assert await check_book(store) == CHUNK_ROWS + 5


async def test_a_handle_that_a_load_wrote_twice_becomes_what_it_was_before_the_first(store: Store):
    await loaded(store, line("88.168.1/X", "before"), key="before")
    filling = b"".join(line(f"88.168.1/{number:07}", "x") for number in range(CHUNK_ROWS))
    octets = line("88.168.1/X", "first") + filling + line("88.168.1/X", "second")
    report = await loaded(store, octets)
    assert await texts(store, "88.168.1/X") == ["second"]
    await undone(store, octets, report.batch_id)
    assert await texts(store, "88.168.1/X") == ["before"]
    assert await check_book(store) == 1


async def test_nothing_more_is_written_once_a_row_was_refused_if_all_must_go_well(store: Store):
    octets = line("88.168.1/A", "1") + line("no prefix", "2") + line("88.168.1/B", "3")
    report = await loaded(store, octets, plan=Plan(all_or_none=True))
    assert (report.lines, report.created, report.refused) == (3, 0, 1)
    assert await check_book(store) == 0
