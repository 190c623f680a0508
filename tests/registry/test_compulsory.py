"""Templates that a prefix makes compulsory: no way in past them, and what was there before goes on."""

import orjson
import pytest

from registry.compulsory import check_named
from registry.errors import InvalidValue, ProtocolFault
from registry.handle import Handle
from registry.minting import Asked, Minting
from registry.ranges import NewRange, Ranges
from registry.standing import State, Wish
from registry.states import anything, put
from registry.suffixes import Minter, SuffixRule, check_rules
from registry.value import HandleValue
from tests.registry.books import OWNER, PREFIX
from tests.registry.interface import NDJSON
from tests.registry.test_jobs import done, results, texts, working
from tests.registry.test_snms import DATA, ITEM, TEMPLATE, ask, identifier, template

CAKE = SuffixRule("C.*", templates=("88.168.2/cake", "textile/poy"))
ANY = SuffixRule("L.*", templates=("*",))
FREE = SuffixRule(".*")
BATCH = HandleValue(1, "BATCH", b"B1")
BATCH_OF_JSON = {"index": 1, "type": "BATCH", "data": "B1"}
TEMPLATE_OF_JSON = {"index": 1000, "type": "TEMPLATE", "data": "textile/batch@1"}
RULE = "template.compulsory"


def named(text):
    return HandleValue(1000, "TEMPLATE", text.encode())


@pytest.mark.parametrize(
    ("suffix", "values"),
    [
        ("C1", [named("88.168.2/cake@7"), BATCH]),
        ("C1", [HandleValue(1001, "TEMPLATE", b"TEXTILE/poy@1")]),
        ("L1", [named("textile/batch@1")]),
        ("M1", [BATCH]),
        ("M1", []),
    ],
)
def test_a_handle_that_names_a_template_of_its_class_is_taken(suffix, values):
    check_named((CAKE, ANY, FREE), suffix, values)


@pytest.mark.parametrize(
    ("suffix", "values"),
    [
        ("C1", []),
        ("C1", [BATCH]),
        ("C1", [named("textile/machine@1")]),
        ("C1", [named("88.168.2/cakes@1")]),
        ("C1", [HandleValue(2, "TEMPLATE", b"88.168.2/cake@1")]),
        ("L1", [BATCH]),
    ],
)
def test_a_handle_that_names_none_of_its_class_is_refused(suffix, values):
    with pytest.raises(InvalidValue) as refused:
        check_named((CAKE, ANY, FREE), suffix, values)
    assert (refused.value.rule, refused.value.culprit["index"]) == (RULE, 1000)


def test_the_first_rule_that_takes_a_suffix_says_its_class():
    check_named((FREE, CAKE), "C1", [BATCH])


@pytest.mark.parametrize("before", [[BATCH], [named("textile/machine@1")], [named("no name of a template")]])
def test_what_was_there_before_its_class_had_to_name_one_can_be_changed(before):
    check_named((CAKE,), "C1", [BATCH], before)


@pytest.mark.parametrize("before", [[named("88.168.2/cake@1")], []])
def test_what_names_one_goes_on_naming_one_and_a_reserved_name_begins_with_it(before):
    with pytest.raises(InvalidValue):
        check_named((CAKE,), "C1", [BATCH], before)


def test_templates_alone_are_a_rule_and_wrong_names_are_refused():
    check_rules([SuffixRule(templates=("*",), accepted=("anything",))])
    for wrong in ("cake", "88.168.2/cake@1", "**", "", "88.168.2/Cake"):
        with pytest.raises(ProtocolFault, match=r"\$\.rules\[0\]\.templates\[1\]"):
            check_rules([SuffixRule(templates=("textile/poy", wrong))])
    with pytest.raises(ProtocolFault, match=r"\$\.rules\[0\]\.templates"):
        check_rules([SuffixRule(templates=("*",) * 51)])


@pytest.fixture
async def held(store, registration):
    """A prefix whose handles C… name a batch; C0 was there before."""
    await registration.put_record(cake(0), [BATCH], OWNER)
    rules = [SuffixRule("C.*", templates=("textile/batch",)), FREE]
    await Minting(store).set_rules(store.prefixes.find(PREFIX.encode()), rules, "test")
    return registration


def cake(number):
    return Handle(PREFIX, f"C{number}")


NAMING = (named("textile/batch@1"), HandleValue(2, "PRODUCT", b"POY"), HandleValue(3, "SPEC", b"111dtex/48f"))


