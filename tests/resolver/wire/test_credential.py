import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, rsa

from resolver.wire.credential import (
    SIGNED,
    Credential,
    mac_is_right,
    signature_is_right,
    with_mac,
    with_signature,
)
from resolver.wire.envelope import TRUNCATED
from resolver.wire.message import Message
from tests.resolver.wire.messages import URL_QUERY

KEY = bytes(range(32))
VERSIONS = [(2, minor) for minor in range(12)]
QUERY = Message.from_wire(URL_QUERY)._replace(session_id=0x01020304)

every_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: "{}.{}".format(*version))


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def dsa_key():
    return dsa.generate_private_key(2048)


def in_version(version):
    return QUERY._replace(major=version[0], minor=version[1])


def read(message):
    return Credential.from_wire(message.credential)


@every_version
def test_a_mac_is_right_for_its_message_its_key_and_no_other(version):
    message = with_mac(in_version(version), KEY, 7)
    credential = read(message)
    assert (credential.type, credential.counter) == ("HS_MAC", 7)
    assert mac_is_right(message, credential, KEY)
    assert not mac_is_right(message, credential, bytes(32))
    assert not mac_is_right(message._replace(body=message.body + b"\0"), credential, KEY)
    assert not mac_is_right(message._replace(op_flags=0), credential, KEY)
    assert not mac_is_right(message, Credential(SIGNED, credential.algorithm, credential.octets, 7), KEY)


@pytest.mark.parametrize("minor", [7, 8, 11])
def test_a_mac_covers_the_ids_and_the_counter_from_2_7_on(minor):
    message = with_mac(in_version((2, minor)), KEY, 7)
    credential = read(message)
    assert not mac_is_right(message._replace(session_id=1), credential, KEY)
    assert not mac_is_right(message._replace(request_id=1), credential, KEY)
    assert not mac_is_right(message, Credential("HS_MAC", credential.algorithm, credential.octets, 8), KEY)


@pytest.mark.parametrize(
    ("version", "algorithm", "size"),
    [
        ((2, 0), b"\2", 20),
        ((2, 4), b"\2", 20),
        ((2, 5), b"\2", 20),
        ((2, 6), b"SHA1", 20),
        ((2, 7), b"HMAC-SHA256", 32),
    ],
)
def test_a_mac_names_its_algorithm_as_its_version_does(version, algorithm, size):
    credential = read(with_mac(in_version(version), KEY, 1))
    assert credential.algorithm == algorithm
    assert len(credential.octets) == size


@every_version
def test_a_signature_is_right_for_its_message_and_its_key_in_every_version(version, rsa_key, dsa_key):
    for key in (rsa_key, dsa_key):
        message = with_signature(in_version(version), key)
        credential = read(message)
        assert credential.type == "HS_SIGNED"
        assert signature_is_right(message, credential, key.public_key())
        assert not signature_is_right(message._replace(expiration=1), credential, key.public_key())
    assert not signature_is_right(message, credential, rsa_key.public_key())


@pytest.mark.parametrize(
    ("minor", "rsa_hash", "dsa_hash"), [(6, b"SHA1", b"SHA1"), (7, b"SHA-256", b"SHA1"), (11, b"SHA-256", b"SHA-256")]
)
def test_a_signature_uses_the_hash_that_its_version_knows(minor, rsa_hash, dsa_hash, rsa_key, dsa_key):
    message = in_version((2, minor))
    assert read(with_signature(message, rsa_key)).algorithm == rsa_hash
    assert read(with_signature(message, dsa_key)).algorithm == dsa_hash


def test_a_signature_survives_that_its_message_is_cut_into_datagrams(rsa_key):
    message = with_signature(QUERY, rsa_key)
    cut = message._replace(flags=message.flags | TRUNCATED)
    assert signature_is_right(cut, read(cut), rsa_key.public_key())


def test_a_signature_made_with_md5_is_never_right(rsa_key):
    message = with_signature(QUERY, rsa_key)
    credential = read(message)
    forged = Credential(SIGNED, b"MD5", credential.octets)
    assert not signature_is_right(message, forged, rsa_key.public_key())
    respelt = Credential(SIGNED, b"sha256", credential.octets)
    assert signature_is_right(message, respelt, rsa_key.public_key())


def test_the_first_version_is_also_written_5_0():
    message = with_mac(in_version((5, 0)), KEY, 1)
    assert read(message).algorithm == b"\2"
    assert mac_is_right(message, read(message), KEY)
