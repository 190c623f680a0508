"""A node without a book: its answers are those of its upstream, and never older than it says."""

import asyncio
import random
import re
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from registry.errors import ResponseCode
from registry.handle import Handle
from registry.site import SiteInfo
from registry.standing import State, Wish, stand
from registry.transaction import begin
from registry.value import HandleValue
from resolver.client.client import Client as NativeClient
from resolver.client.servers import Server
from resolver.diagnosis import upstream
from resolver.diagnosis.finding import BAD, GOOD
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.query import HandleValues
from resolver.wire.refusal import Referral, Refusal
from tests.resolver.edges import DEADLINE, Pair, paired, until
from tests.resolver.edges import asked as ask_node
from tests.resolver.http.lab import PREFIX, Client, basic
from tests.resolver.native import CALLED_FOR, USUAL, named, request
from tests.resolver.running_node import RunningNode, arguments
from tests.resolver.running_node import ask as ask_url
from tests.resolver.test_cli import filament

TORTURE = 6.0  # Seconds at least.
READINGS = 50  # Fresh ones at least, however long they take.
AUTHORITATIVE = int(OpFlag.AUTHORITATIVE)


@pytest.fixture
async def pair(database_dsn: str, tmp_path: Path) -> AsyncIterator[Pair]:
    async with paired(database_dsn, tmp_path) as made:
        yield made


def words(answer) -> list[str]:
    assert answer.response_code == ResponseCode.SUCCESS  # A refusal has no values that could be read.
    return [value.text for value in HandleValues.from_wire(answer.content).values]


async def words_in_the_end(pair: Pair, name: str) -> list[str]:
    """What an edge answers once it has reached its upstream again, which it tries now and then: busy until then."""
    async with asyncio.timeout(DEADLINE):
        while (answer := await pair.ask(name)).response_code == ResponseCode.SERVER_BUSY:  # noqa: ASYNC110  # as said
            await asyncio.sleep(0.02)
    return words(answer)


async def test_an_edge_answers_what_its_upstream_would_over_every_protocol(pair: Pair):
    await pair.write(f"{PREFIX}/Item", "first")
    for scheme in ("tcp", "udp"):
        client = NativeClient([Server.from_text(f"{scheme}://127.0.0.1:{pair.edge.native_port}")])
        assert [value.text for value in (await client.resolve(f"{PREFIX}/item")).values] == ["first"]
    there, here = Client(pair.upstream.port), Client(pair.edge.port)
    for path in (
        f"/api/handles/{PREFIX}/ITEM",
        f"/api/handles/{PREFIX}/READ?type=URL",
        f"/api/handles/{PREFIX}/none",
        f"/api/handles/0.NA/{PREFIX}",
        "/api/handles/10.1/none",
        f"/{PREFIX}/READ",
    ):
        expected, got = [await asyncio.to_thread(client.ask, "GET", path) for client in (there, here)]
        assert (got.status, got.body) == (expected.status, expected.body), path
        assert got.headers.get("ETag") == expected.headers.get("ETag"), path
    many = [f"{PREFIX}/ITEM", f"{PREFIX}/none", "10.1/none"]
    both = [await asyncio.to_thread(client.ask, "POST", "/api/resolve", many) for client in (there, here)]
    assert both[0].body == both[1].body
    for client in (there, here):
        client.close()
    reads = pair.edge.metrics.counts.reads
    assert words(await pair.ask(f"{PREFIX}/ITEM")) == ["first"]
    assert pair.edge.metrics.counts.reads == reads  # Kept.


async def test_an_edge_hears_of_changes_registrations_deletions_and_prefixes(pair: Pair):
    await pair.write(f"{PREFIX}/A", "one")
    assert words(await pair.ask(f"{PREFIX}/A")) == ["one"]
    assert (await pair.ask(f"{PREFIX}/B")).response_code == ResponseCode.HANDLE_NOT_FOUND
    await pair.write(f"{PREFIX}/A", "two")
    await pair.write(f"{PREFIX}/B", "new")
    await pair.heard()
    assert words(await pair.ask(f"{PREFIX}/A")) == ["two"]
    assert words(await pair.ask(f"{PREFIX}/B")) == ["new"]
    await pair.delete(f"{PREFIX}/A")
    await pair.heard()
    assert (await pair.ask(f"{PREFIX}/A")).response_code == ResponseCode.HANDLE_NOT_FOUND
    assert (await pair.ask("88.555/A")).response_code == ResponseCode.SERVER_NOT_RESPONSIBLE
    async with begin(pair.store, "test") as transaction:
        await transaction.home("88.555")
    await pair.store.load_prefixes()
    await pair.write("88.555/A", "of a new prefix")
    await pair.heard()
    assert words(await pair.ask("88.555/A")) == ["of a new prefix"]


