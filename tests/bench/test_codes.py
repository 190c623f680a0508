"""The demo's codes of other systems: what people type is kept, and what is kept is in its one form."""

from bench import codes
from bench.identifiers import records
from registry.alias import target_of
from registry.handle import Handle
from registry.issuers import covers, part_of
from registry.links import links_of
from registry.schemes.gs1 import check_canonical
from registry.schemes.recognition import recognise
from registry.value import HandleValue

KEPT = {record.handle: [HandleValue(index, kind, text.encode()) for index, kind, text in record.values]
        for record in codes.records()}  # fmt: skip


def test_every_code_that_people_type_is_kept():
    assert {str(recognise(writing.removeprefix("https://id.example.com")).handle) for writing in codes.WRITINGS} < {
        *KEPT
    }


def test_every_code_is_in_its_one_form_and_its_issuer_may_write_it():
    starts = {system: start for system, start, _ in codes.GRANTS}
    for name in KEPT:
        handle = Handle.from_text(name)
        check_canonical(handle)
        if (found := part_of(handle)) is not None:
            system, part = found
            assert covers(system, starts[system], part)


def test_what_a_code_stands_for_is_among_the_first_records_of_the_demo():
    first = {record.handle for record in records(100)}
    targets = {target for values in KEPT.values() if (target := target_of(values))}
    assert targets
    assert targets | {codes.PALLET, codes.BATCH.handle} <= first


def test_the_links_of_the_product_are_links():
    assert len(links_of(KEPT[f"gs1/01/{codes.GTIN}"])) == 3
