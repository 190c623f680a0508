"""The demo's identifiers: exact in number, the same each time, and closed under their own links."""

import csv
import io
import json
import re
import shlex
import subprocess
import sys
import tracemalloc
import unicodedata
from collections import Counter, deque
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import fibre, schedule
from bench.enterprises import ENTERPRISES, Enterprise, Industry
from bench.identifiers import COLUMNS, Record, records, write_csv, write_ndjson
from bench.production import DAYS
from bench.vocabulary import LINKS

# More than the whole first cycle, and enough for every enterprise and class.
MANY = 40_000

MILLS = [enterprise for enterprise in ENTERPRISES if enterprise.industry is Industry.CHEMICAL_FIBRE]


@pytest.fixture(scope="module")
def many() -> list[Record]:
    return list(records(MANY))


def links(record: Record) -> list[str]:
    return [handle for _, kind, text in record.values if kind in LINKS for handle in text.split("\n")]


def test_there_are_28_enterprises_with_a_prefix_each_and_no_name_twice():
    assert [enterprise.prefix for enterprise in ENTERPRISES] == [f"88.168.{number}" for number in range(1, 29)]
    for names in ([each.name_zh for each in ENTERPRISES], [each.name_en for each in ENTERPRISES]):
        assert len(set(names)) == 28
    assert {each.industry for each in ENTERPRISES} == set(Industry)


@given(st.integers(0, 3_000))
@settings(max_examples=30, deadline=None)
def test_any_count_is_met_to_the_record(count: int):
    assert sum(1 for _ in records(count)) == count


@given(st.integers(0, 2_000), st.integers(1, 7))
@settings(max_examples=30, deadline=None)
def test_the_parts_together_are_the_whole_and_nothing_twice(count: int, parts: int):
    pieces = [record for part in range(parts) for record in records(count, part=part, parts=parts)]
    assert sorted(pieces) == sorted(records(count))


@pytest.mark.parametrize(("part", "parts", "count"), [(1, 1, 5), (-1, 2, 5), (0, 0, 5), (0, 1, -1)])
def test_a_part_that_does_not_exist_is_refused(part: int, parts: int, count: int):
    with pytest.raises(ValueError, match="there is no part"):
        records(count, part=part, parts=parts)


def test_the_formula_counts_what_the_consignments_hold():
    before = 0
    for number in range(3 * schedule.SLOTS):
        assert schedule.count_before(number) == before
        before += sum(1 for _ in schedule.consignment(number, 1))


@given(st.integers(0, 10**12))
def test_a_cut_stops_at_the_last_consignment_that_fits(count: int):
    whole, rest = schedule.cut(count)
    assert schedule.count_before(whole) + rest == count
    assert schedule.count_before(whole + 1) > count


def test_the_same_seed_gives_the_same_records_and_another_seed_others():
    assert list(records(2_000, 7)) == list(records(2_000, 7))
    assert list(records(2_000, 7)) != list(records(2_000, 8))


def test_a_longer_run_begins_with_the_shorter_one():
    assert list(islice(records(5_000), 1_234)) == list(records(1_234))


def test_every_link_names_a_record_before_it(many: list[Record]):
    known: set[str] = set()
    for record in many:
        assert known.issuperset(links(record)), record
        known.add(record.handle)


def test_far_along_the_line_a_lorry_still_carries_pallets_that_were_made():
    # The 60 million of the real node. A lorry takes thirty pallets of a mill that may fill three slots of 280.
    whole, _ = schedule.cut(60_000_000)
    lorries = [record for number in range(whole, whole + 100) for record in schedule.consignment(number, 1)]
    pallets = {link for record in lorries if "/T." in record.handle for link in links(record) if "/P." in link}
    assert pallets
    for number in range(whole + 100, whole - 4_000, -1):
        pallets.difference_update(record.handle for record in schedule.consignment(number, 1))
    assert not pallets


@given(st.sampled_from(MILLS), st.integers(0, 10**7))
def test_every_pallet_belongs_to_a_batch_and_machine_that_an_earlier_pallet_began(mill: Enterprise, pallet: int):
    turn, day = divmod(pallet, DAYS)
    batch = fibre.batch_of(mill, pallet)
    run = turn - turn % fibre.ROUNDS_PER_BATCH
    first = run * DAYS + day - day % fibre.DAYS_PER_BATCH
    assert first <= pallet
    assert batch.handle in {record.handle for record in fibre.consignment(mill, first, Random(0))}
    first_use = batch.number % fibre.MACHINES * fibre.DAYS_PER_BATCH
    assert first_use <= pallet
    assert batch.machine in {record.handle for record in fibre.consignment(mill, first_use, Random(0))}


@given(st.integers(0, 10**6), st.integers(1, 10**4), st.integers(0, 1))
def test_two_consignments_never_share_a_handle(number: int, cycles: int, seed: int):
    # The same slot of another cycle belongs to the same enterprise, so only these could meet.
    one = {record.handle for record in schedule.consignment(number, seed)}
    assert one.isdisjoint(record.handle for record in schedule.consignment(number + cycles * schedule.SLOTS, seed))


def test_no_handle_is_made_twice(many: list[Record]):
    assert len({record.handle.upper() for record in many}) == MANY


