"""What the fuzzer found worth keeping, and the captured messages, on every surface; without the fuzzer."""

import tracemalloc

import pytest

from tests.fuzz.corpus import kept, seeds
from tests.fuzz.surfaces import BODIES, NAMES, SURFACES, try_all

# Octets: more than any surface needs for inputs of a page, and far less than the lengths that they announce.
ENOUGH = 2 << 20
LYING = ["7fffffff", "80000000", "ffffffff", "00040001"]


@pytest.mark.parametrize("surface", NAMES)
def test_octets_that_the_fuzzer_kept_break_nothing(surface):
    inputs = kept(surface)
    assert inputs, f"nothing is kept for {surface}"
    for octets in inputs:
        SURFACES[surface](octets)


@pytest.mark.parametrize("surface", NAMES)
def test_no_octets_that_were_kept_make_us_take_memory_by_the_lengths_in_them(surface):
    for octets in kept(surface)[:1]:
        SURFACES[surface](octets)  # keys and tables that are made once
    tracemalloc.start()
    try:
        for octets in kept(surface):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            SURFACES[surface](octets)
            assert tracemalloc.get_traced_memory()[1] - before < ENOUGH, octets.hex()
    finally:
        tracemalloc.stop()


def test_captured_messages_break_no_surface():
    for octets in seeds():
        try_all(octets)


@pytest.mark.parametrize("form", range(len(BODIES)), ids=lambda form: BODIES[form].__name__)
@pytest.mark.parametrize("length", LYING)
def test_a_length_that_lies_makes_nobody_take_memory(form, length):
    lying = bytes.fromhex(length)
    bodies = [lying * times for times in range(1, 5)] + [b"\0\0\0\1a" + lying, bytes(8) + lying * 2]
    tracemalloc.start()
    try:
        for octets in bodies:
            SURFACES["body"](bytes([form]) + octets)
        assert tracemalloc.get_traced_memory()[1] < ENOUGH
    finally:
        tracemalloc.stop()
