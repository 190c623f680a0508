"""People who log in at an OpenID provider, and ID Tokens that nobody should believe."""

import re
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from registry.errors import AuthenticationFailed, ServerBusy
from registry.grants import ROLES
from registry.openid import ASKED_AGAIN, CLOCKS_DIFFER, DISCOVERY, KEPT, LEFT_ALONE, OpenIdProvider
from registry.passwords import Passwords
from registry.people import People
from registry.setting_rules import OPENID_ROLE
from registry.settings import RegistrySettings
from registry.tokens import Tokens
from tests.registry.interface import open_interface
from tests.registry.openid_lab import CLIENT, SECRET, open_provider
from tests.registry.test_people_api import ask, bearer, log_in, number_of, person

VERIFIER = "v" * 43
REDIRECT = "http://127.0.0.1/"
ROLES_OF_CLAIMS = ("node-operators=operator", "fibre=member@88.168.2", "elsewhere=member@88.168.99")
NOW = 1_800_000_000.0


@pytest.fixture
async def provider():
    async with open_provider() as provider:
        provider.now = time.time()
        provider.claims = {"groups": ["fibre"], "preferred_username": "Wang.Lei"}
        yield provider


@pytest.fixture
async def node(database_dsn, provider):
    given = {"openid_issuer": provider.issuer, "openid_client": CLIENT, "openid_secret": SECRET}
    async with open_interface(database_dsn, **given, openid_roles=ROLES_OF_CLAIMS) as node:
        yield node


async def enter(node, provider, **other):
    """One log-in, from its first step on; `other` takes the place of what an honest client would say."""
    status, begun = await ask(node, "POST", "/api/login/openid", {})
    assert (status, begun["client_id"], begun["code_challenge_method"]) == (201, CLIENT, "S256")
    form = {"nonce": begun["nonce"], "code_verifier": VERIFIER, "redirect_uri": REDIRECT}
    form |= {"code": provider.code(begun["nonce"], VERIFIER)} | other
    return await ask(node, "POST", "/api/login/openid/code", {}, form)


async def test_somebody_logs_in_at_the_provider_and_is_what_it_says_he_is(node, provider):
    status, entered = await enter(node, provider)
    ours = await number_of(node, "88.168.2")
    assert (status, entered["name"], entered["role"], entered["enterprise"]) == (200, "wang.lei", "member", ours)
    _, me = await ask(node, "GET", "/api/me", bearer(entered["token"]))
    assert (me["name"], me["prefixes"]) == ("person:wang.lei", ["88.168.2"])
    provider.claims |= {"groups": ["node-operators", "fibre"], "preferred_username": "renamed"}
    _, again = await enter(node, provider)
    assert (again["name"], again["role"], again["enterprise"]) == ("wang.lei", "operator", None)
    _, me = await ask(node, "GET", "/api/me", bearer(entered["token"]))
    assert me["prefixes"] is None, "the token that he has already is good for what he is now"


async def test_whoever_is_let_in_no_more_stays_out_whatever_the_provider_says(node, provider):
    _, entered = await enter(node, provider)
    operator = await person(node, "ops", "operator")
    assert (await ask(node, "POST", "/api/people/wang.lei", operator, {"active": False}))[0] == 200
    assert (await ask(node, "GET", "/api/me", bearer(entered["token"])))[0] == 401
    status, refused = await enter(node, provider)
    assert (status, refused["rule"]) == (403, "person.log_in")


async def test_a_name_that_somebody_has_is_not_taken_over(node, provider):
    people = People(node.store, Tokens(node.store), Passwords())
    await people.add("wang.lei", "operator", None, by="test", password="a long password")
    status, refused = await enter(node, provider)
    assert (status, refused["rule"]) == (409, "person.exists")
    assert await log_in(node, "wang.lei", "a long password")


@pytest.mark.parametrize("name", [None, "王磊", "a", 7, ["wang"], "x" * 100])
async def test_whoever_has_no_name_that_can_be_one_gets_one(node, provider, name):
    provider.claims["preferred_username"] = name
    status, entered = await enter(node, provider)
    assert status == 200
    assert re.fullmatch(r"openid-[0-9a-f]{24}", entered["name"])


