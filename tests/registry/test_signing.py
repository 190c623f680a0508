"""The node's signing key: one for all processes, replaced by command, never forgotten."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from registry.jose import ANSWER, NotVerified, verify
from registry.signing import SIGNING_KEY, Signer, publish, published_keys, rotate


def test_processes_that_start_at_once_have_one_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        signers = list(pool.map(lambda _: Signer(tmp_path), range(16)))
    assert len({signer.published.key_id for signer in signers}) == 1
    assert stat.S_IMODE((tmp_path / SIGNING_KEY).stat().st_mode) == 0o600


def test_a_file_that_holds_another_key_is_refused(tmp_path):
    (tmp_path / SIGNING_KEY).write_text("no key")
    with pytest.raises(ValueError):
        Signer(tmp_path)


async def test_a_rotation_is_seen_by_every_process_and_the_former_key_stays_published(store, tmp_path):
    now = [1_790_000_000.0]
    first, second = Signer(tmp_path, lambda: now[0]), Signer(tmp_path, lambda: now[0])
    await publish(store, first.published)
    before = first.sign(ANSWER, b"before")
    former, new = await rotate(store, tmp_path)
    after = [signer.sign(ANSWER, b"after") for signer in (first, second)]
    assert former.key_id == before.header()["kid"]
    assert {signed.header()["kid"] for signed in after} == {new.key_id}
    published = {key.key_id: key for key in await published_keys(store)}
    assert set(published) == {former.key_id, new.key_id}
    assert published[new.key_id].retired_at is None
    assert verify(before, published, ANSWER, now[0])["iat"] == 1_790_000_000
    assert all(verify(signed, published, ANSWER, now[0]) for signed in after)


async def test_a_stolen_former_key_signs_nothing_any_more(store, tmp_path):
    stolen = tmp_path / "stolen"
    stolen.mkdir()
    Signer(tmp_path)
    (stolen / SIGNING_KEY).write_bytes((tmp_path / SIGNING_KEY).read_bytes())
    await rotate(store, tmp_path)
    published = {key.key_id: key for key in await published_keys(store)}
    later = max(key.retired_at.timestamp() for key in published.values() if key.retired_at) + 1
    with pytest.raises(NotVerified) as refused:
        verify(Signer(stolen, lambda: later).sign(ANSWER, b"x"), published, ANSWER, later)
    assert refused.value.rule == "signed.retired"