async def test_what_is_not_for_everybody_and_what_is_written_is_done_at_the_upstream(pair: Pair):
    client = Client(pair.edge.port)
    body = {"values": [{"index": 1, "type": "DESC", "data": "x"}]}
    for method, path, given, headers in (
        ("PUT", f"/api/handles/{PREFIX}/NEW?overwrite=true", body, basic()),
        ("PUT", f"/api/handles/{PREFIX}/NEW", body, {}),
        ("DELETE", f"/api/handles/{PREFIX}/READ", None, basic()),
        ("GET", f"/api/handles/{PREFIX}/READ?auth=true", None, {}),
        ("GET", f"/api/handles/0.NA/{PREFIX}?publicOnly=false", None, {}),
        ("GET", f"/api/handles/{PREFIX}/READ?sign=true", None, {}),
    ):
        got = await asyncio.to_thread(client.ask, method, path, given, headers)
        assert (got.status, got.headers["Location"]) == (307, f"http://127.0.0.1:{pair.upstream.port}{path}"), path
    client.close()
    site = pair.upstream.site.current()
    for asked in (
        request(OpCode.CREATE_HANDLE, HandleValues(f"{PREFIX}/NEW".encode(), ()).to_wire()),
        named(OpCode.DELETE_HANDLE, f"{PREFIX}/READ"),
        named(OpCode.LIST_HANDLES, f"0.NA/{PREFIX}"),
        named(OpCode.RESOLUTION, f"{PREFIX}/READ", flags=USUAL | AUTHORITATIVE),
    ):
        if asked.op_code == OpCode.RESOLUTION:
            asked = asked._replace(body=asked.body + bytes(8))
        answer = await ask_node(pair.edge, asked)
        assert answer.response_code == ResponseCode.SERVICE_REFERRAL, asked.op_code
        (value,) = Referral.from_wire(answer.content).values
        assert SiteInfo.from_wire(value.data).servers == site.servers
    hidden = await pair.ask(f"0.NA/{PREFIX}", flags=CALLED_FOR)
    assert hidden.response_code == ResponseCode.SERVICE_REFERRAL
    public = await pair.ask(f"0.NA/{PREFIX}")
    types = [value.type for value in HandleValues.from_wire(public.content).values]
    assert types == ["HS_ADMIN", "HS_VLIST", "HS_PUBKEY"]
    own = await pair.ask(f"{PREFIX}/READ", flags=CALLED_FOR)
    assert own.response_code == ResponseCode.SUCCESS  # Nothing is hidden there.


async def test_an_edge_is_started_answers_and_stops_by_command_and_is_no_upstream(pair: Pair, tmp_path: Path):
    edge = pair.edge.settings.edge
    given = {
        "edge__upstream": f"127.0.0.1:{pair.upstream.native_port}",
        "edge__address": edge.address,
        "edge__registry": edge.registry,
        "edge__token": edge.token,
    }
    with RunningNode(*arguments(None, tmp_path / "commanded", workers=1, **given)) as node:
        url, _ = await asyncio.to_thread(node.ready)
        status, body = await asyncio.to_thread(ask_url, f"{url}/api/handles/{PREFIX}/READ")
        assert (status, body["responseCode"]) == (200, 1)
        native = re.search(r"listening on port \d+, and (\d+)", node.hear("listening on port").string)[1]
        further = arguments(None, tmp_path / "further", **given | {"edge__upstream": f"127.0.0.1:{native}"})
        for language, reason in (("en", "is an edge itself"), ("zh", "它本身是边缘节点")):
            refused = await asyncio.to_thread(filament, *further, "--lang", language, code=2)
            assert reason in refused.stderr
        node.signal(signal.SIGTERM)
        assert await asyncio.to_thread(node.end) == 0


