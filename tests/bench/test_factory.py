"""A factory day is the same for the same seed, has the proportions that it claims, and asks for nothing too early."""

from collections import Counter

import pytest

from bench.day import requests
from bench.factory import LISTS, SECONDS, Event, Kind, Scale, day, line
from bench.identifiers import records
from bench.pools import NOTHING

SCALE = Scale(registered=60_000, resolved=20_000)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return day(SCALE)


def test_the_same_seed_gives_the_same_day_and_another_one_another(events):
    assert day(SCALE) == events
    assert day(Scale(60_000, 20_000, seed=1)) != events


def test_the_day_goes_on_with_the_line_where_the_registry_ends():
    assert list(line(300, 50)) == list(records(350))[300:]


def test_as_many_identifiers_are_resolved_as_asked_and_more_than_half_of_them_one_by_one(events):
    found = Counter({kind: sum(len(one.names) - one.missing for one in events if one.kind is kind) for kind in Kind})
    one_by_one = found[Kind.ONE] + found[Kind.ROBOT]
    assert 0.98 <= (one_by_one + found[Kind.LIST]) / SCALE.resolved <= 1.02
    assert one_by_one > SCALE.resolved / 2
    assert found[Kind.ROBOT] / SCALE.resolved == pytest.approx(0.015, abs=0.005)


def test_between_five_and_ten_of_a_hundred_are_not_there(events):
    asked = [one for one in events if not one.records]
    missing = sum(one.missing for one in asked) + sum(one.kind is Kind.MISSING for one in asked)
    assert 0.05 <= missing / sum(len(one.names) for one in asked) <= 0.10


def test_one_identifier_is_registered_for_eight_that_are_resolved(events):
    registered = [record for one in events for record in one.records]
    assert len(registered) == SCALE.resolved // 8
    assert registered == list(line(SCALE.registered, len(registered)))


def test_lists_have_the_sizes_of_doffs_pallets_and_lorries(events):
    assert {len(one.names) for one in events if one.kind is Kind.LIST} <= set(LISTS)


def test_shifts_change_in_a_rush(events):
    hours = Counter(int(one.at // 3600) % 24 for one in events if one.kind is Kind.MISSING)
    assert min(hours[8], hours[16]) > 1.5 * max(hours[3], hours[21])


def test_the_same_goods_are_asked_for_again_and_again(events):
    times = Counter(one.names[0] for one in events if one.kind is Kind.ONE)
    asked = times.total()
    assert sum(count for _, count in times.most_common(len(times) // 10)) > asked / 3
    assert len(times) < asked / 2


def test_nothing_is_asked_for_before_it_is_registered_and_missing_ones_never_are(events):
    there = {record.handle for record in records(SCALE.registered)}
    arrivals = 0
    for one in events:
        assert 0 <= one.at < SECONDS * 1.1
        assert one.arrivals <= arrivals
        if one.records:
            arrivals += 1
            there.update(one.names)
        else:
            found = sum(name in there for name in one.names)
            assert found == (0 if one.kind is Kind.MISSING else len(one.names) - one.missing)


def test_a_request_names_the_place_of_the_registration_that_it_needs(events):
    made = list(requests(events, "Authorization: x\r\n"))
    for one, request in zip(events, made, strict=True):
        assert (request.after == NOTHING) == (one.arrivals == 0)
        if one.arrivals:
            assert made[request.after].target > 0
            assert one.names[0 if len(one.names) == 1 else -1 - one.missing].encode() in made[request.after].octets
