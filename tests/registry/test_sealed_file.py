"""A sealed file is read by its key alone, whole or not at all."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.sealed_file import PIECE, TAG, NotOpened, make_key, seal, unseal


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    private = tmp_path_factory.mktemp("keys") / "off-site.key"
    return private, make_key(private)


def sealed(content: bytes, public) -> bytes:
    target = io.BytesIO()
    seal(io.BytesIO(content), target, public)
    return target.getvalue()


def unsealed(octets: bytes, private) -> bytes:
    target = io.BytesIO()
    unseal(io.BytesIO(octets), target, private)
    return target.getvalue()


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_what_was_sealed_is_read_back(keys, size):
    content = bytes(number % 251 for number in range(size))
    assert unsealed(sealed(content, keys[1]), keys[0]) == content


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_one_changed_bit_is_noticed(keys, at, bit):
    octets = bytearray(sealed(b"identifiers of a year", keys[1]))
    octets[at % len(octets)] ^= 1 << bit
    with pytest.raises((NotOpened, ValueError)):
        unsealed(bytes(octets), keys[0])


def test_a_file_that_is_cut_off_between_two_pieces_is_noticed(keys):
    octets = sealed(bytes(2 * PIECE), keys[1])
    with pytest.raises(NotOpened, match="cut off"):
        unsealed(octets[: -(PIECE + TAG)], keys[0])


def test_another_key_opens_nothing(keys, tmp_path):
    make_key(tmp_path / "other.key")
    with pytest.raises(NotOpened):
        unsealed(sealed(b"x", keys[1]), tmp_path / "other.key")
    assert (tmp_path / "other.key").stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        make_key(tmp_path / "other.key")