async def test_there_is_no_password_for_whoever_never_had_one(node, provider):
    await enter(node, provider)
    for password in ("", "password", "A" * 43):
        status, refused = await ask(node, "POST", "/api/login", {}, {"name": "wang.lei", "password": password})
        assert (status, refused["rule"]) == (403, "person.log_in")


@pytest.mark.parametrize("groups", [None, [], "other", ["elsewhere"], [1, None], {"fibre": True}, ["fibre "]])
async def test_whoever_is_nothing_here_is_refused_and_not_kept(node, provider, groups):
    provider.claims["groups"] = groups
    status, refused = await enter(node, provider)
    assert (status, refused["rule"]) == (403, "openid.role")
    operator = await person(node, "ops", "operator")
    assert (await ask(node, "POST", "/api/people/wang.lei", operator, {}))[0] == 404


async def test_a_log_in_is_good_once_and_only_for_who_began_it(node, provider):
    _, begun = await ask(node, "POST", "/api/login/openid", {})
    form = {"nonce": begun["nonce"], "code_verifier": VERIFIER, "redirect_uri": REDIRECT}
    code = provider.code(begun["nonce"], VERIFIER)
    assert (await ask(node, "POST", "/api/login/openid/code", {}, form | {"code": code}))[0] == 200
    again = provider.code(begun["nonce"], VERIFIER)
    assert (await ask(node, "POST", "/api/login/openid/code", {}, form | {"code": again}))[0] == 403
    for other in (
        {"code": "none"},
        {"nonce": "never begun"},
        {"code_verifier": "w" * 43},
        {"redirect_uri": "http://127.0.0.1/other"},
        {"code": provider.code("another nonce", VERIFIER)},
    ):
        status, refused = await enter(node, provider, **other)
        assert (status, refused["rule"]) == (403, "openid.token"), other


async def test_a_provider_is_told_the_secret_in_the_way_that_it_takes(node, provider):
    provider.proves = ["client_secret_post", "private_key_jwt"]
    assert (await enter(node, provider))[0] == 200


async def test_without_a_provider_there_is_no_such_log_in(database_dsn):
    async with open_interface(database_dsn) as node:
        assert (await ask(node, "POST", "/api/login/openid", {}))[0] == 404


async def test_while_the_provider_is_away_people_are_told_so_and_passwords_go_on(database_dsn):
    given = {"openid_issuer": "http://127.0.0.1:9", "openid_client": CLIENT, "openid_roles": ROLES_OF_CLAIMS}
    async with open_interface(database_dsn, **given) as node:
        status, refused = await ask(node, "POST", "/api/login/openid", {"Accept-Language": "zh"})
        assert (status, refused["rule"]) == (503, "openid.away")
        assert "暂不可用" in refused["detail"]
        assert await person(node, "ops", "operator")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


@asynccontextmanager
async def judged():
    """A provider, who judges its tokens, and the clock of the latter."""
    async with open_provider() as provider:
        provider.now = NOW
        clock = Clock()
        settings = RegistrySettings(openid_issuer=provider.issuer, openid_client=CLIENT)
        yield provider, OpenIdProvider(settings, clock), clock


BAD_CLAIMS = [
    {"iss": "https://elsewhere.example"},
    {"iss": None},
    {"aud": "another"},
    {"aud": [CLIENT, "another"]},
    {"aud": [CLIENT, "another"], "azp": "another"},
    {"azp": "another"},
    {"aud": None},
    {"sub": None},
    {"nonce": "another"},
    {"nonce": None},
    {"exp": None},
    {"iat": None},
    {"exp": "soon"},
    {"exp": True},
    {"exp": float("nan")},
    {"iat": float("-inf")},
    {"iat": [1]},
    {"exp": NOW - CLOCKS_DIFFER},
    {"iat": NOW + CLOCKS_DIFFER + 1},
    {"nbf": NOW + CLOCKS_DIFFER + 1},
]


