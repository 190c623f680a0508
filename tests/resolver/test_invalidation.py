"""Changes in the book end the answers that they concern, and a follower that was cut off misses none of them."""

import asyncio

import pytest

from registry.change_reading import ChangeReader
from registry.changes import Change, ChangeKind, LoggedChange, Look
from registry.errors import ResponseCode
from resolver.answer import MISSING, NOT_RESPONSIBLE
from resolver.cache import Cache
from resolver.invalidation import LOG_MARGIN, Follower, follow_changes, sweep
from tests.resolver.books import Bench, bench, key
from tests.resolver.cores import DEADLINE, Core, core

PREFIX = "INSERT INTO prefix (prefix, spelling, created_at) VALUES ($1, $1, statement_timestamp())"
PREFIX_LOG = "INSERT INTO change_log (kind, prefix_id) SELECT 3, prefix_id FROM prefix WHERE prefix = $1"
UNHOME = "UPDATE prefix SET homed = false WHERE prefix = $1"
RANGE_LOG = """
INSERT INTO change_log (kind, prefix_id, suffix, suffix_to) SELECT 2, prefix_id, $2, $3 FROM prefix WHERE prefix = $1
"""
EVERYTHING_LOG = "INSERT INTO change_log (kind) VALUES (4)"
CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'filament test changes'"


async def home(made: Core, prefix: str) -> None:
    async with made.store.connection() as connection, connection.transaction():
        await connection.execute(PREFIX, prefix)
        await connection.execute(PREFIX_LOG, prefix)
    await made.resolver.caught_up()


async def test_a_missing_answer_does_not_outlive_its_registration(database_dsn):
    async with core(database_dsn) as made:
        assert await made.ask("0.NA/88.1") is MISSING
        assert made.peek("0.NA/88.1") is MISSING
        await made.register("0.NA/88.1")
        await made.resolver.caught_up()
        assert made.peek("0.NA/88.1") is None
        assert (await made.ask("0.na/88.1")).code == ResponseCode.SUCCESS


async def test_a_found_answer_does_not_outlive_a_change_or_the_deletion(database_dsn):
    async with core(database_dsn) as made:
        await made.register("0.NA/88.1", "one")
        await made.ask("0.NA/88.1")
        await made.replace("0.NA/88.1", "two")
        await made.resolver.caught_up()
        assert (await made.ask("0.NA/88.1")).record.values[0].text == "two"
        await made.delete("0.NA/88.1")
        await made.resolver.caught_up()
        assert await made.ask("0.NA/88.1") is MISSING


async def test_a_change_of_one_handle_leaves_the_answers_of_others(database_dsn):
    async with core(database_dsn) as made:
        await made.register("0.NA/88.1")
        await made.register("0.NA/88.2")
        await made.resolver.caught_up()
        kept = await made.ask("0.NA/88.2")
        await made.replace("0.NA/88.1", "two")
        await made.resolver.caught_up()
        assert made.peek("0.NA/88.2") is kept


async def test_a_range_of_a_load_ends_the_answers_inside_it(database_dsn):
    async with core(database_dsn) as made:
        for name in ("0.NA/88.1", "0.NA/88.2", "0.NA/88.3"):
            await made.register(name)
        await made.resolver.caught_up()
        for name in ("0.NA/88.1", "0.NA/88.2", "0.NA/88.3"):
            await made.ask(name)
        await made.execute(RANGE_LOG, "0.NA", "88.2", "88.25")
        await made.resolver.caught_up()
        assert [made.peek(f"0.NA/88.{number}") is not None for number in (1, 2, 3)] == [True, False, True]


async def test_a_change_of_everything_ends_every_answer(database_dsn):
    async with core(database_dsn) as made:
        await made.register("0.NA/88.1")
        await made.resolver.caught_up()
        await made.ask("0.NA/88.1")
        await made.execute(EVERYTHING_LOG)
        await made.resolver.caught_up()
        assert made.peek("0.NA/88.1") is None


async def test_a_prefix_is_answered_for_from_its_homing_to_its_end(database_dsn):
    async with core(database_dsn) as made:
        assert await made.ask("88.7/A") is NOT_RESPONSIBLE
        await home(made, "88.7")
        assert await made.ask("88.7/A") is MISSING
        await made.register("88.7/A")
        await made.resolver.caught_up()
        assert (await made.ask("88.7/A")).code == ResponseCode.SUCCESS
        async with made.store.connection() as connection, connection.transaction():
            await connection.execute(UNHOME, "88.7")
            await connection.execute(PREFIX_LOG, "88.7")
        await made.resolver.caught_up()
        assert await made.ask("88.7/A") is NOT_RESPONSIBLE


async def test_a_follower_that_was_cut_off_goes_on_from_its_position(database_dsn):
    async with core(database_dsn) as made:
        for name in ("0.NA/88.1", "0.NA/88.2"):
            await made.register(name, "one")
        await made.resolver.caught_up()
        kept = await made.ask("0.NA/88.1")
        await made.ask("0.NA/88.2")
        forgotten = made.metrics.counts.forgotten_everything
        await made.execute(CUT_OFF)
        await made.replace("0.NA/88.2", "two")
        await made.resolver.caught_up()
        assert (await made.ask("0.NA/88.2")).record.values[0].text == "two"
        assert made.peek("0.NA/88.1") is kept
        assert made.metrics.counts.forgotten_everything == forgotten


class OtherServer(ChangeReader):
    """Says after `move` that another server answers."""

    server = ""

    async def open(self) -> str:
        return await super().open() + self.server


