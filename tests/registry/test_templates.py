"""Templates in the book, and handles held to them however they are written."""

import pytest

from registry.errors import (
    HandleAlreadyExists,
    HandleNotFound,
    InvalidAdministrator,
    InvalidHandle,
    InvalidValue,
    ProtocolFault,
)
from registry.handle import Handle
from registry.minting import Minting
from registry.suffixes import SuffixRule
from registry.template import Attribute, Template, TemplateName
from registry.templates import State, Templates
from registry.value import HandleValue
from tests.registry.books import NODE, OWNER, PREFIX, STRANGER, read
from tests.registry.bulk_files import loaded, refusals
from tests.registry.test_typed_values import values
from tests.registry.trials import on_trial

CAKE = Handle.from_text("88.118.1/C.1")


def template(*, most=10):
    weight = Attribute(index=10, type="WEIGHT", kind="number", zh="重量", en="weight", required=True, maximum=most)
    return Template(zh="丝饼", en="cake", attributes=(weight,))


def prefix_of(store, name=PREFIX):
    return store.prefixes.find(name.encode())


def weighing(weight, version=1, name="cake"):
    return (
        HandleValue(10, "WEIGHT", str(weight).encode()),
        HandleValue(1000, "TEMPLATE", f"{PREFIX}/{name}@{version}".encode()),
    )


@pytest.fixture
def templates(store):
    return Templates(store)


async def publish(templates, store, version=1, **more):
    assert await templates.save(prefix_of(store), "cake", template(**more), "test") == version
    return await templates.move(prefix_of(store), "cake", version, State.PUBLISHED, "test")


async def test_a_draft_is_saved_again_and_a_published_version_is_not(store, templates):
    prefix = prefix_of(store)
    for _ in range(2):
        assert await templates.save(prefix, "cake", template(), "test") == 1
    await templates.move(prefix, "cake", 1, State.PUBLISHED, "test")
    assert await templates.save(prefix, "cake", template(most=5), "test") == 2
    first = await templates.one(TemplateName(PREFIX, "cake", 1))
    assert (first.state, first.template) == (State.PUBLISHED, template())
    listed = await templates.listed(prefix, drafts=True)
    assert [(str(kept.name), kept.state) for kept in listed] == [
        ("88.118.1/cake@2", State.DRAFT),
        ("88.118.1/cake@1", State.PUBLISHED),
    ]
    assert [str(kept.name) for kept in await templates.listed(prefix, drafts=False)] == ["88.118.1/cake@1"]


async def test_states_change_forwards_and_a_published_version_is_never_a_draft_again(store, templates):
    prefix = prefix_of(store)
    await templates.save(prefix, "cake", template(), "test")
    with pytest.raises(HandleAlreadyExists, match="is draft"):
        await templates.move(prefix, "cake", 1, State.DEPRECATED, "test")
    for state in (State.PUBLISHED, State.PUBLISHED, State.DEPRECATED, State.PUBLISHED):
        assert (await templates.move(prefix, "cake", 1, state, "test")).state is state
    with pytest.raises(ProtocolFault, match="published or deprecated"):
        await templates.move(prefix, "cake", 1, State.DRAFT, "test")
    with pytest.raises(HandleNotFound):
        await templates.move(prefix, "cake", 2, State.PUBLISHED, "test")


async def test_a_template_that_is_no_template_is_not_saved(store, templates):
    with pytest.raises(ProtocolFault):
        await templates.save(prefix_of(store), "cake", Template(zh="x", en="x"), "test")
    for name in ("Cake", "", "a/b", "x" * 65):
        with pytest.raises(ProtocolFault, match="owner/name@version"):
            await templates.save(prefix_of(store), name, template(), "test")


async def test_a_handle_that_names_a_template_fits_it(store, templates, registration):
    await publish(templates, store)
    for wrong, rule in ((weighing(11), "range"), (weighing("heavy"), "number"), (weighing(1)[1:], "required")):
        with pytest.raises(InvalidValue) as caught:
            await registration.put_record(CAKE, wrong, OWNER)
        assert caught.value.rule == f"template.{rule}"
    assert await read(store, CAKE) is None
    assert (await registration.put_record(CAKE, weighing(10), OWNER)).created
    for change in (
        registration.put_values(CAKE, [HandleValue(10, "WEIGHT", b"11")], OWNER),
        registration.modify_values(CAKE, [HandleValue(10, "WEIGHT", b"11")], OWNER),
        registration.delete_values(CAKE, [10], OWNER),
        registration.put_record(CAKE, weighing(11), OWNER),
    ):
        with pytest.raises(InvalidValue):
            await change
    assert (await read(store, CAKE)).version == 1
    await registration.put_values(CAKE, [HandleValue(10, "WEIGHT", b"9"), HandleValue(5, "OWN", b"x")], OWNER)
    await registration.delete_values(CAKE, [10, 1000], OWNER)


async def test_a_handle_that_names_no_template_says_what_it_likes(store, registration):
    await registration.put_record(CAKE, [HandleValue(10, "WEIGHT", b"heavy")], OWNER)


async def test_a_trial_says_what_the_write_would_and_writes_nothing(store, templates, registration):
    await publish(templates, store)
    with pytest.raises(InvalidValue, match="is not between"):
        await on_trial(store, lambda: registration.put_record(CAKE, weighing(11), OWNER))
    await on_trial(store, lambda: registration.put_record(CAKE, weighing(1), OWNER))
    assert await read(store, CAKE) is None


