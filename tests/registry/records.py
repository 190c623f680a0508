"""Records that hypothesis makes for the tests of every form that a record has."""

from hypothesis import strategies as st

from registry.value import HandleValue, Reference

UINT32 = st.integers(0, (1 << 32) - 1)
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)
REFERENCES = st.lists(st.builds(Reference, TEXT, UINT32), max_size=3).map(tuple)

VALUES = st.builds(
    HandleValue,
    index=st.integers(1, (1 << 31) - 1),
    type=TEXT | st.sampled_from(["URL", "HS_ADMIN", "DESC"]),
    data=st.binary(max_size=80),
    ttl=UINT32 | st.just(86_400),
    ttl_absolute=st.booleans(),
    timestamp=UINT32,
    permissions=st.integers(0, 15),
    references=REFERENCES,
)
VALUE_TUPLES = st.lists(VALUES, max_size=8, unique_by=lambda value: value.index).map(
    lambda values: tuple(sorted(values, key=lambda value: value.index))
)
