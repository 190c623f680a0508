"""Reads of what is not kept: together, bounded, refused at once when they cannot be."""

import asyncio

import pytest

from registry.errors import HandleError, ResponseCode, ServerBusy
from registry.start_errors import SchemaMismatch
from resolver.answer import MISSING, NOT_RESPONSIBLE
from resolver.misses import MAX_BATCH
from tests.resolver.books import DEADLINE, bench, key, record


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_equal_names_in_flight_are_one_read():
    async with bench() as made:
        made.book.records[key("88.1/A")] = record("88.1/A")
        askers = [made.ask("88.1/A") for _ in range(50)]
        read = await made.book.next_read()
        late = made.ask("88.1/a")
        await turns()
        read.answer()
        answers = await asyncio.gather(*askers, late)
        assert {answer.code for answer in answers} == {ResponseCode.SUCCESS}
        assert read.keys == [key("88.1/A")]
        assert made.book.reads.empty()
        assert made.metrics.counts.reads == 1


async def test_everything_asked_in_one_turn_is_one_read():
    async with bench(readers=4) as made:
        askers = [made.ask(f"88.1/{number}") for number in range(100)]
        read = await made.book.next_read()
        assert len(read.keys) == 100
        read.answer()
        await asyncio.gather(*askers)
        assert made.book.reads.empty()


async def test_what_is_asked_while_every_connection_reads_becomes_the_next_read():
    async with bench(readers=2) as made:
        askers = [made.ask("88.1/A")]
        first = await made.book.next_read()
        askers.append(made.ask("88.1/B"))
        second = await made.book.next_read()
        for name in ("88.1/C", "88.1/D"):
            askers.append(made.ask(name))
            await turns()
        assert made.book.reads.empty()
        first.answer()
        third = await made.book.next_read()
        assert third.keys == [key("88.1/C"), key("88.1/D")]
        second.answer()
        third.answer()
        await asyncio.gather(*askers)


async def test_one_read_is_of_so_many_names_at_most():
    async with bench(readers=1, queue=1000) as made:
        askers = [made.ask(f"88.1/{number}") for number in range(MAX_BATCH + 1)]
        first = await made.book.next_read()
        assert len(first.keys) == MAX_BATCH
        first.answer()
        second = await made.book.next_read()
        assert len(second.keys) == 1
        second.answer()
        await asyncio.gather(*askers)


async def test_a_full_queue_refuses_at_once_and_serves_those_that_wait():
    async with bench(readers=1, queue=2) as made:
        reading = made.ask("88.1/A")
        read = await made.book.next_read()
        waiting = [made.ask("88.1/B"), made.ask("88.1/C")]
        await turns()
        with pytest.raises(ServerBusy) as refused:
            await made.resolver.resolve(key("88.1/D"))
        assert refused.value.rule == "server.queue"
        equal = made.ask("88.1/C")  # takes no further place
        await turns()
        read.answer()
        (await made.book.next_read()).answer()
        assert all(
            answer.code == ResponseCode.HANDLE_NOT_FOUND for answer in await asyncio.gather(reading, *waiting, equal)
        )
        assert made.metrics.counts.busy == 1


async def test_a_queue_longer_than_its_deadline_can_serve_is_not_joined_and_opens_when_reads_are_fast_again():
    async with bench(readers=1, queue=100_000, deadline=60.0) as made:
        misses = made.misses
        misses._measure(30.0)  # A full read takes half of the deadline: two of them can wait.
        askers = [made.ask(f"88.1/{number}") for number in range(MAX_BATCH)]
        first = await made.book.next_read()
        askers += [made.ask(f"88.1/behind-{number}") for number in range(MAX_BATCH * 3)]
        await turns()
        assert len(misses) == MAX_BATCH * 2
        refused = [asker for asker in askers if asker.done()]
        assert len(refused) == MAX_BATCH
        assert {asker.exception().rule for asker in refused} == {"server.queue"}
        answering = asyncio.create_task(answer_all(made))
        first.answer()
        await asyncio.wait_for(asyncio.wait(askers), DEADLINE)
        again = [made.ask(f"88.1/again-{number}") for number in range(MAX_BATCH * 4)]
        await asyncio.wait_for(asyncio.wait(again), DEADLINE)
        answering.cancel()
        assert [asker.result() for asker in again] == [MISSING] * (MAX_BATCH * 4)


async def test_a_batch_waits_for_its_turn_no_longer_than_a_read_may_take():
    async with bench(readers=2, deadline=0.05) as made:
        await made.misses._turn.acquire()  # by a batch whose read is slow
        names = [key("88.1/A"), key("88.1/B")]
        async with asyncio.timeout(DEADLINE):
            refused = await made.resolver.resolve_many(names)
        assert [outcome.rule for outcome in refused] == ["server.queue"] * 2
        made.misses._turn.release()
        made.misses._deadline = DEADLINE  # What follows is not about it.
        reading = asyncio.create_task(made.resolver.resolve_many(names))
        (await made.book.next_read()).answer()
        assert await reading == [MISSING, MISSING]


