"""Signatures and certificates that are refused when they are written, and those that nobody here can judge."""

import pytest
from msgspec.structs import replace

from registry.claims import Claims
from registry.data_forms import key_to_json
from registry.errors import InvalidValue
from registry.record import HandleRecord
from registry.registration import Registration
from registry.rights import Rights
from registry.trust import MAX_CHAIN, MAX_PERMISSIONS, MAX_SIGNATURES, Trust
from registry.value import HandleValue
from tests.registry.books import DESC, NODE, URL, name, open_book, register
from tests.registry.test_claims import HANDLE, ISSUER, NOW, ROOT, certificate, public, signature

ISSUED = "88.118.1/issuer"
ELSEWHERE = "300:99.9/elsewhere"
CAKE = name(HANDLE)


@pytest.fixture
async def book(database_dsn):
    async with open_book(database_dsn) as store:
        await register(store, "0.NA/0.NA", HandleValue(300, "HS_PUBKEY", public(ROOT).to_wire()))
        yield store


@pytest.fixture
def registration(book):
    return Registration(book, [str(NODE)], lambda: NOW)


async def issue(book, link: HandleValue) -> None:
    await register(book, ISSUED, HandleValue(300, "HS_PUBKEY", public(ISSUER).to_wire()), link)


def tampered(value: HandleValue) -> HandleValue:
    """The same claims with the signature of others."""
    covered, other = value.data.rpartition(b".")[0], signature(values=()).data.rpartition(b".")[2]
    return replace(value, data=covered + b"." + other)


def under(prefix: str) -> list[dict]:
    return [{"perm": "handlesUnderThisPrefix", "handle": f"0.NA/{prefix}"}]


async def test_a_right_signature_is_written_and_vouches(book, registration):
    await issue(book, certificate())
    written = await registration.put_record(CAKE, (URL, DESC, signature()), NODE)
    assert await Trust(book, Rights(book, [str(NODE)]), lambda: NOW).vouches(written.record, (URL, DESC))


WRONG_SIGNATURES = [
    (signature(values=(replace(URL, data=b"http://other"), DESC)), "claims.digest"),
    (signature(values=(URL, DESC, HandleValue(3, "EMAIL", b"a@b"))), "claims.digest"),
    (signature(ROOT), "claims.signature"),
    (tampered(signature()), "claims.signature"),
    (signature(sub="88.118.1/other"), "claims.subject"),
    (signature(exp=NOW), "claims.expired"),
    (signature(chain=[f"400:{ISSUED}"] * (MAX_CHAIN + 1)), "claims.chain"),
]


@pytest.mark.parametrize(("wrong", "rule"), WRONG_SIGNATURES)
async def test_a_wrong_signature_is_refused_in_a_record_and_among_values(book, registration, wrong, rule):
    await issue(book, certificate())
    with pytest.raises(InvalidValue) as refused:
        await registration.put_record(CAKE, (URL, DESC, wrong), NODE)
    assert (refused.value.rule, refused.value.culprit["index"]) == (rule, 400)
    await registration.put_record(CAKE, (URL, DESC), NODE)
    with pytest.raises(InvalidValue) as refused:
        await registration.put_values(CAKE, (wrong,), NODE)
    assert refused.value.rule == rule
    assert refused.value.text("zh") != refused.value.text("en")


@pytest.mark.parametrize(
    "foreign",
    [
        signature(issuer=ELSEWHERE, values=(DESC,)),
        tampered(signature(issuer=ELSEWHERE)),
        signature(issuer=f"301:{ISSUED}"),  # The handle is here, the key is not.
        certificate(iss=ELSEWHERE, exp=1),
    ],
)
async def test_what_a_key_elsewhere_signed_is_taken_and_vouches_for_nothing(book, registration, foreign):
    await issue(book, certificate())
    written = await registration.put_record(CAKE, (URL, foreign), NODE)
    assert not await Trust(book, Rights(book, [str(NODE)]), lambda: NOW).vouches(written.record, (URL,))


async def test_a_value_may_change_under_a_signature_that_is_not_written_again(book, registration):
    await issue(book, certificate())
    await registration.put_record(CAKE, (URL, DESC, signature()), NODE)
    assert not (await registration.put_values(CAKE, (replace(URL, data=b"http://other"),), NODE)).created