async def test_only_published_templates_are_named(store, templates, registration):
    await templates.save(prefix_of(store), "cake", template(), "test")
    for name in (weighing(1), weighing(1, version=2), weighing(1, name="other")):
        with pytest.raises(InvalidValue, match="is not published here"):
            await registration.put_record(CAKE, name, OWNER)
    await templates.move(prefix_of(store), "cake", 1, State.PUBLISHED, "test")
    assert (await registration.put_record(CAKE, weighing(1), OWNER)).created


async def test_a_deprecated_template_takes_no_new_handles_and_breaks_no_old_ones(store, templates, registration):
    await publish(templates, store)
    await registration.put_record(CAKE, weighing(10), OWNER)
    await publish(templates, store, 2, most=5)
    await templates.move(prefix_of(store), "cake", 1, State.DEPRECATED, "test")
    await store.load_prefixes()  # As every process does that hears of it.
    with pytest.raises(InvalidValue, match="deprecated"):
        await registration.put_record(Handle(PREFIX, "C.2"), weighing(10), OWNER)
    assert not (await registration.put_record(CAKE, weighing(9), OWNER)).created
    with pytest.raises(InvalidValue, match="between"):
        await registration.put_record(CAKE, weighing(9, version=2), OWNER)
    assert (await registration.put_record(Handle(PREFIX, "C.2"), weighing(5, version=2), OWNER)).created


async def test_whoever_has_no_right_is_told_that_before_anything_of_templates(store, templates, registration):
    with pytest.raises(InvalidAdministrator):
        await registration.put_record(CAKE, weighing(1), STRANGER)


async def test_the_library_is_there_without_a_row(store, templates, registration):
    await registration.put_record(CAKE, values(), OWNER)
    with pytest.raises(InvalidValue):
        await registration.put_record(Handle(PREFIX, "C.2"), values(GRADE="C"), OWNER)
    listed = await templates.listed(None, drafts=False)
    assert "textile/poy@1" in [str(kept.name) for kept in listed]
    assert (await templates.one(TemplateName("TEXTILE", "poy", 1))).state is State.PUBLISHED


async def test_new_suffixes_fit_the_rules_of_their_prefix_and_old_ones_stay(store, registration):
    await registration.put_record(Handle(PREFIX, "old"), [HandleValue(1, "A", b"1")], OWNER)
    await Minting(store).set_rules(prefix_of(store), [SuffixRule(r"C\.[0-9]+", accepted=("C.1",))], "test")
    with pytest.raises(InvalidHandle, match="fits none of the rules"):
        await registration.put_record(Handle(PREFIX, "new"), [HandleValue(1, "A", b"1")], NODE)
    await registration.put_record(Handle(PREFIX, "old"), [HandleValue(1, "A", b"2")], OWNER)
    assert (await registration.put_record(CAKE, [HandleValue(1, "A", b"1")], OWNER)).created


def row(name, *texts):
    forms = ",".join(
        f'{{"index":{index},"type":"{kind}","data":"{text}"}}' for index, kind, text in texts if text is not None
    )
    return f'{{"handle":"{PREFIX}/{name}","values":[{forms}]}}\n'.encode()


def cake(name, weight, template_name=f"{PREFIX}/cake@1"):
    return row(name, (10, "WEIGHT", weight), (1000, "TEMPLATE", template_name))


async def test_rows_of_a_load_are_held_to_the_templates_that_they_name(store, templates):
    await publish(templates, store)
    octets = b"".join((
        cake("1", "10"),
        cake("2", "11"),
        cake("3", "heavy"),
        cake("4", None),
        cake("5", "1", f"{PREFIX}/other@1"),
        cake("6", "1", "no name"),
        cake("7", "1", "textile/spindle@1"),
        row("8", (10, "WEIGHT", "heavy")),
    ))  # fmt: skip
    report = await loaded(store, octets)
    assert (report.created, report.refused) == (2, 6)
    assert await refusals(store) == [
        (2, "$.values[0].data", "template.range"),
        (3, "$.values[0].data", "template.number"),
        (4, "$.values", "template.required"),
        (5, "$.values[1].data", "template.unknown"),
        (6, "$.values[1].data", "value.data"),
        (7, "$.values", "template.required"),
    ]


async def test_cells_of_a_table_are_held_to_their_templates_and_refusals_name_the_column(store, templates):
    await publish(templates, store)
    text = f"handle,10:WEIGHT,1000:TEMPLATE\n{PREFIX}/1,10,{PREFIX}/cake@1\n{PREFIX}/2,11,{PREFIX}/cake@1\n"
    report = await loaded(store, text.encode(), "csv")
    assert (report.created, report.refused) == (1, 1)
    assert [(line, rule) for line, _, rule in await refusals(store)] == [(3, "template.range")]
    assert "WEIGHT" in (await refusals(store))[0][1]


async def test_rows_of_a_load_are_held_to_the_rules_of_suffixes(store):
    await Minting(store).set_rules(prefix_of(store), [SuffixRule("[0-9]+")], "test")
    report = await loaded(store, row("12", (1, "A", "x")) + row("ab", (1, "A", "x")))
    assert (report.created, report.refused) == (1, 1)
    assert await refusals(store) == [(2, "$.handle", "suffix.rule")]


async def test_a_long_load_is_held_to_its_templates_wherever_it_is_prepared(store, templates):
    await publish(templates, store)
    octets = b"".join(cake(f"{number:06}", "11" if number % 1000 == 0 else "10") for number in range(45_000))
    report = await loaded(store, octets)
    assert (report.lines, report.created, report.refused) == (45_000, 44_955, 45)
