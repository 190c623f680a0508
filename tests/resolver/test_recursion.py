"""Questions passed on: a real node with a real book, and servers that answer what a test tells them to."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from registry import spans
from registry.certificate import public_key
from registry.errors import ResponseCode
from registry.site import Interface, InterfaceKind, Protocol, ServerInfo, SiteInfo
from registry.value import HandleValue
from resolver.client.breaker import FAILURES, FIRST_PAUSE, Breakers
from resolver.listeners.http.batch_elsewhere import AT_ONCE, MOST
from resolver.node import Node
from resolver.other_nodes import RecursionSettings
from resolver.recursion import MAX_PASSED
from resolver.wire.codes import OpFlag
from resolver.wire.credential import with_signature
from resolver.wire.message import Message
from resolver.wire.query import HandleValues
from resolver.wire.refusal import Referral
from resolver.wire.stream import MessageStream
from tests.resolver.client.servers import Scripted, reply, scripted
from tests.resolver.http.lab import Client, lab
from tests.resolver.http.test_traces import collecting
from tests.resolver.native import CALLED_FOR, USUAL, query

HERE = "88.118.7"  # An enterprise that serves itself; its prefix handle says where.
BELOW = "0.NA/88.200.5"  # A prefix below one that is delegated as a whole.
WORDS = (HandleValue(1, "DESC", b"at the enterprise", ttl=600), HandleValue(2, "URL", b"http://example.org/e", ttl=60))
SECRET = HandleValue(3, "HS_SECKEY", b"never", permissions=12)
DEADLINE = 60.0
AUTHORITATIVE, CERTIFY = int(OpFlag.AUTHORITATIVE), int(OpFlag.CERTIFY)


@dataclass
class Places:
    node: Node
    enterprise: Scripted
    top: Scripted

    async def ask(self, name: str, *types: str, peer: str = "127.0.0.1", **fields) -> Message:
        """The node's answer to one native question over TCP."""
        async with asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection(peer, self.node.native_port)
            writer.write(query(name, *types, **fields).to_wire())
            stream = MessageStream()
            while (message := stream.take()) is None:
                stream.feed(await reader.read(1 << 16))
            writer.close()
            await writer.wait_closed()
            return message

    @property
    def counts(self):
        return self.node.metrics.counts


@asynccontextmanager
async def placed(dsn: str, directory: Path, **settings) -> AsyncIterator[Places]:
    async with AsyncExitStack() as stack:
        enterprise, top = [await stack.enter_async_context(scripted()) for _ in range(2)]
        given = {"networks": ("127.0.0.0/8",), "servers": (f"tcp://127.0.0.1:{top.port}",), "deadline": 5.0}
        recursion = RecursionSettings(**(given | settings))
        handles = {
            f"0.NA/{HERE}": (tcp_site(enterprise.port),),
            "0.NA/88.200": (tcp_site(enterprise.port, "HS_SITE.PREFIX"),),
        }
        node = await stack.enter_async_context(lab(dsn, directory, handles, recursion=recursion))
        yield Places(node, enterprise, top)


def tcp_site(port: int, value_type: str = "HS_SITE", key: bytes = b"", address: str = "127.0.0.1") -> HandleValue:
    interfaces = (Interface(InterfaceKind.BOTH, Protocol.TCP, port),)
    return HandleValue(1, value_type, SiteInfo(1, (ServerInfo(1, ip_address(address), key, interfaces),)).to_wire())


@pytest.fixture
async def places(database_dsn: str, tmp_path: Path) -> AsyncIterator[Places]:
    async with placed(database_dsn, tmp_path) as made:
        yield made


