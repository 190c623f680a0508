import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidHandle
from registry.handle import Handle
from registry.schemes.issuer_parts import checked_start, covers, part_of
from registry.schemes.recognition import recognise


@pytest.mark.parametrize(
    ("code", "system", "start", "covered"),
    [
        ("(01)06901234567892", "gs1", "6901234", True),
        ("(01)16901234567899", "gs1", "6901234", True),  # Another indicator digit.
        ("(00)369012345678901239", "gs1", "6901234", True),
        ("(414)6901234567892", "gs1", "6901234", True),
        ("(8004)6901234ABC", "gs1", "6901234", True),
        ("(01)06901234567892", "gs1", "6901235", False),
        ("(00)369012345678901239", "gs1", "3690123", False),
        ("1.2.156.10001.5", "oid", "1.2.156.10001", True),
        ("1.2.156.10001", "oid", "1.2.156.10001", True),
        ("1.2.156.100010", "oid", "1.2.156.10001", False),
        ("ecode:10064123", "ecode", "10064", True),
        ("ecode:10065123", "ecode", "10064", False),
        ("MA.156.1003.1629/10.46100000.x", "ma", "MA.156.1003.1629", True),
        ("MA.156.1003.16290/10.46100000.x", "ma", "156.1003.1629", False),
        ("did:web:mill.example:cakes", "did", "web/mill.example", True),
        ("did:web:mill.example.org", "did", "web/mill.example", True),
        ("did:web:mill.examples", "did", "web/mill.example", False),
    ],
)
def test_a_start_covers_the_codes_of_its_issuer_and_no_others(code: str, system: str, start: str, covered: bool):
    found = part_of(recognise(code).handle)
    assert found is not None
    assert found[0] == system
    assert covers(system, checked_start(system, start), found[1]) is covered


@pytest.mark.parametrize(
    ("system", "start"),
    [("gs1", "69"), ("gs1", "69a1234"), ("oid", "1"), ("oid", "1.2.x"), ("ma", "156"), ("ecode", "5"), ("did", "key/x"),
     ("handle", "88.1"), ("uid", "1"), ("vaa", "VAA088")],
)  # fmt: skip
def test_what_is_no_start_is_refused(system: str, start: str):
    with pytest.raises(InvalidHandle) as refusal:
        checked_start(system, start)
    assert refusal.value.text("zh")


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_plain_handle_has_no_part_and_any_other_has_one(prefix: str, suffix: str):
    found = part_of(Handle(prefix, suffix))
    assert (found is None) == (prefix.lower() not in {"oid", "gs1", "ecode", "ma", "did", "vaa", "uid"})
