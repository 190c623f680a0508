"""The change log sealed: every version of every handle is under the root of its day, and nothing else is."""

import asyncio
import json
import random
import time
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from registry.did import node_document
from registry.errors import HandleNotFound, ProtocolFault
from registry.handle import Handle
from registry.inclusion import Inclusion
from registry.jose import NotVerified
from registry.sealing import Sealer
from registry.signing import Signer
from registry.transaction import begin
from registry.value import HandleValue
from resolver.client.statements import keys_of, read_proof
from tests.registry.books import CHANGED, DESC, URL, name, register
from tests.registry.bulk_files import line, loaded

TODAY = datetime.now(UTC).date()
TOMORROW = TODAY + timedelta(days=1)
SECRET = HandleValue(9, "COST", b"12.50", permissions=0b1100)
EVERY = "SELECT suffix, version FROM handle UNION ALL SELECT suffix, version FROM handle_history ORDER BY 1, 2"


@pytest.fixture
def signer(tmp_path):
    return Signer(tmp_path)


@pytest.fixture
def sealer(store, tmp_path):
    return Sealer(store, tmp_path)


@pytest.fixture
def keys(signer):
    return keys_of(json.dumps(node_document("did:web:x", [signer.published])).encode())


async def seal(sealer, day=TODAY):
    while await sealer.step(day):
        pass


async def change(store, text, *values):
    async with begin(store, "test") as transaction:
        await transaction.replace(await transaction.lock(name(text)), values)


async def delete(store, text):
    async with begin(store, "test") as transaction:
        await transaction.delete(await transaction.lock(name(text)))


async def load_lines(store, texts):
    report = await loaded(store, b"".join(line(handle, text) for handle, text in texts.items()), key=uuid4().hex)
    assert report.refused == 0


async def proved(store, keys, text, version=None):
    proof = await Inclusion(store).prove(Handle.from_text(text), version)
    return read_proof(proof.to_json(text), keys, time.time())


async def test_each_version_of_a_handle_is_proved_once_its_day_is_over(store, sealer, keys):
    await register(store, "88.118.1/Yarn", URL, SECRET)
    await change(store, "88.118.1/yarn", CHANGED, SECRET)
    await delete(store, "88.118.1/yarn")
    await seal(sealer)
    with pytest.raises(ProtocolFault) as refused:
        await proved(store, keys, "88.118.1/Yarn", 1)
    assert refused.value.rule == "proof.pending"
    await seal(sealer, TOMORROW)
    first, second, third = [await proved(store, keys, "88.118.1/yarn", version) for version in (1, 2, 3)]
    assert [one.data for one in first.values] == [URL.data]
    assert [one.data for one in second.values] == [CHANGED.data]
    assert (third.values, third.change) == ((), "filament.handle.deleted")
    assert {one.day for one in (first, second, third)} == {str(TODAY)}
    with pytest.raises(HandleNotFound):
        await proved(store, keys, "88.118.1/yarn", 4)


async def test_what_is_hidden_is_in_no_leaf(store, sealer):
    await register(store, "88.118.1/A", URL, SECRET)
    await seal(sealer)
    await seal(sealer, TOMORROW)
    proof = await Inclusion(store).prove(name("88.118.1/A"), None)
    for octets in (proof.leaf, proof.octets, proof.to_json("88.118.1/A")):
        assert b"12.50" not in octets
        assert b"COST" not in octets


async def test_a_proof_with_anything_altered_is_refused(store, sealer, keys, tmp_path):
    for number in range(5):
        await register(store, f"88.118.1/{number}", URL)
    await seal(sealer)
    await seal(sealer, TOMORROW)
    document = (await Inclusion(store).prove(name("88.118.1/3"), None)).to_json("88.118.1/3")
    assert read_proof(document, keys, time.time()).handle == "88.118.1/3"
    form = json.loads(document)
    altered = [
        {"leaf": form["leaf"].replace("88.118.1/3", "88.118.1/4")},
        {"leaf": "{}"},
        {"number": form["number"] + 1},
        {"path": form["path"][:-1]},
        {"path": [*form["path"][:-1], "00" * 32]},
        {"values": "AAAAAA=="},
        {"statement": form["statement"] | {"payload": "e30"}},
        {"statement": form["statement"] | {"signature": "A" * 86}},
    ]
    for change_of in altered:
        with pytest.raises(NotVerified):
            read_proof(json.dumps(form | change_of).encode(), keys, time.time())
    other = Signer(tmp_path / "other")
    strangers = keys_of(json.dumps(node_document("did:web:x", [other.published])).encode())
    with pytest.raises(NotVerified):
        read_proof(document, strangers, time.time())