async def test_an_edge_does_not_say_that_it_is_the_authority(pair: Pair):
    for name, types in ((f"{PREFIX}/READ", ()), (f"{PREFIX}/READ", ("URL",)), (f"{PREFIX}/none", ())):
        for _ in range(3):
            assert not (await pair.ask(name, *types)).op_flags & AUTHORITATIVE
    site = await NativeClient([Server.from_text(f"tcp://127.0.0.1:{pair.edge.native_port}")]).site()
    assert not site.primary
    assert pair.upstream.site.current().primary
    assert ("edge", {"address": pair.edge.settings.edge.address}) in pair.edge.notices()


async def test_states_and_aliases_come_along(pair: Pair):
    await pair.write(f"{PREFIX}/GONE", "gone")
    async with begin(pair.store, "test") as transaction:
        handle = Handle.from_text(f"{PREFIX}/GONE")
        record = await transaction.lock(handle)
        wish = Wish(State.REVOKED, "scrapped", f"{PREFIX}/READ")
        await transaction.put_standing(record, stand(handle, None, wish, "300:secret/name", 5, of_node=True))
        await transaction.create(
            Handle.from_text(f"{PREFIX}/ALIAS"), (HandleValue(1, "HS_ALIAS", f"{PREFIX}/READ".encode()),)
        )
    await pair.heard()
    there, here = Client(pair.upstream.port), Client(pair.edge.port)
    for name in ("GONE", "ALIAS"):
        path = f"/api/handles/{PREFIX}/{name}"
        expected, got = [await asyncio.to_thread(client.ask, "GET", path) for client in (there, here)]
        assert (got.status, got.json) == (expected.status, expected.json), name
    for client in (there, here):
        client.close()


async def test_an_edge_whose_upstream_is_away_says_how_old_its_answers_are_and_stops_in_time(
    database_dsn: str, tmp_path: Path
):
    async with paired(database_dsn, tmp_path, max_staleness=0.5, stale_limit=2.0) as pair:
        client, path = Client(pair.edge.port), f"/api/handles/{PREFIX}/READ"

        async def get():
            return await asyncio.to_thread(client.ask, "GET", path)

        async def until_got(is_right) -> None:
            async with asyncio.timeout(DEADLINE):
                while not is_right(await get()):  # noqa: ASYNC110  # another task's doing
                    await asyncio.sleep(0.02)

        assert "Warning" not in (await get()).headers
        pair.registry.cut()
        pair.native.cut()
        await until(lambda: pair.edge.resolver.staleness > 0, "the edge takes its answers for fresh")
        stale = await get()
        assert (stale.status, stale.headers["Warning"][:3]) == (200, "110")
        assert pair.edge.unready()[0][0] in ("upstream", "feed")
        missed = await asyncio.to_thread(client.ask, "GET", f"/api/handles/{PREFIX}/other")
        assert missed.status == 503
        await until_got(lambda got: got.status == 503)
        pair.registry.mend()
        pair.native.mend()
        await until_got(lambda got: got.status == 200 and "Warning" not in got.headers)
        client.close()


async def test_an_edge_that_lost_its_upstream_is_busy_until_it_has_reached_it_again(pair: Pair):
    name = f"{PREFIX}/A"
    await pair.write(name, "one")
    await pair.heard()
    pair.native.cut()
    refused = await pair.ask(name)
    assert refused.response_code == ResponseCode.SERVER_BUSY
    assert "cannot be reached" in Refusal.from_wire(refused.content).text
    pair.native.mend()
    await pair.heard()  # Of changes it hears all the while: that does not say that records can be asked for again.
    assert await words_in_the_end(pair, name) == ["one"]


async def test_a_change_behind_a_long_transaction_makes_answers_stale_and_not_wrong(database_dsn: str, tmp_path: Path):
    async with paired(database_dsn, tmp_path, max_staleness=0.4) as pair:
        await pair.write(f"{PREFIX}/A", "old")
        await pair.heard()
        assert words(await pair.ask(f"{PREFIX}/A")) == ["old"]
        async with begin(pair.store, "test") as transaction:
            await transaction.create(Handle.from_text(f"{PREFIX}/LONG"), (HandleValue(1, "DESC", b"long"),))
            await pair.write(f"{PREFIX}/A", "new")
            # The feed says nothing of it yet, and answers all the same.
            looked = pair.edge.follower.position.snapshot
            await until(lambda: pair.edge.resolver.staleness > 0, "the edge takes silence for no change")
            assert words(await pair.ask(f"{PREFIX}/A")) == ["old"]
            assert looked
        await until(lambda: not pair.edge.resolver.staleness, "the edge stays stale")
        assert words(await pair.ask(f"{PREFIX}/A")) == ["new"]