async def test_a_read_that_takes_too_long_is_given_up():
    async with bench(deadline=0.05) as made:
        asker = made.ask("88.1/A")
        read = await made.book.next_read()
        with pytest.raises(ServerBusy):
            await asyncio.wait_for(asker, DEADLINE)
        assert read.outcome.cancelled()


async def test_what_waits_too_long_behind_others_is_refused():
    async with bench(readers=1, deadline=0.3) as made:
        made.misses._deadline = 0.05  # the read under way began with the longer one
        asker = made.ask("88.1/A")
        await made.book.next_read()
        behind = made.ask("88.1/B")
        with pytest.raises(ServerBusy):
            await asyncio.wait_for(behind, DEADLINE)
        with pytest.raises(ServerBusy):
            await asyncio.wait_for(asker, DEADLINE)


async def test_an_asker_that_goes_away_takes_nothing_from_the_others():
    async with bench() as made:
        impatient, patient = made.ask("88.1/A"), made.ask("88.1/A")
        read = await made.book.next_read()
        impatient.cancel()
        await turns()
        read.answer()
        assert (await patient).code == ResponseCode.HANDLE_NOT_FOUND
        assert impatient.cancelled()


async def test_when_the_database_goes_all_are_refused_at_once_until_it_is_back():
    async with bench(readers=1) as made:
        made.book.open_error = ConnectionRefusedError()
        made.book.opened.clear()
        reading = made.ask("88.1/A")
        read = await made.book.next_read()
        waiting = made.ask("88.1/B")
        await turns()
        read.fail(ConnectionResetError())
        for asker in (reading, waiting):
            with pytest.raises(ServerBusy) as refused:
                await asker
            assert refused.value.rule == "server.busy"
        assert made.resolver.fault == "database"
        with pytest.raises(ServerBusy):
            await made.resolver.resolve(key("88.1/C"))
        assert made.book.reads.empty()  # nobody waited for a time-out of his own
        made.book.open_error = None
        await asyncio.wait_for(made.book.opened.wait(), DEADLINE)
        await turns()
        back = made.ask("88.1/C")
        (await made.book.next_read()).answer()
        assert (await back).code == ResponseCode.HANDLE_NOT_FOUND
        assert made.resolver.fault == ""


async def test_a_schema_of_another_program_is_a_fault_of_its_own_with_the_advice():
    async with bench() as made:
        made.book.open_error = SchemaMismatch("no-registry")
        asker = made.ask("88.1/A")
        made.book.tried.clear()
        (await made.book.next_read()).fail(ConnectionResetError())
        with pytest.raises(ServerBusy):
            await asker
        await asyncio.wait_for(made.book.tried.wait(), DEADLINE)
        await turns()
        assert (made.misses.fault, made.misses.fault_detail) == (
            "schema",
            "the database holds no registry; run `filament migrate`",
        )


async def test_a_bug_in_a_read_is_told_to_those_who_asked_and_to_nobody_else(caplog):
    async with bench() as made:
        asker = made.ask("88.1/A")
        (await made.book.next_read()).fail(ZeroDivisionError())
        with pytest.raises(HandleError) as failed:
            await asker
        assert failed.value.code == ResponseCode.ERROR
        assert "ZeroDivisionError" in caplog.text
        other = made.ask("88.1/B")
        (await made.book.next_read()).answer()
        assert (await other).code == ResponseCode.HANDLE_NOT_FOUND


async def test_when_the_node_stops_those_who_wait_are_refused():
    async with bench(readers=1) as made:
        reading = made.ask("88.1/A")
        await made.book.next_read()
        waiting = made.ask("88.1/B")
        await turns()
    for asker in (reading, waiting):
        with pytest.raises(ServerBusy):
            await asker
    with pytest.raises(ServerBusy):
        await made.resolver.resolve(key("88.1/C"))


def ask_many(made, count: int, first: int = 0) -> asyncio.Task:
    return asyncio.create_task(made.resolver.resolve_many([key(f"88.1/{first + place}") for place in range(count)]))


async def answer_all(made) -> None:
    while True:
        (await made.book.next_read()).answer()


async def test_a_name_asked_for_alone_is_read_at_once_beside_any_number_of_others():
    async with bench(readers=2, queue=10_000) as made:
        many = [ask_many(made, 1000), ask_many(made, 1000, first=5000)]
        read = await made.book.next_read()
        assert len(read.keys) == MAX_BATCH
        alone = made.ask("88.1/A")
        its_read = await made.book.next_read()
        assert its_read.keys == [key("88.1/A")]
        its_read.answer()
        assert await asyncio.wait_for(alone, DEADLINE) is MISSING
        read.answer()
        answering = asyncio.create_task(answer_all(made))
        await asyncio.wait_for(asyncio.wait(many), DEADLINE)
        answering.cancel()
        assert [await one for one in many] == [[MISSING] * 1000] * 2