def test_a_pallet_leads_through_boxes_and_cakes_to_its_batch_and_machine(many: list[Record]):
    book = {record.handle: {kind: text for _, kind, text in record.values} for record in many}
    pallet = next(values for handle, values in book.items() if "/P." in handle)
    boxes = pallet["MEMBERS"].split("\n")
    cakes = [cake for box in boxes for cake in book[box]["MEMBERS"].split("\n")]
    assert (len(boxes), len(set(cakes))) == (8, 48)
    assert {book[cake]["BATCH"] for cake in cakes} == {pallet["BATCH"]}
    machine = book[pallet["BATCH"]]["MACHINE"]
    assert {book[book[cake]["SPINDLE"]]["MACHINE"] for cake in cakes} == {machine}
    weight = sum(int(book[cake]["NET_WEIGHT_G"]) for cake in cakes)
    assert pallet["NET_WEIGHT_KG"] == f"{weight / 1000:.3f}"


def test_a_garment_leads_through_its_roll_to_a_batch(many: list[Record]):
    book = {record.handle: {kind: text for _, kind, text in record.values} for record in many}
    garments = [values for handle, values in book.items() if "/G." in handle]
    assert garments
    assert all("/L." in book[garment["ROLL"]]["BATCH"] for garment in garments)


def test_every_record_has_four_to_eight_values_in_the_order_of_known_indexes(many: list[Record]):
    known = set(COLUMNS)
    assert len(known) < 60
    for record in many:
        columns = [(index, kind) for index, kind, _ in record.values]
        assert 4 <= len(columns) <= 8, record
        assert columns == sorted(set(columns)), record
        assert known.issuperset(columns), record


def test_texts_are_composed_and_only_members_run_over_several_lines(many: list[Record]):
    for record in many:
        for _, kind, text in record.values:
            whole = text.replace("\n", "") if kind == "MEMBERS" else text
            assert whole
            assert unicodedata.is_normalized("NFC", whole), whole
            assert not any(unicodedata.category(character).startswith("C") for character in whole), whole


def test_every_enterprise_registers_and_sizes_fall_like_zipf(many: list[Record]):
    sizes = Counter(record.handle.split("/")[0] for record in many)
    assert set(sizes) == {enterprise.prefix for enterprise in ENTERPRISES}
    ranked = [size for _, size in sizes.most_common()]
    assert ranked[0] > MANY // 5
    assert ranked[0] > 5 * ranked[7] > 10 * ranked[27]


def test_all_classes_are_there(many: list[Record]):
    classes = {record.handle.split("/")[1].split(".")[0] for record in many}
    assert classes == set("BCEGLPRTV")


def test_memory_stays_flat_however_many_records_are_made():
    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            deque(records(count), maxlen=0)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2_000)  # what is computed once, such as the calendar, is there before we compare
    assert peak(30_000) < peak(2_000) + 100_000


def test_ndjson_says_exactly_the_records():
    output = io.BytesIO()
    assert write_ndjson(records(2_500), output) == 2_500
    lines = [json.loads(line) for line in output.getvalue().decode().splitlines()]
    assert [
        Record(line["handle"], tuple((value["index"], value["type"], value["data"]) for value in line["values"]))
        for line in lines
    ] == list(records(2_500))


def test_csv_says_exactly_the_records():
    output = io.BytesIO()
    assert write_csv(records(2_500), output) == 2_500
    header, *rows = csv.reader(io.StringIO(output.getvalue().decode(), newline=""))
    columns = [(int(index), kind) for index, kind in (name.split(":") for name in header[1:])]
    assert header[0] == "handle"
    assert [
        Record(row[0], tuple((*column, text) for column, text in zip(columns, row[1:], strict=True) if text))
        for row in rows
    ] == list(records(2_500))


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_the_command_writes_the_same_rows_alone_and_with_several_processes(tmp_path, form: str):
    written = []
    for processes in ("1", "2"):
        output = tmp_path / processes
        arguments = ["--count", "3000", "--format", form, "--processes", processes, "--output", str(output)]
        done = subprocess.run([sys.executable, "-m", "bench.identifiers", *arguments], capture_output=True, check=True)
        assert b"3,000 of 3,000 records" in done.stderr
        assert done.stdout == b""
        text = output.read_bytes().decode()
        lines = csv.reader(io.StringIO(text, newline="")) if form == "csv" else text.splitlines()
        written.append(sorted(lines))
    assert written[0] == written[1]


def test_the_command_ends_quietly_when_its_reader_leaves():
    command = [sys.executable, "-m", "bench.identifiers", "--count", "2000000", "--output", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline().startswith(b'{"handle":"88.168.10/')
        program.stdout.close()
        assert b"Traceback" not in program.stderr.read()
        assert program.wait(30) == 1


def test_the_commands_in_the_readme_do_what_they_say(tmp_path):
    readme = (Path(__file__).parents[2] / "bench" / "README.md").read_text("utf-8")
    commands = [line for line in readme.splitlines() if line.startswith("python -m bench.identifiers ")]
    assert len(commands) == 2
    for command in commands:
        arguments = [sys.executable, *shlex.split(command)[1:]]
        subprocess.run(arguments, cwd=tmp_path, capture_output=True, check=True)
    assert (tmp_path / "demo.ndjson").read_bytes().count(b"\n") == 100_000


def test_the_handles_in_the_readme_exist(many: list[Record]):
    readme = (Path(__file__).parents[2] / "bench" / "README.md").read_text("utf-8")
    shown = {handle for handle in re.findall(r"`(88\.168\.\d+/[^`]+)`", readme) if not handle.endswith("…")}
    assert len(shown) == 9
    assert shown <= {record.handle for record in many}