async def test_a_follower_that_meets_another_server_forgets_everything_and_follows_that(database_dsn):
    made = Core(database_dsn)
    made.reader = made.follower._reader = OtherServer("test changes", made.store)
    async with core(database_dsn, made):
        await made.register("0.NA/88.1", "one")
        await made.resolver.caught_up()
        await made.ask("0.NA/88.1")
        made.reader.server = "another"
        await made.execute(CUT_OFF)
        await made.resolver.caught_up()
        assert made.peek("0.NA/88.1") is None
        await made.ask("0.NA/88.1")
        await made.replace("0.NA/88.1", "two")
        await made.resolver.caught_up()
        assert (await made.ask("0.NA/88.1")).record.values[0].text == "two"


async def test_a_follower_that_was_away_longer_than_the_log_is_kept_forgets_everything(database_dsn):
    made = Core(database_dsn)
    made.follower = Follower(made.reader, made.store, made.resolver, made.metrics, kept=LOG_MARGIN)
    async with core(database_dsn, made):
        await made.register("0.NA/88.1")
        await made.resolver.caught_up()
        await made.ask("0.NA/88.1")
        await made.execute(CUT_OFF)
        await made.resolver.caught_up()
        assert made.peek("0.NA/88.1") is None


async def test_the_delay_of_every_change_is_measured(database_dsn):
    async with core(database_dsn) as made:
        await made.register("0.NA/88.1")
        await made.resolver.caught_up()
        assert sum(made.metrics.heard.counts) == made.metrics.counts.changes == 1
        assert 0.0 <= made.metrics.heard.total < DEADLINE


class ScriptedReader:
    """A change log that is looked at by hand."""

    def __init__(self, looks: list[Look | Exception]) -> None:
        self.looks = looks
        self.opens = 0
        self.drained = asyncio.Event()

    async def open(self) -> str:
        self.opens += 1
        return "server"

    async def first_look(self) -> Look:
        return Look("10:10:", 10)

    async def look(self, snapshot: str) -> Look:
        if not self.looks:
            self.drained.set()
            await asyncio.Event().wait()
        step = self.looks.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


class Prefixes:
    """A table of prefixes; `loads` says of each attempt to read it whether it succeeds, the last of them for all."""

    def __init__(self, *loads: bool) -> None:
        self.loads = list(loads)

    async def open(self) -> None:
        await self.load_prefixes()

    async def load_prefixes(self) -> None:
        if not (self.loads.pop(0) if len(self.loads) > 1 else self.loads[0]):
            raise ConnectionResetError


async def follow(made: Bench, reader: ScriptedReader, prefixes: Prefixes, stale_limit: float = 60.0) -> Follower:
    follower = Follower(reader, prefixes, made.resolver, made.metrics, 86_400.0)
    following = asyncio.create_task(follow_changes(follower, 0.001, stale_limit))
    await asyncio.wait_for(reader.drained.wait(), DEADLINE)
    following.cancel()
    await asyncio.wait({following})
    return follower


def logged(sequence: int, transaction: int, change: Change) -> LoggedChange:
    return LoggedChange(sequence, transaction, 0.0, change)


async def test_a_prefix_change_whose_table_could_not_be_read_is_acted_on_later_and_not_lost():
    async with bench() as made:
        prefix = Look("12:12:", 12, (logged(1, 11, Change(ChangeKind.PREFIX, key("88.1/"))),))
        reader = ScriptedReader([prefix, prefix])
        follower = await follow(made, reader, Prefixes(True, False, True))
        assert reader.opens == 2
        assert made.metrics.counts.changes == 1
        assert follower.position.snapshot == "12:12:"


async def test_a_change_that_is_shown_again_while_older_transactions_run_is_acted_on_once():
    async with bench() as made:
        change = logged(1, 11, Change(ChangeKind.HANDLE, key("88.1/A")))
        younger = logged(2, 12, Change(ChangeKind.HANDLE, key("88.1/B")))
        looks = [
            Look("10:12:10", 10, (change,)),
            Look("10:13:10", 10, (change, younger)),
            Look("14:14:", 14, (change, younger)),
        ]
        await follow(made, ScriptedReader(looks), Prefixes(True))
        assert made.metrics.counts.changes == 2


async def test_after_the_stated_limit_of_silence_kept_answers_are_given_no_more():
    async with bench() as made:
        made.cache.put(key("88.1/A"), MISSING)
        reader = ScriptedReader([Look("10:10:", 10), ConnectionResetError()])
        looks = iter([None])

        async def refuse_after_the_first() -> str:
            reader.opens += 1
            if next(looks, "refuse") == "refuse":
                reader.drained.set()
                raise ConnectionRefusedError
            return "server"

        reader.open = refuse_after_the_first
        follower = await follow(made, reader, Prefixes(True), stale_limit=0.0)
        assert follower.position is None
        assert made.resolver.peek(key("88.1/A")) is None
        assert not made.resolver.hearing


async def test_sweeps_go_on_until_nothing_is_left_to_sweep():
    cache = Cache(1 << 20, 10, 300.0, 30.0)
    cache.forget(Change(ChangeKind.EVERYTHING))
    sweeping = asyncio.create_task(sweep(cache))
    async with asyncio.timeout(DEADLINE):
        while cache.sweeping:  # noqa: ASYNC110  # the cache is synchronous and tells nobody
            await asyncio.sleep(0)
    sweeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sweeping