async def test_a_question_for_an_enterprises_handle_is_answered_by_its_node_and_not_as_ours(places: Places):
    places.enterprise.book[f"{HERE}/A"] = (*WORDS, SECRET)
    answer = await places.ask(f"{HERE}/A")
    assert answer.response_code == ResponseCode.SUCCESS
    assert HandleValues.from_wire(answer.content).values == WORDS
    assert not answer.op_flags & AUTHORITATIVE
    assert (await places.ask("88.118.1/READ")).op_flags & AUTHORITATIVE
    only = await places.ask(f"{HERE}/A", "URL")
    assert HandleValues.from_wire(only.content).values == WORDS[1:]
    assert (await places.ask(f"{HERE}/A", "EMAIL")).response_code == ResponseCode.VALUES_NOT_FOUND
    assert places.enterprise.asked == [("tcp", f"{HERE}/A")]  # The others were answered with what was kept.
    assert (places.counts.recursion_found, places.counts.recursion_kept) == (1, 2)
    assert (await places.ask(f"{HERE}/A", flags=USUAL | AUTHORITATIVE)).response_code == 1
    assert len(places.enterprise.asked) == 2


async def test_a_question_that_is_passed_on_is_a_span_of_its_trace(database_dsn: str, tmp_path: Path):
    async with collecting() as collector:
        async with spans.exporting(collector.address, "test"), placed(database_dsn, tmp_path) as places:
            places.enterprise.book[f"{HERE}/A"] = WORDS
            assert (await places.ask(f"{HERE}/A")).response_code == ResponseCode.SUCCESS
        (upstream,) = collector.named("upstream")
        assert [(one.key, one.value.string_value) for one in upstream.attributes] == [("handle", f"{HERE}/A")]


async def test_who_does_not_ask_for_recursion_is_referred(places: Places):
    places.enterprise.book[f"{HERE}/A"] = WORDS
    for flags in (
        int(OpFlag.PUBLIC_ONLY),
        CALLED_FOR,  # What not everybody may read is asked for by who may.
        USUAL | CERTIFY,  # Nobody vouches for what another says.
    ):
        answer = await places.ask(f"{HERE}/A", flags=flags)
        assert answer.response_code == ResponseCode.SERVICE_REFERRAL, flags
    refused = await places.ask(f"{HERE}/A", flags=USUAL | int(OpFlag.DO_NOT_REFER))
    assert refused.response_code == ResponseCode.SERVER_NOT_RESPONSIBLE
    assert not places.enterprise.asked


async def test_what_nothing_is_known_of_here_is_asked_of_the_top_node_which_may_refer(places: Places):
    places.top.book |= {"10.1/A": ResponseCode.SERVER_NOT_RESPONSIBLE, "0.NA/10.1": (tcp_site(places.enterprise.port),)}
    places.enterprise.book["10.1/A"] = WORDS
    assert HandleValues.from_wire((await places.ask("10.1/A")).content).values == WORDS
    assert (await places.ask("10.2/none")).response_code == ResponseCode.HANDLE_NOT_FOUND
    assert (await places.ask("10.2/none")).response_code == ResponseCode.HANDLE_NOT_FOUND
    assert [name for _, name in places.top.asked] == ["10.1/A", "0.NA/10.1", "10.2/none"]
    assert (places.counts.recursion_missing, places.counts.recursion_kept) == (1, 1)


async def test_a_prefix_below_a_delegated_one_is_asked_for_where_that_leads(places: Places):
    places.enterprise.book[BELOW] = WORDS
    for version in ((2, 11), (2, 4)):  # The older would not follow a referral.
        answer = await places.ask(BELOW, version=version)
        assert HandleValues.from_wire(answer.content).values == WORDS, version
    assert (await places.ask("0.NA/88.300")).response_code == ResponseCode.HANDLE_NOT_FOUND


async def test_a_service_handle_of_the_book_says_where_to_ask(database_dsn: str, tmp_path: Path):
    async with AsyncExitStack() as stack:
        enterprise = await stack.enter_async_context(scripted())
        handles = {
            "88.118.1/SERVICE": (tcp_site(enterprise.port),),
            "0.NA/88.118.8": (HandleValue(1, "HS_SERV", b"88.118.1/SERVICE"),),
        }
        recursion = RecursionSettings(networks=("127.0.0.1",))
        node = await stack.enter_async_context(lab(database_dsn, tmp_path, handles, recursion=recursion))
        enterprise.book["88.118.8/A"] = WORDS
        made = Places(node, enterprise, enterprise)
        assert HandleValues.from_wire((await made.ask("88.118.8/A")).content).values == WORDS
        # Nobody is known who could be asked: that is said at once.
        assert (await made.ask("10.1/A")).response_code == ResponseCode.SERVER_NOT_RESPONSIBLE


