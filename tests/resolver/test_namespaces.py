"""Handles computed from templates of their prefixes, as the resolver answers for them."""

from registry.handle import Handle
from registry.transaction import begin
from registry.value import HandleValue
from resolver.answer import MISSING
from tests.registry.books import URL, name, open_book, register
from tests.resolver.cores import core

TEMPLATE = """<namespace><template delimiter="@"><foreach>
<if value="type" test="equals" expression="DESC"><value data="${{data}} {word} ${{extension}}"/></if>
</foreach></template></namespace>"""


def template(word):
    return HandleValue(7, "HS_NAMESPACE", TEMPLATE.format(word=word).encode())


async def change(store, handle, *values):
    """Gives a handle these values beside its own with other indexes."""
    async with begin(store, "test") as transaction:
        record = await transaction.lock(name(handle))
        indexes = {value.index for value in values}
        kept = [value for value in record.values if value.index not in indexes]
        await transaction.replace(record, sorted([*kept, *values], key=lambda value: value.index))


async def shown(made, asked):
    answer = await made.ask(asked)
    return None if answer is MISSING else answer.record.values[0].text


async def test_a_name_that_is_not_registered_is_made_from_its_base(database_dsn):
    async with open_book(database_dsn) as book, core(database_dsn) as made:
        await register(book, "88.118.1/Doff", HandleValue(1, "DESC", b"doff 17"))
        assert await shown(made, "88.118.1/Doff@7") is None
        await change(book, "0.NA/88.118.1", template("cake"))
        await made.resolver.caught_up()
        assert await shown(made, "88.118.1/DOFF@7") == "doff 17 cake 7"
        answer = made.peek("88.118.1/doff@7")
        assert answer.record.handle == Handle("88.118.1", "DOFF@7"), "it is kept"
        assert await shown(made, "88.118.1/Other@7") is None
        assert await shown(made, "88.118.1/Doff8") is None
        await register(book, "88.118.1/Doff@7", URL)
        await made.resolver.caught_up()
        assert await shown(made, "88.118.1/Doff@7") == "http://example.org/1"


async def test_what_is_kept_of_computed_handles_follows_their_template_and_their_base(database_dsn):
    async with open_book(database_dsn) as book, core(database_dsn) as made:
        await change(book, "0.NA/88.118.1", template("cake"))
        await made.resolver.caught_up()
        assert await shown(made, "88.118.1/Doff@7") is None
        await register(book, "88.118.1/Doff", HandleValue(1, "DESC", b"doff 17"))
        await made.resolver.caught_up()
        assert await shown(made, "88.118.1/Doff@7") == "doff 17 cake 7"
        await change(book, "88.118.1/Doff", HandleValue(1, "DESC", b"doff 18"))
        await made.resolver.caught_up()
        assert await shown(made, "88.118.1/Doff@7") == "doff 18 cake 7"
        await change(book, "0.NA/88.118.1", template("spindle"))
        await made.resolver.caught_up()
        assert await shown(made, "88.118.1/Doff@7") == "doff 18 spindle 7"
        await change(book, "0.NA/88.118.1", HandleValue(7, "DESC", b"no template any more"))
        await made.resolver.caught_up()
        assert await shown(made, "88.118.1/Doff@7") is None
