"""The cache against a model, and what keeps it small."""

from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from registry.changes import Change, ChangeKind
from registry.handle import Handle, HandleKey
from registry.packing import PackedRecord, pack
from registry.record import values_to_wire
from registry.value import HandleValue
from resolver import cache as cache_module
from resolver import ranges as ranges_module
from resolver.answer import MISSING, STRING, SURROUNDINGS, Answer, found
from resolver.cache import Cache

TTL = 300.0
LEAST = SURROUNDINGS + STRING  # What an answer takes beside its name and its text.
KEYS = st.builds(
    lambda prefix, suffix: HandleKey(prefix + b"/" + suffix),
    st.sampled_from([b"88", b"88.1", b"88.168", b"0.NA"]),
    st.sampled_from([b"", b"A", b"A1", b"B", b"\xff", b"Z/0"]),
)


def key(text: str) -> HandleKey:
    return HandleKey(text.encode())


def answer(octets: int = 100) -> Answer:
    """One that takes so many octets more than the least."""
    return Answer(b"", bytes(octets), 86_400)


def handle(text: str) -> Change:
    return Change(ChangeKind.HANDLE, key(text))


def between(first: str, last: str) -> Change:
    return Change(ChangeKind.RANGE, key(first), key(last))


EVERYTHING = Change(ChangeKind.EVERYTHING)


def small(octets: int = 10_000, *, missing: int = 100) -> Cache:
    return Cache(octets, missing, TTL, 30.0)


def sweep_up(cache: Cache) -> None:
    while cache.sweeping:
        cache.sweep()


@dataclass
class Kept:
    answer: Answer
    at: float
    changes: list[Change] = field(default_factory=list)


class CacheModel(RuleBasedStateMachine):
    """Whatever happens, what is got was put last, is no older than its time to live, and no change came since."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = Cache(6_000, 4, TTL, 30.0)
        self.model: dict[HandleKey, Kept] = {}
        self.now = 0.0

    @rule(key=KEYS, octets=st.integers(1, 900))
    def put_found(self, key: HandleKey, octets: int) -> None:
        made = answer(octets)
        self.cache.put(key, made)
        self.model[key] = Kept(made, self.now)

    @rule(key=KEYS)
    def put_missing(self, key: HandleKey) -> None:
        self.cache.put(key, MISSING)
        self.model[key] = Kept(MISSING, self.now)

    @rule(key=KEYS)
    def get(self, key: HandleKey) -> None:
        got = self.cache.get(key)
        if got is None:
            return
        kept = self.model[key]
        assert got is kept.answer
        assert self.now - kept.at <= (30.0 if got is MISSING else TTL)
        assert not any(change.covers(key) and (got is MISSING or not change.created) for change in kept.changes)

    @rule(seconds=st.sampled_from([1.0, 29.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.cache.advance(self.now)

    @rule(
        change=st.one_of(
            st.builds(Change, st.just(ChangeKind.HANDLE), KEYS),
            st.builds(lambda a, b, new: Change(ChangeKind.RANGE, min(a, b), max(a, b), new), KEYS, KEYS, st.booleans()),
            st.builds(lambda k: Change(ChangeKind.PREFIX, HandleKey(k.partition(b"/")[0] + b"/")), KEYS),
            st.just(EVERYTHING),
        )
    )
    def forget(self, change: Change) -> None:
        self.cache.forget(change)
        for kept in self.model.values():
            kept.changes.append(change)

    @precondition(lambda self: self.cache.sweeping)
    @rule()
    def sweep(self) -> None:
        self.cache.sweep()

    @invariant()
    def memory_is_bounded(self) -> None:
        assert 0 <= self.cache.octets <= 6_000
        assert self.cache.missing <= 4


CacheModel.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestCacheModel = CacheModel.TestCase


@pytest.fixture
def tiny_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits at which a handful of entries meets every branch of the sweep."""
    monkeypatch.setattr(cache_module, "SWEEP_SLICE", 2)
    monkeypatch.setattr(cache_module, "RANGES", 2)
    monkeypatch.setattr(ranges_module, "MAX_RANGES", 4)
    monkeypatch.setattr(cache_module, "DEAD", 1)


