"""What the programs about the cache measure is what they say."""

import gc
import tracemalloc

import pytest

from bench.admission import POLICIES, LeastRecentlyUsed, Ours, lasting, share
from bench.memory import BODY, ENOUGH, KINDS, TTL, fill
from registry.handle import HandleKey
from resolver.cache import Cache


@pytest.mark.parametrize("kind", KINDS)
def test_the_cache_takes_an_answer_for_the_memory_that_it_is(kind):
    fill(Cache(ENOUGH, 10, TTL, TTL), KINDS[kind], 100)  # what is made once
    gc.collect()
    tracemalloc.start()
    try:
        cache = Cache(ENOUGH, 10, TTL, TTL)
        fill(cache, KINDS[kind], 5_000)
        gc.collect()
        octets, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.9 < cache.octets / octets < 1.1


def test_the_answers_that_caches_are_compared_by_have_the_size_that_is_said():
    assert fill(Cache(ENOUGH, 10, TTL, TTL), KINDS["equal"], 10) == BODY
    assert all(len(name) == 27 for name, _ in KINDS["equal"](3))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_holds_no_more_than_its_places(policy):
    made = POLICIES[policy](10)
    names = [HandleKey(b"%016d" % number) for number in range(100)]
    for name in names:
        made.holds(name)
    assert sum(made.holds(name) for name in reversed(names)) <= 10


def test_the_cache_answers_more_from_memory_than_one_that_keeps_what_came_last():
    requests = list(lasting(0.99, 0.3, 10_000, 20_000))
    ours, other = (share(policy(300), requests, len(requests)) for policy in (Ours, LeastRecentlyUsed))
    assert ours > other * 1.1
