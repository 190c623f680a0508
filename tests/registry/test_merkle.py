"""Trees held to the definition of RFC 9162, section 2.1, which is written out here once more, from above."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.merkle import TILE, Growth, leaf_hash, node_of, path, root_of_path, tiles_of_path, unfinished

LEAVES = [leaf_hash(str(number).encode()) for number in range(3 * TILE + 77)]


def defined_root(leaves):
    """MTH of the standard, without a thought for speed."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + defined_root(leaves[:half]) + defined_root(leaves[half:])).digest()


def grown(size, *cuts):
    """A tree that was made in several goes, each from the right edge alone; and all of its tiles."""
    kept, begin = {}, 0
    for end in (*sorted(cut for cut in cuts if cut <= size), size):
        growth = Growth(begin, {place: kept[place] for place in unfinished(begin)})
        growth.append(LEAVES[begin:end])
        kept |= {place: bytes(tile) for place, tile in growth.tiles.items()}
        begin = end
    return growth, kept


SIZES = st.integers(0, len(LEAVES))


@given(SIZES, st.lists(SIZES, max_size=4))
def test_a_tree_has_the_root_of_the_standard_however_it_grew(size, cuts):
    assert grown(size, *cuts)[0].root() == defined_root(LEAVES[:size])


@given(st.data())
def test_every_leaf_is_proved_and_no_other_in_its_place(data):
    size = data.draw(st.integers(1, len(LEAVES)))
    number = data.draw(st.integers(0, size - 1))
    growth, tiles = grown(size)
    needed = {place: tiles[place] for place in tiles_of_path(number, size)}
    hashes = path(number, size, lambda level, place: node_of(needed, level, place))
    assert len(needed) <= 3
    root = growth.root()
    assert root_of_path(LEAVES[number], number, size, hashes) == root
    others = [(leaf_hash(b"x"), number, hashes), (LEAVES[number], (number + 1) % (size + 1), hashes)]
    if hashes:
        place = data.draw(st.integers(0, len(hashes) - 1))
        altered = [*hashes]
        altered[place] = leaf_hash(altered[place])
        others += [(LEAVES[number], number, altered), (LEAVES[number], number, hashes[:-1])]
    others.append((LEAVES[number], number, [*hashes, LEAVES[0]]))
    for leaf, claimed, given_hashes in others:
        try:
            assert root_of_path(leaf, claimed, size, given_hashes) != root
        except ValueError:
            continue


@pytest.mark.parametrize(("number", "size"), [(0, 0), (1, 1), (-1, 3), (5, 5)])
def test_a_number_that_a_tree_does_not_have_is_refused(number, size):
    with pytest.raises(ValueError):
        root_of_path(LEAVES[0], number, size, [])


def test_the_roots_of_the_first_certificate_logs_come_out():
    """Leaves and roots that the tests of the first logs print (Certificate Transparency's reference tree)."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    growth = Growth(0, {})
    growth.append(leaf_hash(bytes.fromhex(text)) for text in inputs)
    assert growth.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
