"""The node's key and certificate: made once, kept, renewed, replaced under the running node."""

import fcntl
import logging
import os
import ssl
import stat
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from registry.certificate import Certificate, make_certificate, node_key, public_key
from registry.keys import PublicKey


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def pem(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def replaced(path: Path, content: bytes) -> None:
    """As renewal tools do it: another file in its place."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def shown(context: ssl.SSLContext) -> bytes:
    """The certificate that a context shows in its handshake."""
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_side = context.wrap_bio(to_server, to_client, server_side=True)
    client_side = client.wrap_bio(to_client, to_server)
    for _ in range(4):
        for side in (client_side, server_side):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    certificate = client_side.getpeercert(binary_form=True)
    assert certificate is not None
    return certificate


def test_the_first_start_makes_a_key_that_only_the_node_may_read_and_later_ones_keep_it(tmp_path: Path):
    first = Certificate(tmp_path / "made", names=("192.0.2.7", "node.example"))
    path = tmp_path / "made" / "node-key.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    second = Certificate(tmp_path / "made")
    assert path.read_bytes() == before
    assert shown(first.context) == shown(second.context)
    made = read(tmp_path / "made" / "node-certificate.pem")
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "node.example"} <= set(names.get_values_for_type(x509.DNSName))
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "::1", "192.0.2.7"}
    assert timedelta(days=820) < made.not_valid_after_utc - datetime.now(UTC) < timedelta(days=826)


def test_processes_that_start_together_have_one_key(tmp_path: Path):
    keys: list[int] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        barrier.wait()
        keys.append(node_key(tmp_path).private_numbers().d)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["node-key.pem"]


def test_a_process_that_finds_another_making_the_certificate_shows_that(tmp_path: Path):
    """An edge that was given the file found another certificate at one of two ports of its upstream, for a minute."""
    key, made = node_key(tmp_path), []
    waiting = threading.Thread(target=lambda: made.append(Certificate(tmp_path)))
    with (tmp_path / "node-key.pem").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting.start()
        until = time.monotonic() + 20
        while f"-> FLOCK  ADVISORY  WRITE {os.getpid()} " not in Path("/proc/locks").read_text():
            assert time.monotonic() < until
        (tmp_path / "node-certificate.pem").write_bytes(make_certificate(key, (), datetime.now(UTC)))
    waiting.join()
    der = read(tmp_path / "node-certificate.pem").public_bytes(serialization.Encoding.DER)
    assert [shown(one.context) for one in made] == [der]


def test_an_own_certificate_that_runs_out_is_renewed_with_the_same_key(tmp_path: Path):
    key = node_key(tmp_path)
    old = make_certificate(key, (), datetime.now(UTC) - timedelta(days=800))
    (tmp_path / "node-certificate.pem").write_bytes(old)
    Certificate(tmp_path)
    renewed = read(tmp_path / "node-certificate.pem")
    assert renewed.not_valid_after_utc > datetime.now(UTC) + timedelta(days=800)
    assert renewed.public_key() == key.public_key()


def test_the_operators_certificate_is_used_and_read_again_when_its_files_change(tmp_path: Path):
    key = ec.generate_private_key(ec.SECP256R1())
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"

    def write() -> bytes:
        made = make_certificate(key, ("node.example",), datetime.now(UTC))
        replaced(files[0], made)
        return x509.load_pem_x509_certificate(made).public_bytes(serialization.Encoding.DER)

    first = write()
    files[1].write_bytes(pem(key))
    certificate = Certificate(tmp_path / "data", certificate=str(files[0]), private_key=str(files[1]))
    assert shown(certificate.context) == first
    assert not certificate.reload()
    second = write()
    assert certificate.reload()
    assert shown(certificate.context) == second
    assert isinstance(certificate.node_key, rsa.RSAPrivateKey)  # The node signs with a key of its own.


def test_files_that_cannot_be_used_leave_the_former_certificate_in_use(tmp_path: Path, caplog):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = tmp_path / "both.pem"
    path.write_bytes(make_certificate(key, (), datetime.now(UTC)) + pem(key))
    certificate = Certificate(tmp_path / "data", certificate=str(path))
    before = shown(certificate.context)
    replaced(path, b"no certificate")
    with caplog.at_level(logging.WARNING):
        assert not certificate.reload()
    assert "the former one stays" in caplog.text
    assert shown(certificate.context) == before
    path.unlink()
    assert not certificate.reload()
    assert shown(certificate.context) == before


def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path):
    (tmp_path / "broken.pem").write_bytes(b"nothing")
    with pytest.raises(ssl.SSLError):
        Certificate(tmp_path / "data", certificate=str(tmp_path / "broken.pem"))
    with pytest.raises(FileNotFoundError):
        Certificate(tmp_path / "data", certificate=str(tmp_path / "missing.pem"))


def test_the_nodes_key_is_told_as_a_handle_value_would_tell_it(tmp_path: Path):
    key = node_key(tmp_path)
    told = PublicKey.from_wire(public_key(key).to_wire())
    assert told.integers["n"] == key.public_key().public_numbers().n