async def test_questions_passed_on_say_so_and_do_not_ask_for_it_again(places: Places):
    heard: list[Message] = []

    def answers(request: Message, transport: str) -> list[Message]:
        heard.append(request)
        return [reply(request, 1, HandleValues(f"{HERE}/A".encode(), WORDS).to_wire())]

    places.enterprise.answers = answers
    # From another address than that of the enterprise's node, which would not be asked back.
    answer = await places.ask(f"{HERE}/A", recursion=MAX_PASSED - 1, peer="127.0.0.1")
    assert answer.response_code == ResponseCode.SERVICE_REFERRAL
    assert places.counts.recursion_loops == 1
    assert not heard
    assert (await places.ask(f"{HERE}/A")).response_code == 1
    assert heard[0].recursion == 1
    assert not heard[0].op_flags & int(OpFlag.RECURSIVE)
    assert heard[0].op_flags & int(OpFlag.PUBLIC_ONLY)
    assert heard[0].expiration <= time.time() + 6  # The deadline goes along.


async def test_a_question_that_too_many_passed_on_is_refused(places: Places):
    answer = await places.ask("10.1/A", recursion=MAX_PASSED)
    assert answer.response_code == ResponseCode.RECURSION_LIMIT
    # What needs no other node is answered whatever the count says.
    assert (await places.ask("88.118.1/READ", recursion=200)).response_code == 1


async def test_a_node_never_asks_itself(database_dsn: str, tmp_path: Path):
    async with placed(database_dsn, tmp_path, servers=()) as places:
        own = HandleValue(1, "HS_SITE", places.node.site.current().to_wire())
        places.enterprise.book[f"{HERE}/A"] = Referral(b"", (own,))
        answer = await places.ask(f"{HERE}/A")
        assert answer.response_code == ResponseCode.SERVICE_REFERRAL
        assert places.counts.recursion_loops == 1


@pytest.mark.parametrize(
    "told",
    [
        lambda request: [reply(request, 1, HandleValues(b"88.118.7/OTHER", WORDS).to_wire())],
        lambda request: [reply(request, 1, b"\xff\xff\xff\xff")],
        lambda request: [reply(request, 1, HandleValues(f"{HERE}/A".encode(), WORDS).to_wire()[:-3])],
        lambda request: [reply(request, 1, bytes(400_000))],
        lambda request: [reply(request, 402)],
        lambda request: [reply(request, 302, b"\0\0\0\0")],
        lambda request: [reply(request, 303, Referral(b"", (tcp_site(9, address="192.0.2.1"),)).to_wire())],
    ],
    ids=["another handle", "no values", "cut", "too long", "a challenge", "leads nowhere", "leads abroad"],
)
async def test_a_server_that_lies_is_not_believed(places: Places, told):
    places.enterprise.answers = lambda request, _: told(request)
    answer = await places.ask(f"{HERE}/A")
    assert answer.response_code == ResponseCode.SERVICE_REFERRAL  # Whoever asks may see for himself.
    assert places.counts.recursion_bad + places.counts.recursion_forbidden == 1
    assert places.counts.recursion_found == 0


async def test_an_answer_with_another_id_is_not_taken_for_the_one(database_dsn: str, tmp_path: Path):
    async with placed(database_dsn, tmp_path, deadline=0.3) as places:
        good = HandleValues(f"{HERE}/A".encode(), WORDS).to_wire()
        places.enterprise.answers = lambda request, _: [
            reply(request, 1, good)._replace(request_id=request.request_id ^ 1)
        ]
        assert (await places.ask(f"{HERE}/A")).response_code == ResponseCode.SERVICE_REFERRAL
        assert places.counts.recursion_silent == 1