@pytest.mark.usefixtures("tiny_sweeps")
class TestCacheModelWithTinySweeps(CacheModel.TestCase):
    settings = settings(max_examples=300, stateful_step_count=50, deadline=None)


def test_handles_that_were_only_registered_make_what_is_missing_doubtful_and_nothing_else():
    cache = small()
    kept = answer()
    cache.put(key("88.1/B"), kept)
    cache.put(key("88.1/C"), MISSING)
    cache.forget(Change(ChangeKind.RANGE, key("88.1/A"), key("88.1/Z"), created=True))
    assert cache.get(key("88.1/B")) is kept
    assert cache.get(key("88.1/C")) is None


def test_an_answer_is_got_until_its_handle_changes():
    cache = small()
    kept = answer()
    cache.put(key("88.1/A"), kept)
    cache.forget(handle("88.1/B"))
    assert cache.get(key("88.1/A")) is kept
    cache.forget(handle("88.1/A"))
    assert cache.get(key("88.1/A")) is None
    assert cache.octets == 0


def test_a_range_forgets_what_lies_in_it_its_ends_included_and_nothing_else():
    cache = small()
    for name in ("88.1/A", "88.1/B", "88.1/C", "88.1/D", "88.10/B"):
        cache.put(key(name), answer())
    cache.forget(between("88.1/B", "88.1/C"))
    assert [name for name in "ABCD" if cache.get(key(f"88.1/{name}"))] == ["A", "D"]
    assert cache.get(key("88.10/B")) is not None


def test_a_prefix_change_forgets_its_handles_and_not_those_of_a_longer_prefix():
    cache = small()
    cache.put(key("88.1/A"), answer())
    cache.put(key("88.1/\U0010ffff"), answer())
    cache.put(key("88.10/A"), answer())
    cache.put(key("88.1.2/A"), answer())
    cache.forget(Change(ChangeKind.PREFIX, key("88.1/")))
    assert cache.get(key("88.1/A")) is None
    assert cache.get(key("88.1/\U0010ffff")) is None
    assert cache.get(key("88.10/A")) is not None
    assert cache.get(key("88.1.2/A")) is not None


def test_an_answer_put_after_a_range_change_is_kept():
    cache = small()
    cache.put(key("88.1/A"), answer())
    cache.forget(between("88.1/A", "88.1/Z"))
    fresh = answer()
    cache.put(key("88.1/A"), fresh)
    assert cache.get(key("88.1/A")) is fresh


def test_a_missing_name_does_not_outlive_the_range_that_may_have_registered_it():
    cache = small()
    cache.put(key("88.1/A"), MISSING)
    assert cache.get(key("88.1/A")) is MISSING
    cache.forget(between("88.1/A", "88.1/A"))
    assert cache.get(key("88.1/A")) is None


def test_a_missing_name_does_not_outlive_its_own_registration():
    cache = small()
    cache.put(key("88.1/A"), MISSING)
    cache.put(key("88.1/B"), MISSING)
    cache.forget(handle("88.1/A"))
    assert cache.get(key("88.1/A")) is None
    assert cache.get(key("88.1/B")) is MISSING


def test_found_takes_the_place_of_missing_and_missing_that_of_found():
    cache = small()
    cache.put(key("88.1/A"), MISSING)
    found = answer()
    cache.put(key("88.1/A"), found)
    assert cache.get(key("88.1/A")) is found
    assert cache.missing == 0
    cache.put(key("88.1/A"), MISSING)
    assert cache.get(key("88.1/A")) is MISSING
    assert cache.octets == 0


def test_answers_end_with_their_time_to_live_and_not_while_the_clock_stands_still():
    cache = small()
    cache.advance(1000.0)
    cache.put(key("88.1/A"), answer())
    cache.put(key("88.1/N"), MISSING)
    cache.advance(1000.0 + TTL / 2)
    assert cache.get(key("88.1/A")) is not None
    assert cache.get(key("88.1/N")) is None
    cache.advance(1000.1 + TTL)
    assert cache.get(key("88.1/A")) is None


