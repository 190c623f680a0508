"""Suffixes made by the server: never the same for two, and none missing."""

import asyncio
from datetime import date

import pytest

from registry.errors import HandleNotFound, InvalidAdministrator, InvalidHandle, InvalidValue, ProtocolFault
from registry.handle import Handle
from registry.minting import MAX_SHOWN, Asked, Minting
from registry.suffixes import Minter, SuffixRule
from registry.value import HandleValue
from tests.registry.books import OWNER, PREFIX, STRANGER, read
from tests.registry.trials import on_trial

DAY = date(2026, 2, 3)
CAKES = Minter("cake", "C.{date}.{line}-{serial}{check}", 4, 36, "mod37-36")
SERIALS = Minter("serial", "S{serial}", 3)
OPAQUE = Minter("opaque", "{random}", 16)
VALUES = (HandleValue(1, "A", b"1"),)
HERE = Handle(PREFIX, "")


@pytest.fixture
async def minting(store):
    minting = Minting(store)
    await minting.set_minters(prefix_of(store), [CAKES, SERIALS, OPAQUE], "test")
    return minting


def prefix_of(store):
    return store.prefixes.find(PREFIX.encode())


async def minted(registration, *asked, **more):
    return (await registration.mint_record(HERE, Asked(*asked), VALUES, OWNER, **more)).handle.suffix


async def test_a_hundred_lines_at_once_get_each_serial_once_and_miss_none(store, minting, registration):
    async def line(number):
        return [await minted(registration, "cake", f"L{number:02}", DAY) for _ in range(5)]

    suffixes = await asyncio.gather(*(line(number) for number in range(100)))
    for number, made in enumerate(suffixes):
        expected = [CAKES.suffix(serial, f"L{number:02}", DAY) for serial in range(1, 6)]
        assert made == expected
    assert len({suffix for made in suffixes for suffix in made}) == 500
    assert await store.count(prefix_of(store)) >= 500


async def test_many_writers_of_one_line_get_each_serial_once_and_miss_none(store, minting, registration):
    made = await asyncio.gather(*(minted(registration, "serial") for _ in range(100)))
    assert sorted(made) == [f"S{serial:03}" for serial in range(1, 101)]


async def test_a_registration_that_is_taken_back_takes_its_serial_back(store, minting, registration):
    assert await on_trial(store, lambda: minted(registration, "serial")) == "S001"
    with pytest.raises(InvalidValue):
        await registration.mint_record(HERE, Asked("serial"), [HandleValue(1000, "TEMPLATE", b"?")], OWNER)
    with pytest.raises(InvalidAdministrator):
        await registration.mint_record(HERE, Asked("serial"), VALUES, STRANGER)
    assert await minted(registration, "serial") == "S001"
    assert await read(store, Handle(PREFIX, "S001")) is not None


async def test_a_suffix_that_somebody_chose_himself_is_passed_over(store, minting, registration):
    await registration.put_record(Handle(PREFIX, "S001"), VALUES, OWNER)
    assert await minted(registration, "serial") == "S002"


async def test_a_suffix_that_breaks_the_rules_of_its_prefix_is_not_registered(store, minting, registration):
    await minting.set_rules(prefix_of(store), [SuffixRule("C.*")], "test")
    with pytest.raises(InvalidHandle, match="fits none of the rules"):
        await minted(registration, "serial")
    assert (await minted(registration, "cake", "A1")).startswith("C.")


async def test_blocks_reserved_at_once_do_not_overlap_and_registrations_go_on_behind_them(store, minting, registration):
    prefix = prefix_of(store)
    blocks = await asyncio.gather(
        *(minting.reserve(prefix, Asked("cake", "A12", DAY), 96, f"{number}") for number in range(10))
    )
    assert sorted(suffix for block in blocks for suffix in block.suffixes) == sorted(
        CAKES.suffix(serial, "A12", DAY) for serial in range(1, 961)
    )
    assert await minted(registration, "cake", "a12", DAY) == CAKES.suffix(961, "a12", DAY)
    reserved = await minting.blocks(prefix)
    assert {(block.first, block.last, block.count) for block in reserved} == {
        (block.first, block.last, 96) for block in blocks
    }
    assert {block.reserved_by for block in reserved} == {str(number) for number in range(10)}


async def test_a_long_block_is_known_by_its_first_and_its_last(store, minting):
    await minting.set_minters(prefix_of(store), [Minter("serial", "{serial}", 8)], "test")
    block = await minting.reserve(prefix_of(store), Asked("serial"), MAX_SHOWN + 1, "test")
    assert (block.first, block.last, block.suffixes) == ("00000001", f"{MAX_SHOWN + 1:08}", [])


async def test_serials_end_where_the_layout_has_no_room(store, minting):
    prefix = prefix_of(store)
    await minting.reserve(prefix, Asked("serial"), 998, "test")
    with pytest.raises(ProtocolFault, match="ends at serial 999; 1 are left"):
        await minting.reserve(prefix, Asked("serial"), 2, "test")
    assert (await minting.reserve(prefix, Asked("serial"), 1, "test")).suffixes == ["S999"]
    with pytest.raises(ProtocolFault, match="0 are left"):
        await minting.reserve(prefix, Asked("serial"), 1, "test")


async def test_opaque_suffixes_are_reserved_without_a_trace(store, minting, registration):
    block = await minting.reserve(prefix_of(store), Asked("opaque"), 100, "test")
    assert len(set(block.suffixes)) == 100
    assert await minting.blocks(prefix_of(store)) == []
    assert len(await minted(registration, "opaque")) == 16


async def test_a_minter_that_is_saved_again_counts_on(store, minting, registration):
    assert await minted(registration, "serial") == "S001"
    await minting.set_minters(prefix_of(store), [Minter("serial", "T{serial}", 5)], "test")
    assert await minted(registration, "serial") == "T00002"
    assert [minter.name for minter in await minting.minters(prefix_of(store))] == ["serial"]


async def test_what_is_asked_for_in_vain_is_named(store, minting, registration):
    with pytest.raises(HandleNotFound, match="has no minter 'none'"):
        await minted(registration, "none")
    with pytest.raises(ProtocolFault, match=r"\$\.line"):
        await minted(registration, "cake")
    with pytest.raises(ProtocolFault, match=r"\$\.line"):
        await minted(registration, "cake", "A/1")
    with pytest.raises(ProtocolFault, match=r"\$\.count"):
        await minting.reserve(prefix_of(store), Asked("serial"), 0, "test")
    with pytest.raises(ProtocolFault, match="whole suffix"):
        await registration.mint_record(Handle(PREFIX, "S"), Asked("serial"), VALUES, OWNER)