@pytest.mark.parametrize(
    ("link", "rule"),
    [
        (certificate(exp=NOW), "claims.expired"),
        (certificate(ISSUER), "claims.signature"),
        (certificate(sub=f"301:{ISSUED}"), "claims.subject"),
        (certificate(publicKey=key_to_json(public(ROOT))), "claims.key"),
        (certificate(perms=under("88.118.2")), "claims.permissions"),
    ],
)
async def test_a_link_that_does_not_hold_refuses_what_hangs_on_it(book, registration, link, rule):
    await issue(book, link)
    given = certificate(ISSUER, sub="300:88.118.1/third", iss=f"300:{ISSUED}", chain=[f"400:{ISSUED}"])
    for hanging in (signature(), given):
        with pytest.raises(InvalidValue) as refused:
            await registration.put_record(CAKE, (URL, DESC, hanging), NODE)
        assert refused.value.rule == rule


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (certificate(exp=NOW), "claims.expired"),
        (certificate(ISSUER), "claims.signature"),
        (tampered(certificate()), "claims.signature"),
        (certificate(chain=[f"400:{ISSUED}"] * (MAX_CHAIN + 1)), "claims.chain"),
        (certificate(perms=under("88.118.1") * (MAX_PERMISSIONS + 1)), "claims.permissions_many"),
    ],
)
async def test_a_wrong_certificate_is_refused(registration, wrong, rule):
    with pytest.raises(InvalidValue) as refused:
        await registration.put_record(name(ISSUED), (wrong,), NODE)
    assert refused.value.rule == rule


async def test_a_certificate_for_a_time_to_come_is_taken(registration):
    assert (await registration.put_record(name(ISSUED), (certificate(nbf=NOW + 10),), NODE)).created


async def test_a_chain_that_leaves_the_book_is_taken(book, registration):
    await issue(book, certificate(iss=ELSEWHERE, perms=[]))
    assert (await registration.put_record(CAKE, (URL, DESC, signature()), NODE)).created


async def test_a_key_written_together_with_what_it_signed_is_the_one_that_counts(book, registration):
    await issue(book, certificate())
    key, own = HandleValue(300, "HS_PUBKEY", public(ROOT).to_wire()), certificate(ROOT, iss=f"300:{ISSUED}")
    await registration.put_record(name(ISSUED), (key, own), NODE)
    with pytest.raises(InvalidValue):
        await registration.put_record(name(ISSUED), (key, certificate(ISSUER, iss=f"300:{ISSUED}")), NODE)


async def test_no_more_signatures_are_written_at_once_than_are_looked_at(book):
    trust = Trust(book, Rights(book, []), lambda: NOW)
    given = replace(signature(issuer=ELSEWHERE), index=7)
    claims = [(given, Claims.from_data(given.data))]
    await trust.check(HandleRecord(CAKE, ()), claims * MAX_SIGNATURES)
    with pytest.raises(InvalidValue, match=f"more than {MAX_SIGNATURES}"):
        await trust.check(HandleRecord(CAKE, ()), claims * (MAX_SIGNATURES + 1))


UNDER, DERIVED, THIS, ALL = "handlesUnderThisPrefix", "derivedPrefixes", "thisHandle", "everything"


@pytest.mark.parametrize(
    ("above", "given", "allowed"),
    [
        ((ALL, ""), (ALL, ""), True),
        ((UNDER, "0.NA/88.1"), (ALL, ""), False),
        ((UNDER, "0.NA/88.1"), (UNDER, "0.na/88.1"), True),
        ((UNDER, "0.NA/88.1"), (UNDER, "0.NA/88.1.2"), False),
        ((UNDER, "0.NA/88.1"), (THIS, "88.1/a"), True),
        ((UNDER, "0.NA/88.1"), (THIS, "0.NA/88.1"), False),
        ((THIS, "88.1/a"), (THIS, "88.1/A"), True),
        ((THIS, "88.1/a"), (UNDER, "0.NA/88.1"), False),
        ((THIS, "0.NA/88.1"), (THIS, "0.NA/88.1"), True),
        ((THIS, "0.NA/88.1"), (UNDER, "0.NA/88.1"), True),
        ((THIS, "0.NA/88.1"), (DERIVED, "0.NA/88.1"), False),
        ((DERIVED, "0.NA/88.1"), (DERIVED, "0.NA/88.1"), True),
        ((DERIVED, "0.NA/88.1"), (DERIVED, "0.NA/88.1.2"), True),
        ((DERIVED, "0.NA/88.1"), (UNDER, "0.NA/88.1.2"), True),
        ((DERIVED, "0.NA/88.1"), (THIS, "0.NA/88.1.2"), True),
        ((DERIVED, "0.NA/88.1"), (UNDER, "0.NA/88.1"), False),
        ((DERIVED, "0.NA/88.1"), (DERIVED, "0.NA/88"), False),
        ((DERIVED, "0.NA/88.1"), (DERIVED, "0.NA/88.12"), False),
        ((UNDER, "0.NA/0.NA"), (DERIVED, "0.NA/88.1"), False),
        ((THIS, "88.1/a"), ("nothing", "9/x"), True),
        ((THIS, "88.1/a"), (UNDER, "88.1/b"), True),
    ],
)
def test_a_certificate_gives_on_what_it_has_and_no_more(above, given, allowed):
    holder, asked = (
        Claims.from_data(certificate(perms=[{"perm": perm, "handle": handle}]).data) for perm, handle in (above, given)
    )
    assert holder.permit_all(asked.permissions) is allowed