async def test_an_edge_that_lost_its_place_in_the_feed_forgets_everything(pair: Pair):
    await pair.write(f"{PREFIX}/A", "one")
    await pair.heard()
    assert words(await pair.ask(f"{PREFIX}/A")) == ["one"]
    begun = pair.edge.metrics.counts.forgotten_everything

    def is_lost() -> bool:
        """Says that the place is of another history of the database, until that is noticed: a look is under way."""
        if pair.edge.follower.position is not None:
            pair.edge.follower.position.snapshot = pair.edge.follower.position.snapshot[:-8] + "00000000"
        return pair.edge.metrics.counts.forgotten_everything > begun

    await until(is_lost, "nothing was forgotten")
    await pair.heard()
    assert words(await pair.ask(f"{PREFIX}/A")) == ["one"]


async def test_no_answer_is_older_than_it_says_however_the_wires_are_cut(database_dsn: str, tmp_path: Path):
    chance = random.Random(7)
    names, bound, limit = [f"{PREFIX}/T{number}" for number in range(6)], 0.5, 3.0
    written: dict[str, list[tuple[float, int]]] = {
        name: [] for name in names
    }  # When each was committed, at the latest.
    async with paired(database_dsn, tmp_path, max_staleness=bound, stale_limit=limit) as pair:
        begun, fresh, stale = time.monotonic(), 0, 0

        def goes_on() -> bool:
            lasted = time.monotonic() - begun
            return lasted < TORTURE or (lasted < DEADLINE and not (fresh > READINGS and stale))

        async def write() -> None:
            number = 0
            while goes_on():
                name, number = chance.choice(names), number + 1
                await pair.write(name, str(number))
                written[name].append((time.monotonic(), number))
                await asyncio.sleep(chance.random() * 0.05)

        async def cut() -> None:
            while goes_on():
                wire = chance.choice([pair.registry, pair.native])
                await asyncio.sleep(chance.random() * 0.8)
                if chance.random() < 0.5:
                    wire.hold(True)
                else:
                    wire.cut()
                await asyncio.sleep(chance.random() * 1.2)
                wire.hold(False)
                wire.mend()

        async def read(client: aiohttp.ClientSession) -> None:
            nonlocal fresh, stale
            while goes_on():
                name, asked_at = chance.choice(names), time.monotonic()
                async with client.get(f"http://127.0.0.1:{pair.edge.port}/api/handles/{name}") as response:
                    told = await response.json(content_type=None)
                is_stale = "Warning" in response.headers
                if response.status in (200, 404):
                    said = int(told["values"][0]["data"]["value"]) if response.status == 200 else 0
                    known_before = asked_at - (limit + bound if is_stale else bound)
                    least = max((number for at, number in written[name] if at <= known_before), default=0)
                    assert said >= least, (name, said, least, is_stale)
                    fresh, stale = fresh + (not is_stale), stale + is_stale
                await asyncio.sleep(chance.random() * 0.01)

        async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as group:
            group.create_task(write())
            group.create_task(cut())
            group.create_task(read(client))
        assert fresh > READINGS
        assert stale > 0
        await pair.heard()
        for name in names:
            if written[name]:
                assert await words_in_the_end(pair, name) == [str(written[name][-1][1])]


async def test_the_doctor_looks_at_the_upstream_of_an_edge(pair: Pair):
    found = await upstream.look(pair.edge.settings)
    assert [(one.part, one.state, one.rule) for one in found.findings] == [
        ("upstream", GOOD, "upstream.reached"),
        ("upstream", GOOD, "upstream.heard"),
    ]
    pair.native.cut()
    pair.registry.cut()
    found = await upstream.look(pair.edge.settings)
    assert [(one.state, one.rule) for one in found.findings] == [(BAD, "upstream.away"), (BAD, "upstream.silent")]
    assert all(one.remedy("zh") and one.sentence("en") for one in found.findings)
