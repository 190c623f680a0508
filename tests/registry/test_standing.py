"""Which state follows which, who may say so, and what is told of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import HandleError, InsufficientPermission, ProtocolFault
from registry.handle import Handle
from registry.standing import (
    CHOSEN,
    CLOSED,
    FIXED,
    MAX_REASON,
    NEXT,
    Standing,
    State,
    Wish,
    checked,
    closed,
    fixed,
    shown,
    stand,
    standing_from_json,
    standing_to_json,
)

NOW = 1_750_000_000
CAKE = Handle("88.168.1", "Cake-1")
TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=40)
STANDINGS = st.builds(
    Standing,
    st.sampled_from(CHOSEN),
    st.integers(1, 1 << 32),
    TEXT,
    st.booleans(),
    TEXT,
    TEXT,
    st.none() | st.integers(1, 1 << 32),
)


@given(STANDINGS)
def test_a_standing_is_read_back_as_it_was_written(standing):
    assert standing_from_json(standing.state, standing_to_json(standing)) == standing


def test_a_handle_of_which_nobody_said_anything_is_active():
    assert standing_from_json(State.ACTIVE, None) is None
    assert standing_from_json(State.REVOKED, None).is_closed


@pytest.mark.parametrize("state", CHOSEN)
def test_a_handle_only_goes_where_its_state_leads(state):
    before = Standing(state, NOW - 9, "300:0.NA/88.168.1")
    for wanted in CHOSEN:
        wish = Wish(wanted, "why")
        if wanted is state or wanted in NEXT[state]:
            assert stand(CAKE, before, wish, "me", NOW, of_node=False).state is wanted
        else:
            with pytest.raises(ProtocolFault) as refused:
                stand(CAKE, before, wish, "me", NOW, of_node=False)
            assert refused.value.rule == "state.next"


def test_nothing_becomes_a_reservation_once_it_was_in_use():
    assert all(State.RESERVED not in following for following in NEXT.values())


def test_what_the_operator_said_nobody_else_takes_back():
    before = Standing(State.FROZEN, NOW, "filament state", of_node=True, reason="dispute")
    with pytest.raises(InsufficientPermission) as refused:
        stand(CAKE, before, Wish(State.ACTIVE), "300:0.NA/88.168.1", NOW, of_node=False)
    assert refused.value.rule == "state.node"
    assert stand(CAKE, before, Wish(State.ACTIVE), "filament state", NOW, of_node=True).state is State.ACTIVE


@pytest.mark.parametrize(
    "wish",
    [
        Wish(State.REVOKED),
        Wish(State.REVOKED, "x" * (MAX_REASON + 1)),
        Wish(State.REVOKED, "two\nlines"),
        Wish(State.REVOKED, "why", "no-prefix"),
        Wish(State.REVOKED, "why", "88.168.1/"),
        Wish(State.REVOKED, "why", "", NOW + 9),
        Wish(State.ACTIVE, "", "", NOW),
    ],
)
def test_a_wish_that_cannot_be_shown_or_met_is_refused(wish):
    with pytest.raises(HandleError):
        checked(wish, NOW)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("state", CHOSEN)
def test_what_is_told_names_the_reason_and_the_successor(state, language):
    standing = Standing(state, NOW, "me", reason="召回 A", successor="88.168.1/B")
    refusal = fixed(CAKE, standing)
    assert (refusal is not None) == (state in FIXED)
    told = [refusal] if refusal else []
    if state in CLOSED:
        told.append(closed(str(CAKE), standing))
    for error in told:
        assert "召回 A" in error.text(language)
        assert "88.168.1/B" in error.text(language)


def test_the_public_is_not_told_who_it_was():
    standing = Standing(State.REVOKED, NOW, "300:0.NA/88.168.1", reason="recall")
    assert shown(standing) == {"state": "revoked", "since": "2025-06-15T15:06:40Z", "reason": "recall"}