async def refused(writing):
    with pytest.raises(InvalidValue) as caught:
        await writing
    assert (caught.value.rule, caught.value.culprit["templates"]) == (RULE, "textile/batch")
    assert "textile/batch" in caught.value.text("zh")


async def test_a_registration_without_it_is_refused_and_one_with_it_keeps_it(held):
    await refused(held.put_record(cake(1), [BATCH], OWNER))
    assert (await held.put_record(cake(1), [BATCH, *NAMING], OWNER)).created
    await refused(held.put_record(cake(1), [BATCH], OWNER))
    await refused(held.delete_values(cake(1), [1000], OWNER))
    await refused(held.put_values(cake(1), [named("textile/machine@1")], OWNER))
    await held.delete_values(cake(1), [1], OWNER)
    await held.put_record(cake(0), [HandleValue(1, "BATCH", b"B2")], OWNER)


async def test_a_reserved_name_begins_with_it(store, held):
    who = {"by": "test", "of_node": False, "allow": anything}
    await put(store, [cake(1)], Wish(State.RESERVED, "for line 1"), **who)
    await refused(held.put_record(cake(1), [BATCH], OWNER))
    await refused(put(store, [cake(1)], Wish(State.ACTIVE), **who))
    assert not (await held.put_record(cake(1), NAMING, OWNER)).created
    await put(store, [cake(1)], Wish(State.ACTIVE), **who)


async def test_a_suffix_made_by_the_node_needs_it(store, held):
    await Minting(store).set_minters(store.prefixes.find(PREFIX.encode()), [Minter("cake", "C{serial}")], "test")
    await refused(held.mint_record(Handle(PREFIX, ""), Asked("cake"), [BATCH], OWNER))
    assert (await held.mint_record(Handle(PREFIX, ""), Asked("cake"), NAMING, OWNER)).created


async def test_a_range_needs_it(store, held):
    ranges = Ranges(store, held)
    await refused(ranges.register(NewRange(Handle(PREFIX, "C01"), 12, 2, 10, (BATCH,)), OWNER))
    await ranges.register(NewRange(Handle(PREFIX, "C01"), 12, 2, 10, NAMING), OWNER)
    await refused(ranges.replace(Handle(PREFIX, "C01"), [BATCH], OWNER))
    await refused(held.delete_values(Handle(PREFIX, "C07"), [1000], OWNER))


def lines(rows):
    return b"".join(
        orjson.dumps({"handle": f"88.168.2/{suffix}", "values": values}) + b"\n" for suffix, values in rows.items()
    )


async def test_files_and_other_interfaces_need_it(node):
    assert (await ask(node, "POST", TEMPLATE, node.enterprise, template(ITEM)))["status"] == 1
    rules = {"rules": [{"pattern": "C.*", "templates": ["textile/batch"]}, {"pattern": ".*"}]}
    async with node.client.put("/api/suffix-rules/88.168.2", json=rules, headers=node.enterprise) as answer:
        assert answer.status == 200, await answer.text()
    batch = [
        TEMPLATE_OF_JSON,
        {"index": 2, "type": "PRODUCT", "data": "POY"},
        {"index": 3, "type": "SPEC", "data": "111dtex/48f"},
    ]
    rows = {"C1": [BATCH_OF_JSON], "C2": batch, "F1": [BATCH_OF_JSON]}
    file = lines(rows)
    async with node.client.post("/api/bulk", data=file, headers=node.enterprise | NDJSON) as answer:
        report = await answer.json()
    assert (report["created"], [one["rule"] for one in report["refusals"]]) == (2, [RULE])
    machine = [{**TEMPLATE_OF_JSON, "data": "textile/machine@1"}]
    updates = lines({"C2": machine, "F1": machine})
    async with working(node.store):
        job = await done(node, updates, "?kind=update")
    told = [orjson.loads(one).get("refusal", {}).get("rule") for one in (await results(node, job)).splitlines()]
    assert told == [RULE, "template.required"]
    assert TEMPLATE_OF_JSON["data"] in (await texts(node, "88.168.2/C2") or ())
    answered = await ask(node, "POST", DATA, node.enterprise, identifier("C9"))
    assert (answered["status"], "textile/batch" in answered["message"]) == (-2, True)
    assert (await ask(node, "POST", DATA, node.enterprise, identifier("F9")))["status"] == 1