def test_answers_that_were_put_together_do_not_end_together():
    cache = small(1000 * (LEAST + 110))
    names = [key(f"88.1/{number:03}") for number in range(1000)]
    for name in names:
        cache.put(name, answer())
    left = []
    for tenth in range(21):
        cache.advance(TTL * tenth / 20 + 0.001)
        left.append(sum(cache.get(name) is not None for name in names))
    assert left[:10] == [1000] * 10
    ended = [before - after for before, after in pairwise(left[9:])]
    assert sum(ended) == 1000
    assert max(ended) <= 150


def test_an_answer_that_was_used_outlives_one_that_was_not():
    cache = small(10 * (LEAST + 106))
    for number in range(10):
        cache.put(key(f"88.1/{number}"), answer())
    assert len(cache) == 10
    for number in range(5):
        cache.get(key(f"88.1/{number}"))
    for number in range(10, 15):
        cache.put(key(f"88.1/{number}"), answer(99))
    assert all(cache.get(key(f"88.1/{number}")) for number in range(5))
    assert not any(cache.get(key(f"88.1/{number}")) for number in range(5, 10))
    assert cache.evictions == 5


def test_memory_is_bounded_also_when_every_answer_is_used():
    cache = small(15_000)
    for number in range(1000):
        name = key(f"88.1/{number:04}")
        cache.put(name, answer())
        cache.get(name)
        assert cache.octets <= 15_000
    assert len(cache) == 15_000 // (LEAST + 109)


def test_an_answer_larger_than_the_cache_is_not_kept_and_costs_nobody_a_place():
    cache = small(1_000)
    cache.put(key("88.1/A"), answer())
    cache.put(key("88.1/B"), answer(2_000))
    assert cache.get(key("88.1/A")) is not None
    assert cache.get(key("88.1/B")) is None


def test_missing_names_are_bounded_in_number():
    cache = small(missing=10)
    for number in range(100):
        cache.put(key(f"88.1/{number}"), MISSING)
    assert cache.missing == 10


def test_missing_names_that_have_expired_give_way_to_new_ones_before_there_are_too_many():
    cache = small(missing=100)
    for number in range(90):
        cache.put(key(f"88.1/{number}"), MISSING)
    cache.advance(31.0)
    for number in range(90, 180):
        cache.put(key(f"88.1/{number}"), MISSING)
    assert cache.missing == 90
    assert all(cache.get(key(f"88.1/{number}")) is MISSING for number in range(90, 180))


def test_without_a_time_to_live_nothing_is_kept_as_missing():
    cache = Cache(10_000, 100, TTL, 0.0)
    for number in range(3):
        cache.put(key(f"88.1/{number}"), MISSING)
        assert cache.get(key(f"88.1/{number}")) is None
    assert cache.missing == 0


def test_chunks_of_a_load_that_cover_each_other_are_remembered_as_one_range():
    cache = small()
    cache.put(key("88.2/A"), answer())
    for _ in range(cache_module.RANGES * 2):
        cache.forget(between("88.1/A", "88.1/Z"))
    assert not cache.sweeping


@pytest.mark.usefixtures("tiny_sweeps")
def test_a_sweep_forgets_what_changed_and_then_the_ranges():
    cache = small()
    for number in range(9):
        cache.put(key(f"88.1/{number}"), answer())
    cache.forget(between("88.1/0", "88.1/2"))
    cache.forget(between("88.1/5", "88.1/6"))
    assert cache.sweeping
    slices = 0
    while cache.sweeping:
        cache.sweep()
        slices += 1
    assert slices >= 5
    assert len(cache) == 4
    assert cache.octets == 4 * (LEAST + 100 + 6)