async def test_answers_are_held_against_the_key_of_the_site_where_it_is_known(database_dsn: str, tmp_path: Path):
    own, other = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    async with AsyncExitStack() as stack:
        enterprise = await stack.enter_async_context(scripted())
        site = tcp_site(enterprise.port, key=public_key(own).to_wire())
        recursion = RecursionSettings(networks=("127.0.0.1",))
        node = await stack.enter_async_context(
            lab(database_dsn, tmp_path, {f"0.NA/{HERE}": (site,)}, recursion=recursion)
        )
        made, signer = Places(node, enterprise, enterprise), [other]

        def answers(request: Message, _: str) -> list[Message]:
            assert request.op_flags & CERTIFY
            plain = reply(request, 1, HandleValues(f"{HERE}/A".encode(), WORDS).to_wire())
            return [with_signature(plain, signer[0])]

        enterprise.answers = answers
        assert (await made.ask(f"{HERE}/A")).response_code == ResponseCode.SERVICE_REFERRAL
        assert made.counts.recursion_bad == 1
        signer[0] = own
        assert (await made.ask(f"{HERE}/A")).response_code == ResponseCode.SUCCESS


async def test_equal_questions_are_one_and_a_slow_server_is_not_waited_for_longer_than_there_is_time(
    database_dsn: str, tmp_path: Path
):
    async with placed(database_dsn, tmp_path, deadline=1.2) as places:
        places.enterprise.answers = lambda request, _: places.enterprise.asked.append(("tcp", "")) or []
        answers = await asyncio.gather(*[places.ask(f"{HERE}/A") for _ in range(20)])
        assert {answer.response_code for answer in answers} == {ResponseCode.SERVICE_REFERRAL}
        assert len(places.enterprise.asked) == 1
        for _ in range(FAILURES - 1):
            await places.ask(f"{HERE}/A")
        assert places.counts.circuits_opened == 1
        async with asyncio.timeout(DEADLINE):
            asked = 0
            while asked != len(places.enterprise.asked):  # Until it is left alone: a stall outlasts the first pauses.
                asked = len(places.enterprise.asked)
                assert (await places.ask(f"{HERE}/A")).response_code == ResponseCode.SERVICE_REFERRAL
        async with asyncio.timeout(DEADLINE):
            places.enterprise.answers = Scripted.answers.__get__(places.enterprise)
            places.enterprise.book[f"{HERE}/A"] = WORDS
            while (await places.ask(f"{HERE}/A")).response_code != 1:  # noqa: ASYNC110  # the pause passes
                await asyncio.sleep(0.1)


async def test_over_http_names_elsewhere_are_answered_with_who_answered(places: Places):
    places.enterprise.book[f"{HERE}/A"] = WORDS
    client = Client(places.node.port)

    async def get(path: str, **headers: str):
        return await asyncio.to_thread(client.ask, "GET", path, **headers)

    for _ in range(4):  # The short way leaves it to the long one.
        got = await get(f"/api/handles/{HERE}/A")
        assert (got.status, got.json["responseCode"], len(got.json["values"])) == (200, 1, 2)
        assert got.json["answeredBy"] == f"127.0.0.1:{places.enterprise.port}"
        assert int(got.headers["Cache-Control"].rpartition("max-age=")[2]) <= 60
    only = await get(f"/api/handles/{HERE}/A?type=URL")
    assert [value["type"] for value in only.json["values"]] == ["URL"]
    assert (await get(f"/api/handles/{HERE}/A?doNotRefer=true")).json["responseCode"] == 301
    assert (await get("/api/handles/10.5/none")).status == 404
    assert [name for _, name in places.top.asked] == ["10.5/none"]
    for path in ("/api/handles/88.118.1/none", "/api/handles/88.118.1/none?auth=true", "/88.118.1/none"):
        assert (await get(path)).status == 404
    assert len(places.top.asked) == 1  # What a prefix of ours lacks, nobody else has.
    gone = await get(f"/{HERE}/A", Accept="text/html")
    assert (gone.status, gone.headers["Location"]) == (302, "http://example.org/e")
    for _ in range(4):
        assert (await get(f"/api/handles/{BELOW}")).status == 404
    places.enterprise.book[f"{HERE}/B"] = ResponseCode.ERROR
    assert (await get(f"/api/handles/{HERE}/B")).status == 503
    assert len(places.enterprise.asked) == 3
    client.close()


