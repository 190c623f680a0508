"""Each system but OID and GS1: writings that are one handle, refusals with their rules, and any text at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import HandleError
from registry.handle import Handle
from registry.schemes import did, ecode, ma, uid, vaa
from registry.schemes.check_digit import check_digit, has_check_digit
from registry.schemes.recognition import recognise

HASH = "3f8a1d4d3b5b9f45eaf658b97c0183f23c9fa5a2be1b426d77b7f4e4f3e75a04"


@pytest.mark.parametrize(
    "writing",
    [
        "VAA08810012345678/abc123",
        "25SVAA08810012345678/abc123",
        "did:vaa:IDcontract1:88.100.12345678/abc123",
        "hdl:88.100.12345678/abc123",
        "88.100.12345678/abc123",
    ],
)
def test_the_five_writings_of_vaa_are_one_handle(writing):
    assert recognise(writing).handle == Handle("88.100.12345678", "abc123")


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        ("ecode:000016901234567892", "ecode/000016901234567892"),
        ("ECODE:10064ABC123", "ecode/10064ABC123"),
        ("300121998877", "ecode/300121998877"),
        ("201280001", "ecode/201280001"),
        ("MA.156.1003.1629", "ma/156.1003.1629"),
        ("ma.156.1003.1629/10.46100000.riseplatform", "ma/156.1003.1629/10.46100000.riseplatform"),
        ("MA.156.1003.1629/73.zhang", "ma/156.1003.1629/73.zhang"),
        ("MA.156.m0.100761.21234561.Sx008.M220117.L2022.C3", "ma/156.M0.100761.21234561.Sx008.M220117.L2022.C3"),
        ("did:bid:efnVUgqQFfYeu97ABf6sGm3WFtVXHZB2", "did/bid/efnVUgqQFfYeu97ABf6sGm3WFtVXHZB2"),
        ("did:bid:by01:zfnVUgqQFfYeu97ABf6sGm3WFtVXHZB2", "did/bid/by01:zfnVUgqQFfYeu97ABf6sGm3WFtVXHZB2"),
        (f"did:cn:Example:{HASH.upper()}", f"did/cn/example:{HASH}"),
        ("did:cn:88.168.10", "0.NA/88.168.10"),
        ("did:vaa:gxAcE6upFw6DNbG3rfngM3VxCNB", "did/vaa/gxAcE6upFw6DNbG3rfngM3VxCNB"),
        ("did:web:Node.example%3A8443:enterprises:e7", "did/web/node.example%3a8443:enterprises:e7"),
    ],
)  # fmt: skip
def test_a_code_is_kept_under_its_canonical_text(text, handle):
    assert str(recognise(text).handle) == handle


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("VAA088100123/abc", "vaa.syntax"),
        ("VAA15610012345678/abc", "vaa.syntax"),
        ("VAA08810012345678", "vaa.syntax"),
        ("did:vaa:IDcontract1:12.3/x", "vaa.syntax"),
        ("ecode:4123456", "ecode.unsure"),
        ("ecode:00002123", "ecode.unsure"),
        ("ecode:7", "ecode.version"),
        ("ecode:", "ecode.version"),
        ("ecode:1006", "ecode.syntax"),
        ("ecode:10064", "ecode.syntax"),
        ("ecode:10064-1", "ecode.syntax"),
        ("ecode:000016901234567893", "ecode.gtin"),
        ("MA.156.x.y", "ma.organization"),
        ("MA.156.1003.1629/10.461.x", "ma.object"),
        ("MA.156.1003.1629/", "ma.object"),
        ("MA.156.M0.100761.21234561.X1", "ma.device"),
        ("MA.156.M0.100761.21234561.S1.S2", "ma.device_parts"),
        ("MA.156.M0.100761.21234561.C3.S1", "ma.device_parts"),
        ("DID:bid:ef", "did.syntax"),
        ("did:bid:ef/x", "did.syntax"),
        ("did:example:123", "did.method"),
        ("did:bid:short", "did.identifier"),
        ("did:bid:xfnVUgqQFfYeu97ABf6sGm3WFtVXHZB2", "did.identifier"),
        ("did:cn:88.1.10", "did.identifier"),
        ("did:web:", "did.syntax"),
        ("uid:12345", "uid.unsure"),
    ],
)
def test_what_is_malformed_or_unsure_is_refused_with_its_rule(text, rule):
    with pytest.raises(HandleError) as refusal:
        recognise(text)
    assert refusal.value.rule == rule
    assert refusal.value.text("zh") != refusal.value.text("en")


@pytest.mark.parametrize("scheme", [did, ecode, ma, vaa, uid], ids=lambda scheme: scheme.SYSTEM)
@given(
    text=st.text() | st.from_regex(r"(did:(bid|cn|web|vaa):|MA\.156\.|ecode:|VAA088|uid:)[!-~]{0,40}", fullmatch=True)
)
def test_any_text_is_a_code_of_the_system_or_a_refusal(scheme, text):
    scheme.shape(text)
    try:
        handle = scheme.from_text(text)
    except HandleError:
        return
    assert handle.prefix
    assert handle.suffix


@given(st.text(alphabet="0123456789", min_size=1, max_size=17))
def test_one_wrong_digit_is_found(digits):
    number = digits + check_digit(digits)
    assert has_check_digit(number)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert not has_check_digit(wrong)
