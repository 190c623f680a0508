"""What is done for all names of a batch at once is what would be done for each of them."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.handle import MAX_HANDLE, KeyOf, fold_prefix, fold_whole
from resolver.answer import FOUND_HEAD
from resolver.listeners.http.batch_forms import LINES, LIST, Framing
from resolver.listeners.http.batch_names import heads_of, joined, keys_of

NAMES = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        st.sampled_from(["88.118.1/P.1", "88.118.1/p.1", "88.118.1", "88.1/发动机", '88.1/"q"', "a\nb", "a/\0", "/"]),
    ),
    min_size=1,
)


@given(NAMES, st.sampled_from([LIST, LINES]), st.sampled_from([fold_whole, fold_prefix]))
def test_names_together_have_the_heads_and_keys_of_each(names: list[str], framing: Framing, key_of: KeyOf):
    plain = joined(names)
    assert heads_of(names, plain, framing.between) == [
        framing.between + FOUND_HEAD + orjson.dumps(name) for name in names
    ]
    octets = [name.encode() for name in names]
    every = [key_of(one) for one in octets]
    assert keys_of(names, plain, key_of) == (every if all(b"/" in one for one in octets) else None)


@pytest.mark.parametrize("name", ["", "88.1/" + "x" * MAX_HANDLE, "/" * (MAX_HANDLE + 1)])
def test_a_name_that_no_handle_can_have_is_told(name: str):
    names = ["88.1/A", name, "88.1/B"]
    assert keys_of(names, joined(names), fold_whole) is None
