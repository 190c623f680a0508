"""Members of ranges as the resolver answers for them."""

import asyncio

from registry.changes import Change, ChangeKind
from registry.errors import ResponseCode
from registry.ranges import NewRange, Ranges
from registry.registration import Registration
from registry.value import HandleValue
from resolver.answer import MISSING
from tests.registry.books import NODE, URL, name, open_book
from tests.resolver.cores import core

DOFF = NewRange(name("88.118.1/Cake-01"), 50, 2, 10, (HandleValue(1, "DESC", b"spindle {position}"),))
OTHER = (HandleValue(1, "DESC", b"grade AA"),)


async def shown(made, asked):
    answer = await made.ask(asked)
    return None if answer is MISSING else (answer.record.values[0].text, answer.version)


async def test_what_a_resolver_keeps_of_members_follows_their_range(database_dsn):
    async with open_book(database_dsn) as book, core(database_dsn) as made:
        registration = Registration(book, [str(NODE)])
        ranges = Ranges(book, registration)
        assert await made.ask("88.118.1/CAKE-07") is MISSING
        await ranges.register(DOFF, NODE)
        await made.resolver.caught_up()
        assert await shown(made, "88.118.1/CAKE-07") == ("spindle 7", 1)
        assert made.peek("88.118.1/CAKE-07").code is ResponseCode.SUCCESS, "it is kept"
        await ranges.replace(DOFF.first, OTHER, NODE)
        await made.resolver.caught_up()
        assert await shown(made, "88.118.1/CAKE-07") == ("grade AA", 2)
        await registration.delete_record(name("88.118.1/Cake-07"), NODE)
        await made.resolver.caught_up()
        assert await shown(made, "88.118.1/CAKE-07") is None
        assert await shown(made, "88.118.1/CAKE-08") == ("grade AA", 2)
        await ranges.delete(DOFF.first, NODE)
        await made.resolver.caught_up()
        assert await shown(made, "88.118.1/CAKE-08") is None


async def test_a_new_range_leaves_what_is_kept_of_other_handles(database_dsn):
    async with open_book(database_dsn) as book, core(database_dsn) as made:
        registration = Registration(book, [str(NODE)])
        ranges = Ranges(book, registration)
        await ranges.register(DOFF, NODE)
        await registration.put_record(name("88.118.1/Cake-60X"), [URL], NODE)
        await made.resolver.caught_up()
        kept = await made.ask("88.118.1/CAKE-60X")
        await ranges.register(NewRange(name("88.118.1/Cake-60"), 10, 2, 10, OTHER), NODE)
        await made.resolver.caught_up()
        assert made.peek("88.118.1/CAKE-60X") is kept
        assert await shown(made, "88.118.1/CAKE-61") == ("grade AA", 1)


async def test_a_member_that_is_given_a_row_of_its_own_is_found_at_every_moment(database_dsn):
    async with open_book(database_dsn) as book, core(database_dsn) as made:
        registration = Registration(book, [str(NODE)])
        await Ranges(book, registration).register(DOFF, NODE)
        await made.resolver.caught_up()
        cakes = [f"88.118.1/Cake-{number:02}" for number in range(1, 51)]

        async def override():
            for cake in cakes:
                await registration.put_record(name(cake), OTHER, NODE)

        overriding = asyncio.create_task(override())
        while not overriding.done():
            for cake in cakes:
                made.resolver.forget(Change(ChangeKind.HANDLE, book.key_of(cake.encode())))
            assert MISSING not in [await made.ask(cake.upper()) for cake in cakes]
        await overriding