async def test_a_load_has_a_leaf_for_each_handle_that_it_wrote(store, sealer, keys):
    await load_lines(store, {f"88.118.1/L{number:04}": "one" for number in range(3000)})
    await change(store, "88.118.1/L0007", CHANGED)
    await load_lines(store, {f"88.118.1/L{number:04}": "two" for number in range(5, 15)})
    await change(store, "88.118.1/L0009", DESC)
    await seal(sealer)
    await seal(sealer, TOMORROW)
    for text, version, data in (
        ("L2999", 1, b"one"), ("L0007", 1, b"one"), ("L0007", 2, CHANGED.data), ("L0007", 3, b"two"),
        ("L0009", 1, b"one"), ("L0009", 2, b"two"), ("L0009", 3, DESC.data),
    ):  # fmt: skip
        found = await proved(store, keys, f"88.118.1/{text}", version)
        assert (found.version, found.values[0].data) == (version, data)


@pytest.mark.parametrize("seed", range(3))
async def test_every_version_is_under_a_root_however_writers_and_the_sealer_overlap(store, sealer, keys, seed):
    draw = random.Random(seed)

    async def write(writer):
        for step in range(6):
            own = f"88.118.1/W{writer}.{draw.randrange(3)}"
            async with begin(store, "test") as transaction:
                there = await transaction.lock(name(own))
                value = HandleValue(1, "DESC", f"{writer} {step}".encode())
                if there is None:
                    await transaction.create(name(own), (value,))
                elif draw.random() < 0.3:
                    await transaction.delete(there)
                else:
                    await transaction.replace(there, (value,))
                await asyncio.sleep(draw.random() / 100)
            if draw.random() < 0.3:
                texts = {f"88.118.1/W{writer}.{draw.randrange(3)}" for _ in range(2)}
                await load_lines(store, dict.fromkeys(texts, f"load {writer} {step}"))

    writing = asyncio.gather(*(write(writer) for writer in range(4)))
    while not writing.done():
        await sealer.step(TODAY)
        await asyncio.sleep(0.01)
    await writing
    await seal(sealer)
    await seal(sealer, TOMORROW)
    async with store.connection() as connection:
        versions = [(row["suffix"], row["version"]) for row in await connection.fetch(EVERY)]
        leaves = await connection.fetchval("SELECT leaves FROM sealed_day WHERE day = $1", TODAY)
        single = "SELECT count(*) FROM {} WHERE kind = 1"
        sealed, logged = [await connection.fetchval(single.format(name)) for name in ("sealed_change", "change_log")]
    ours = [(suffix, version) for suffix, version in versions if suffix.startswith("W")]
    assert len(ours) > 20
    for suffix, version in ours:
        assert (await proved(store, keys, f"88.118.1/{suffix}", version)).version == version
    assert sealed == logged
    assert leaves >= len(ours)


async def test_days_without_changes_have_roots_too_and_each_names_the_one_before(store, sealer):
    await register(store, "88.118.1/A", URL)
    await seal(sealer)
    await seal(sealer, TODAY + timedelta(days=3))
    inclusion = Inclusion(store)
    days = await inclusion.days(TODAY + timedelta(days=9), 10)
    assert [day["day"] for day in days] == [TODAY + timedelta(days=number) for number in (2, 1, 0)]
    before = None
    for day in reversed(days):
        form = json.loads(await inclusion.statement(day["day"]))
        body = json.loads(urlsafe_b64decode(form["payload"] + "==="))
        assert (body["root"], body["leaves"]) == (day["root"], day["leaves"])
        assert body["previous"] == before
        before = {"day": str(day["day"]), "root": day["root"]}
    assert days[0]["root"] == days[1]["root"] != days[2]["root"]


async def test_two_registries_seal_nothing_twice_and_a_crash_half_way_loses_nothing(store, tmp_path, database_dsn):
    for number in range(40):
        await register(store, f"88.118.1/{number}", URL)
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("ALTER TABLE sealed_day ADD CONSTRAINT full_disk CHECK (leaves < 10)")
    with pytest.raises(asyncpg.CheckViolationError):
        await Sealer(store, tmp_path).step(TODAY)
    assert await connection.fetchval("SELECT count(*) FROM sealed_tile") == 0
    await connection.execute("ALTER TABLE sealed_day DROP CONSTRAINT full_disk")
    await asyncio.gather(*(seal(Sealer(store, tmp_path)) for _ in range(3)))
    sealed = await connection.fetchval("SELECT count(*) FROM sealed_change")
    assert sealed == await connection.fetchval("SELECT count(*) FROM change_log")
    await connection.close()


async def test_a_change_of_yesterday_that_was_not_sealed_then_is_under_the_root_of_its_day(
    store, sealer, keys, database_dsn
):
    await register(store, "88.118.1/A", URL)
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("UPDATE change_log SET at = at - interval '1 day'")
    await connection.close()
    await register(store, "88.118.1/B", URL)
    await seal(sealer)
    assert (await proved(store, keys, "88.118.1/A")).day == str(TODAY - timedelta(days=1))
    with pytest.raises(ProtocolFault):
        await proved(store, keys, "88.118.1/B")