async def many(places: Places, names: list[str], query: str = "") -> list[dict]:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{places.node.port}/api/resolve{query}"
        async with session.post(url, json=names) as response:
            assert response.status == 200
            return (await response.json())["results"]


async def test_names_of_a_batch_are_asked_for_elsewhere_as_single_ones_are(places: Places):
    places.enterprise.book |= {f"{HERE}/A": (*WORDS, SECRET), f"{HERE}/B": ResponseCode.HANDLE_NOT_FOUND}
    names = [f"{HERE}/A", "88.118.1/READ", f"{HERE}/B", "10.5/none", "88.118.1/NONE"]
    answers = await many(places, names)
    client = Client(places.node.port)
    for name, answer in zip(names, answers, strict=True):
        alone = (await asyncio.to_thread(client.ask, "GET", f"/api/handles/{name}")).json
        assert {**answer, "message": ""} == {**alone, "message": ""}, name
    client.close()
    assert answers[0]["answeredBy"] == f"127.0.0.1:{places.enterprise.port}"
    only = await many(places, names[:1], "?type=URL")
    assert [value["type"] for value in only[0]["values"]] == ["URL"]
    assert [answer["responseCode"] for answer in await many(places, names[:1], "?doNotRefer=true")] == [301]


async def test_a_batch_for_who_is_silent_ends_in_the_time_of_one_question_and_asks_for_so_many_at_a_time(
    database_dsn: str, tmp_path: Path
):
    async with placed(database_dsn, tmp_path, deadline=1.0) as places:
        places.enterprise.answers = lambda request, _: places.enterprise.asked.append(("tcp", "")) or []
        async with asyncio.timeout(DEADLINE):
            answers = await many(places, ["88.118.1/READ", *(f"{HERE}/{number}" for number in range(MOST + 9))])
        assert [answer["responseCode"] for answer in answers] == [1] + (MOST + 9) * [ResponseCode.SERVER_BUSY]
        assert len(places.enterprise.asked) <= 2 * AT_ONCE  # those of the last moment


async def test_without_the_settings_nobody_is_asked(database_dsn: str, tmp_path: Path):
    async with placed(database_dsn, tmp_path, networks=(), servers=()) as places:
        assert (await places.ask(f"{HERE}/A")).response_code == ResponseCode.SERVICE_REFERRAL
        client = Client(places.node.port)
        got = await asyncio.to_thread(client.ask, "GET", f"/api/handles/{HERE}/A")
        client.close()
        assert got.json["responseCode"] == 301
        assert not places.enterprise.asked
        assert not places.top.asked


def test_a_circuit_opens_lets_one_through_and_closes(caplog: pytest.LogCaptureFixture):
    now, opened = [0.0], []
    breakers = Breakers(lambda: now[0], lambda: opened.append(now[0]))
    for _ in range(FAILURES - 1):
        breakers.failed("a:1", "silent")
    breakers.succeeded("a:1")
    for _ in range(FAILURES - 1):
        breakers.failed("a:1", "silent")
    assert breakers.allow("a:1")
    breakers.failed("a:1", "silent")
    assert not breakers.allow("a:1")
    assert breakers.allow("b:1")
    assert (breakers.opened, opened) == (1, [0.0])
    for _ in range(10):
        breakers.failed(
            "a:1", "silent"
        )  # Asked at the same time as those that opened it, and no reason to wait longer.
    now[0] += FIRST_PAUSE
    assert breakers.allow("a:1")
    assert not breakers.allow("a:1")  # One at a time.
    breakers.failed("a:1", "silent")
    now[0] += FIRST_PAUSE * 1.5
    assert not breakers.allow("a:1")  # Twice as long.
    now[0] += FIRST_PAUSE
    assert breakers.allow("a:1")
    with caplog.at_level("INFO"):
        breakers.succeeded("a:1")
    assert breakers.allow("a:1")
    assert breakers.opened == 0
    assert "a:1 answers again" in caplog.text
    assert len(opened) == 1