@pytest.mark.parametrize("claims", BAD_CLAIMS, ids=str)
async def test_a_token_that_was_not_made_for_us_and_now_is_refused(claims):
    async with judged() as (provider, judge, _):
        assert (await judge.verified(provider.id_token("n"), "n"))["sub"] == "u-1"
        provider.claims = claims
        with pytest.raises(AuthenticationFailed):
            await judge.verified(provider.id_token("n"), "n")


async def test_clocks_that_jump_refuse_tokens_and_let_them_in_again():
    async with judged() as (provider, judge, clock):
        token = provider.id_token("n")
        for jump, good in ((0, True), (359, True), (361, False), (-61, False), (86400 * 365, False), (0, True)):
            clock.now = NOW + jump
            if good:
                assert await judge.verified(token, "n")
            else:
                with pytest.raises(AuthenticationFailed):
                    await judge.verified(token, "n")


async def test_a_token_signed_with_something_else_is_refused():
    async with judged() as (provider, judge, _):
        public = provider.shown_keys()[0]["n"]
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        for algorithm, key in (("none", None), ("HS256", public), ("RS256", other), ("PS256", provider.key)):
            provider.algorithm, provider.signs_with = algorithm, key
            with pytest.raises(AuthenticationFailed):
                await judge.verified(provider.id_token("n"), "n")
        for nonsense in ("", "a.b.c", "..", "x" * 40_000, "é.é.é"):
            with pytest.raises(AuthenticationFailed):
                await judge.verified(nonsense, "n")


async def test_an_altered_octet_anywhere_in_a_token_is_found_out():
    async with judged() as (provider, judge, _):
        token = provider.id_token("n")
        for position in range(0, len(token), 7):
            altered = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
            with pytest.raises(AuthenticationFailed):
                await judge.verified(altered, "n")


async def test_keys_are_kept_for_an_hour_and_strangers_names_of_keys_cost_the_provider_nothing():
    async with judged() as (provider, judge, clock):
        assert await judge.verified(provider.id_token("n"), "n")
        provider.key_id = "unknown"
        for _ in range(20):
            with pytest.raises(AuthenticationFailed):
                await judge.verified(provider.id_token("n"), "n")
        assert provider.asked["/jwks_uri"] == 1
        clock.now += ASKED_AGAIN
        assert await judge.verified(provider.id_token("n"), "n"), "the provider changed its key"
        assert provider.asked["/jwks_uri"] == 2
        provider.keys = []
        clock.now = provider.now = NOW + ASKED_AGAIN + KEPT
        with pytest.raises(AuthenticationFailed):
            await judge.verified(provider.id_token("n"), "n")


async def test_keys_that_are_of_no_use_are_passed_over():
    async with judged() as (provider, judge, _):
        useless = [{}, {"kty": "RSA"}, {"kty": "oct", "k": "eA", "kid": "first"}, {"kty": "EC", "crv": "none"}]
        useless += [{"kty": "EC", "crv": "P-256", "x": 7, "y": None}, {"kty": "RSA", "n": "é", "e": [], "kid": "first"}]
        provider.keys = [*provider.shown_keys(), *useless]
        assert await judge.verified(provider.id_token("n"), "n")


async def test_a_provider_that_does_not_answer_is_left_alone_for_a_moment():
    async with judged() as (provider, judge, clock):
        provider.is_away = True
        for _ in range(9):
            with pytest.raises(ServerBusy):
                await judge.endpoints()
        assert provider.asked == {DISCOVERY: 1}
        provider.is_away = False
        clock.now += LEFT_ALONE
        assert await judge.endpoints()


async def test_a_provider_that_is_another_than_it_says_is_not_believed():
    async with judged() as (provider, judge, _):
        provider.issuer += "/other"
        with pytest.raises(ServerBusy):
            await judge.endpoints()


def test_every_role_but_an_applicants_can_stand_for_a_claim():
    ours = {role for role in ROLES if OPENID_ROLE.fullmatch(f"x={role}")}
    theirs = {role for role in ROLES if OPENID_ROLE.fullmatch(f"x={role}@88.168.2")}
    assert ours | theirs == set(ROLES) - {"applicant"}
    assert not ours & theirs