@pytest.mark.usefixtures("tiny_sweeps")
def test_a_range_that_comes_during_a_sweep_is_not_lost_with_the_others():
    cache = small()
    for number in range(9):
        cache.put(key(f"88.1/{number}"), answer())
    cache.forget(between("88.1/0", "88.1/0"))
    cache.forget(between("88.1/8", "88.1/8"))
    cache.sweep()
    cache.forget(between("88.1/1", "88.1/1"))  # it was swept already, against the first two only
    sweep_up(cache)
    assert cache.get(key("88.1/1")) is None
    assert cache.get(key("88.1/2")) is not None


def test_forgetting_everything_gives_the_memory_back():
    cache = small()
    for number in range(20):
        cache.put(key(f"88.1/{number}"), answer())
    cache.forget(EVERYTHING)
    assert cache.get(key("88.1/3")) is None
    sweep_up(cache)
    assert len(cache) == 0
    assert cache.octets == 0


@pytest.mark.usefixtures("tiny_sweeps")
def test_more_ranges_than_a_sweep_can_follow_forget_everything():
    cache = small()
    cache.put(key("88.9/A"), answer())
    for number in range(10):
        cache.forget(between(f"88.1/{number}", f"88.1/{number}"))
    assert cache.get(key("88.9/A")) is None


@pytest.mark.usefixtures("tiny_sweeps")
def test_places_of_forgotten_answers_in_the_ring_are_swept_too():
    cache = small()
    for number in range(50):
        cache.put(key("88.1/A"), answer())
        cache.forget(handle("88.1/A"))
        assert len(cache) == 0, number
    assert cache.sweeping
    sweep_up(cache)
    assert not cache.sweeping


def test_names_asked_for_once_leave_those_asked_for_often():
    cache = small(100 * (LEAST + 110))
    often = [key(f"88.1/H{number:03}") for number in range(50)]
    missed = 0
    for number in range(100_000):
        cache.put(key(f"88.1/{number:06}"), answer())
        if number % 200 == 0:  # The cache was filled twice meanwhile.
            for name in often:
                if cache.get(name) is None:
                    missed += 1
                    cache.put(name, answer())
            assert all(map(cache.get, often))
    assert missed < 2 * len(often)


def test_new_names_take_the_place_of_those_that_are_no_longer_asked_for():
    cache = small(100 * (LEAST + 110))
    former = [key(f"88.1/F{number:03}") for number in range(100)]
    later = [key(f"88.1/L{number:03}") for number in range(100)]
    for names in (former, later):
        for name in names * 2:
            cache.put(name, answer())
            for _ in range(10):
                cache.get(name)
    assert sum(name in cache for name in later) > 90


def test_what_has_expired_leaves_without_being_asked_for():
    cache = small()
    cache.advance(1000.0)
    for number in range(9):
        cache.put(key(f"88.1/{number}"), answer())
    sweep_up(cache)
    assert len(cache) == 9
    cache.advance(1000.0 + 1.25 * TTL)
    sweep_up(cache)
    assert len(cache) == 0
    assert cache.octets == 0


def test_the_octets_of_a_native_answer_count_from_when_they_are_made():
    cache = small()
    value = HandleValue(1, "URL", b"https://example.com")
    made = found(PackedRecord(Handle("88.1", "A"), pack([value], 0), 0, 1), 0)
    cache.put(key("88.1/A"), made)
    before = cache.octets
    wire = cache.wire_of(made)
    assert wire == values_to_wire((value,))
    assert cache.octets == before + STRING + len(wire)
    assert cache.wire_of(made) is wire
    cache.forget(handle("88.1/A"))
    assert cache.octets == 0
    cache.wire_of(made)
    assert cache.octets == 0


def test_native_answers_make_room_for_themselves():
    cache = small(5_000)
    value = HandleValue(1, "D", b"x" * 300)
    names = [key(f"88.1/{number}") for number in range(6)]
    for number, name in enumerate(names):
        cache.put(name, found(PackedRecord(Handle("88.1", str(number)), pack([value], 0), 0, 1), 0))
    assert len(cache) == 6
    for name in names:
        kept = cache.get(name)
        if kept is not None:
            cache.wire_of(kept)
        assert cache.octets <= 5_000
    assert 0 < len(cache) < 6
