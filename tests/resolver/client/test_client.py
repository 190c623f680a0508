"""The client against servers that are late, silent, wrong, or lead it astray."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import ResponseCode
from registry.value import HandleValue
from resolver.client.client import Client
from resolver.client.errors import BadAnswer, ClientError, NoAnswer, NotConfigured, ReferralLoop
from resolver.client.referral import MAX_QUESTIONS
from resolver.client.servers import Server
from resolver.wire.refusal import Referral
from tests.resolver.client.servers import Scripted, reply, scripted

HERE = (HandleValue(1, "DESC", b"here"),)
ELSEWHERE = ResponseCode.SERVER_NOT_RESPONSIBLE


@pytest.fixture
async def servers() -> AsyncIterator[tuple[Scripted, Scripted, Scripted]]:
    async with AsyncExitStack() as stack:
        yield tuple([await stack.enter_async_context(scripted()) for _ in range(3)])


async def test_datagrams_are_sent_again_while_nothing_comes(servers):
    server, *_ = servers
    server.book["1.2/A"] = HERE
    server.deaf_to_datagrams = 1
    resolved = await Client([server.server]).resolve("1.2/A")
    assert resolved.values == HERE
    assert server.asked == [("udp", "1.2/A")]


async def test_a_server_that_hears_no_datagrams_is_asked_over_tcp(servers, monkeypatch):
    server, *_ = servers
    monkeypatch.setattr("resolver.client.exchange.RETRIES", (0.05, 0.05, 0.05))
    server.book["1.2/A"] = HERE
    server.deaf_to_datagrams = 100
    assert (await Client([server.server]).resolve("1.2/A")).values == HERE
    assert server.asked == [("tcp", "1.2/A")]
    assert server.deaf_to_datagrams == 97


async def test_long_questions_and_answers_pass_in_datagrams(servers):
    server, *_ = servers
    name, values = "1.2/" + "A" * 1500, (HandleValue(1, "DESC", b"x" * 5000),)
    server.book[name] = values
    assert (await Client([server.server]).resolve(name)).values == values
    assert [transport for transport, _ in server.asked] == ["udp"]


async def test_the_next_server_is_asked_when_one_is_not_there(servers):
    first, second, _ = servers
    second.book["1.2/A"] = HERE
    nobody = Server.from_text("tcp://127.0.0.1:1")
    assert (await Client([nobody, second.server]).resolve("1.2/A")).values == HERE
    with pytest.raises(NoAnswer):
        await Client([nobody]).resolve("1.2/A")
    assert not first.asked


async def test_a_refusal_is_an_answer(servers):
    server, *_ = servers
    resolved = await Client([server.server]).resolve("1.2/none")
    assert (resolved.code, resolved.values) == (ResponseCode.HANDLE_NOT_FOUND, ())


async def test_a_prefix_that_is_not_there_is_found_by_its_prefix_handle(servers):
    first, second, _ = servers
    first.book |= {"1.2/A": ELSEWHERE, "0.NA/1.2": (second.site(),)}
    second.book["1.2/A"] = HERE
    resolved = await Client([first.server]).resolve("1.2/A")
    assert resolved.values == HERE
    assert [handle for _, handle in first.asked] == ["1.2/A", "0.NA/1.2"]
    assert len(resolved.servers) == 3


async def test_a_service_is_found_by_its_handle(servers):
    first, second, _ = servers
    first.book |= {"1.2/A": Referral(b"9.9/SERVICE"), "9.9/SERVICE": (second.site(),)}
    second.book["1.2/A"] = HERE
    assert (await Client([first.server]).resolve("1.2/A")).values == HERE


async def test_a_prefix_referral_may_name_a_service(servers):
    first, second, _ = servers
    service = HandleValue(1, "HS_SERV.PREFIX", b"9.9/SERVICE")
    first.book |= {"0.NA/1.2": Referral(b"", (service,)), "9.9/SERVICE": (second.site(),)}
    second.book["0.NA/1.2"] = HERE
    assert (await Client([first.server]).resolve("0.NA/1.2")).values == HERE


async def test_what_a_referred_server_says_is_final(servers):
    first, second, _ = servers
    first.book |= {"1.2/A": Referral(b"x/y", (second.site(),)), "0.NA/1.2": (second.site(),)}
    second.book["1.2/A"] = ELSEWHERE
    assert (await Client([first.server]).resolve("1.2/A")).code == ELSEWHERE
    assert second.asked == [("udp", "1.2/A")]


async def test_referrals_in_a_circle_end(servers):
    first, second, third = servers
    for here, there in ((first, second), (second, third), (third, second)):
        here.book["0.NA/1.2"] = Referral(b"", (there.site("HS_SITE.PREFIX"),))
    with pytest.raises(ReferralLoop, match="already"):
        await Client([first.server]).resolve("0.NA/1.2")
    assert len(first.asked) + len(second.asked) + len(third.asked) < 6


async def test_referrals_without_end_end(servers):
    first, *_ = servers
    for number in range(2 * MAX_QUESTIONS):
        first.book[f"9.9/{number}"] = Referral(f"9.9/{number + 1}".encode())
    with pytest.raises(ReferralLoop, match=str(MAX_QUESTIONS)):
        await Client([first.server]).resolve("9.9/0")
    assert len(first.asked) == MAX_QUESTIONS


async def test_a_host_that_nobody_configured_is_not_asked(servers):
    first, second, _ = servers
    first.book["1.2/A"] = Referral(b"x/y", (second.site(address="127.0.0.2"),))
    with pytest.raises(NotConfigured, match=r"127\.0\.0\.2"):
        await Client([first.server]).resolve("1.2/A")
    # It may be, when its network is named; there, nobody listens.
    with pytest.raises(NoAnswer):
        await Client([first.server], networks=["127.0.0.0/8"]).resolve("1.2/A")
    assert not second.asked


async def test_a_server_configured_by_name_may_be_referred_to_by_address(servers):
    first, second, _ = servers
    first.book["1.2/A"] = Referral(b"x/y", (second.site(),))
    second.book["1.2/A"] = HERE
    assert (await Client([Server.from_text(f"localhost:{first.port}")]).resolve("1.2/A")).values == HERE


async def test_a_configured_name_that_nobody_knows_allows_nothing_and_hides_no_refusal(servers):
    first, second, _ = servers
    first.book["1.2/A"] = Referral(b"x/y", (second.site(address="127.0.0.2"),))
    with pytest.raises(NotConfigured):
        await Client([first.server, Server.from_text("nobody.invalid")]).resolve("1.2/A")


@settings(max_examples=60)
@given(st.integers(2, 600) | st.sampled_from([302, 303]), st.binary(max_size=300))
def test_whatever_a_server_answers_there_is_an_outcome(code, body):
    async def ask() -> None:
        async with scripted() as server:
            server.answers = lambda request, _: [reply(request, code, body)]
            client = Client([Server.from_text(f"tcp://127.0.0.1:{server.port}")])
            with contextlib.suppress(ClientError):
                assert (await client.resolve("1.2/A")).code == code

    asyncio.run(ask())


async def test_an_answer_that_should_be_signed_and_is_not_is_no_answer(servers):
    first, *_ = servers
    first.book["1.2/A"] = HERE
    with pytest.raises(BadAnswer):
        await Client([replace(first.server, public_key=b"no key")]).resolve("1.2/A", certify=True)


@pytest.mark.parametrize(
    "referral",
    [
        Referral(b"", (HandleValue(1, "HS_SITE", b"\1"),)),
        Referral(b"", (HandleValue(1, "DESC", b"nowhere"),)),
        Referral(b"", ()),
        Referral(b"9.9/nothing"),
    ],
)
async def test_a_referral_that_leads_nowhere_is_a_bad_answer(servers, referral):
    first, *_ = servers
    first.book["0.NA/1.2"] = referral
    with pytest.raises(BadAnswer):
        await Client([first.server]).resolve("0.NA/1.2")


async def test_an_authoritative_question_goes_to_primary_sites_alone(servers):
    first, second, third = servers
    first.book["1.2/A"] = Referral(b"x/y", (second.site(primary=False), third.site()))
    second.book["1.2/A"] = third.book["1.2/A"] = HERE
    await Client([first.server]).resolve("1.2/A", authoritative=True)
    assert not second.asked
    assert third.asked


async def test_a_deadline_holds_for_everything_together(servers):
    first, *_ = servers
    first.deaf_to_datagrams = 100
    with pytest.raises(NoAnswer, match="within"):
        async with asyncio.timeout(10):
            await Client([first.server], deadline=0.1).resolve("1.2/A")
    with pytest.raises(NoAnswer, match="within"):
        async with asyncio.timeout(10):
            await Client([first.server], deadline=0.1).site()


def test_a_client_needs_a_server():
    with pytest.raises(ValueError, match="no server"):
        Client([])