async def test_many_names_leave_half_of_the_queue_to_names_asked_for_alone():
    async with bench(readers=1, queue=4) as made:
        reading = made.ask("88.1/A")
        first = await made.book.next_read()
        many = ask_many(made, 3)
        await turns()
        assert len(made.misses) == 2
        alone = [made.ask("88.1/B"), made.ask("88.1/C")]
        await turns()
        first.answer()
        await reading
        (await made.book.next_read()).answer()
        (await made.book.next_read()).answer()
        assert await many == [MISSING] * 3
        assert await asyncio.gather(*alone) == [MISSING] * 2


async def test_many_names_join_reads_under_way_and_equal_ones_are_read_once():
    async with bench(readers=2) as made:
        made.book.records[key("88.1/A")] = record("88.1/A")
        alone = made.ask("88.1/A")
        first = await made.book.next_read()
        names = ["88.1/A", "88.1/B", "88.1/b", "10.1/A", "88.1/a"]
        many = asyncio.create_task(made.resolver.resolve_many([key(name) for name in names]))
        second = await made.book.next_read()
        assert second.keys == [key("88.1/B")]
        second.answer()
        first.answer()
        found = await alone
        assert await many == [found, MISSING, MISSING, NOT_RESPONSIBLE, found]
        counts = made.metrics.counts
        assert (counts.misses, counts.found, counts.not_found, counts.not_responsible) == (5, 3, 2, 1)


async def test_many_authoritative_answers_come_from_reads_that_began_afterwards():
    async with bench(readers=2) as made:
        early = made.ask("88.1/A")
        early_read = await made.book.next_read()
        made.book.records[key("88.1/A")] = record("88.1/A")
        many = asyncio.create_task(made.resolver.resolve_many_authoritative([key("88.1/A")] * 2))
        (await made.book.next_read()).answer()
        assert [answer.code for answer in await many] == [ResponseCode.SUCCESS] * 2
        early_read.answer()
        assert await early is MISSING


async def test_each_of_many_names_is_refused_for_itself_and_counted():
    async with bench() as made:
        made.book.records[key("88.1/A")] = record("88.1/A")
        kept = made.ask("88.1/A")
        (await made.book.next_read()).answer()
        await kept
        many = asyncio.create_task(made.resolver.resolve_many([key(f"88.1/{name}") for name in "ABBC"]))
        (await made.book.next_read()).fail(ConnectionError("gone"))
        found, *refused = await many
        assert found.code == ResponseCode.SUCCESS
        assert [(type(one), one.rule) for one in refused] == [(ServerBusy, "server.busy")] * 3
        assert (made.metrics.counts.busy, made.metrics.counts.hits) == (3, 1)


async def test_whoever_gives_up_on_many_names_leaves_no_place_taken():
    async with bench(readers=1) as made:
        many = ask_many(made, 3)
        read = await made.book.next_read()
        waiting = ask_many(made, 3, first=100)
        await turns()
        for one in (many, waiting):
            one.cancel()
        await asyncio.wait([many, waiting])
        read.fail(ConnectionError("gone"))  # nobody is there to be told
        made.book.opened.clear()
        await asyncio.wait_for(made.book.opened.wait(), DEADLINE)
        again = ask_many(made, 1)
        (await made.book.next_read()).answer()
        assert await again == [MISSING]


async def test_names_wait_for_the_next_server_where_there_is_one():
    async with bench(goes_over=True) as made:
        made.book.records[key("88.1/A")] = record("88.1/A")
        made.book.open_error = ConnectionRefusedError()
        made.book.tried.clear()
        asked = made.ask("88.1/A")
        lost = await made.book.next_read()
        waiting = made.ask("88.1/B")
        await turns()
        lost.fail(ConnectionResetError())
        await asyncio.wait_for(made.book.tried.wait(), DEADLINE)
        again, late = made.ask("88.1/A"), made.ask("88.1/C")
        await turns()
        made.book.open_error = None
        read = await made.book.next_read()
        assert read.keys == [key("88.1/A"), key("88.1/B"), key("88.1/C")]
        read.answer()
        answers = await asyncio.gather(asked, again, waiting, late)
        assert [answer.code for answer in answers[:2]] == [ResponseCode.SUCCESS] * 2
        assert answers[2:] == [MISSING] * 2


async def test_names_wait_for_the_next_server_no_longer_than_for_a_read():
    async with bench(goes_over=True, deadline=0.2) as made:
        made.book.open_error = ConnectionRefusedError()
        asked = made.ask("88.1/A")
        read = await made.book.next_read()
        if not read.outcome.done():  # Given up, where the machine stalled.
            read.fail(ConnectionResetError())
        with pytest.raises(ServerBusy):
            await asyncio.wait_for(asked, DEADLINE)
        with pytest.raises(ServerBusy):
            await asyncio.wait_for(made.ask("88.1/B"), DEADLINE)


async def test_a_read_that_was_too_slow_is_not_made_again_at_another_server():
    async with bench(goes_over=True) as made:
        asked = made.ask("88.1/A")
        (await made.book.next_read()).fail(TimeoutError())
        with pytest.raises(ServerBusy):
            await asyncio.wait_for(asked, DEADLINE)
