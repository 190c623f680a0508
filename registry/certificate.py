"""The node's key and its certificate: made on the first start, replaceable, read again when their files change.

The node's RSA key is made once and kept: it signs what the server says of itself and stands in its site record, so it
outlives every certificate. The self-made certificate uses it too; a certificate of the operator's brings its own key.
"""

import asyncio
import contextlib
import fcntl
import ipaddress
import logging
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from registry.keys import PublicKey
from registry.start_errors import CertificateRefused
from registry.whole_file import write_whole

log = logging.getLogger(__name__)

KEY_BITS: Final = 2048  # What every client of the protocol can verify; older ones stop here.
LIFETIME: Final = timedelta(days=825)  # The longest that current systems accept of a certificate.
RENEW_BEFORE: Final = timedelta(days=30)
LOOK_INTERVAL: Final = 60.0  # Seconds between looks at the files; renewal tools replace them without telling.
NODE_KEY: Final = "node-key.pem"
NODE_CERTIFICATE: Final = "node-certificate.pem"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where the certificate and its key are, and who is accepted as issuer of clients' ones."""

    certificate: Path
    private_key: Path
    client_authorities: Path | None = None

    def state(self) -> tuple[tuple[int, int], ...]:
        """What changes when a file is replaced. Raises OSError."""
        files = (self.certificate, self.private_key, self.client_authorities)
        states = [path.stat() for path in files if path is not None]
        return tuple((state.st_mtime_ns, state.st_ino) for state in states)


class Certificate:
    """The certificate in use. `context` is for new connections; it changes when `reload` finds other files."""

    def __init__(
        self,
        data_directory: Path,
        *,
        certificate: str = "",
        private_key: str = "",
        client_authorities: str = "",
        names: Collection[str] = (),
    ) -> None:
        """Makes what is missing. Raises OSError, ValueError or ssl.SSLError for files that cannot be used."""
        self.node_key = node_key(data_directory)
        self._own = None if certificate else data_directory / NODE_CERTIFICATE
        self._names = tuple(names)
        self._directory = data_directory
        self._files = self._named(certificate, private_key, client_authorities)
        self._renew_own()
        self._state = self._files.state()
        self.context = _context(self._files)

    def use(self, certificate: str, private_key: str, client_authorities: str) -> None:
        """Other files from now on, if they can be used."""
        former, own = self._files, self._own
        self._files = self._named(certificate, private_key, client_authorities)
        self._own = None if certificate else self._directory / NODE_CERTIFICATE
        if self._files != former and not self.reload():
            self._files, self._own = former, own

    def _named(self, certificate: str, private_key: str, client_authorities: str) -> CertificateFiles:
        return CertificateFiles(
            Path(certificate) if certificate else self._directory / NODE_CERTIFICATE,
            Path(private_key or certificate) if certificate else self._directory / NODE_KEY,
            Path(client_authorities) if client_authorities else None,
        )

    def reload(self) -> bool:
        """Uses the files as they are now, if they changed. Files that cannot be used are reported and left aside."""
        try:
            self._renew_own()
            state = self._files.state()
            if state == self._state:
                return False
            refuse_unusable(self._files.certificate, self._files.private_key)
            self.context = _context(self._files)
        except (OSError, ValueError, CertificateRefused) as error:  # ssl.SSLError is an OSError
            log.warning("the certificate %s cannot be used, the former one stays: %s", self._files.certificate, error)
            return False
        self._state = state
        log.info("certificate %s loaded", self._files.certificate)
        return True

    async def watch(self) -> None:
        """Looks at the files from time to time, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            await asyncio.to_thread(self.reload)

    def _renew_own(self) -> None:
        if self._own is None or _is_current(self._own, self.node_key):
            return
        # Processes of a node begin at once: one makes it, and none shows what another has just replaced.
        with (self._directory / NODE_KEY).open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if not _is_current(self._own, self.node_key):
                write_whole(self._own, make_certificate(self.node_key, self._names, datetime.now(UTC)), mode=0o644)
                log.info("made the certificate %s", self._own)


def refuse_unusable(certificate: Path, private_key: Path, now: datetime | None = None) -> None:
    """Refuses a chain and a key that no client would accept at this moment. Raises CertificateRefused."""
    now = now or datetime.now(UTC)
    try:
        chain = x509.load_pem_x509_certificates(certificate.read_bytes())
        _context(CertificateFiles(certificate, private_key))
    except (OSError, ValueError) as error:
        raise CertificateRefused("no-certificate", file=str(certificate), reason=error) from None
    for link in chain:
        if link.not_valid_after_utc < now:
            raise CertificateRefused("expired", file=str(certificate), at=link.not_valid_after_utc.isoformat())
        if link.not_valid_before_utc > now:
            raise CertificateRefused("not-yet-valid", file=str(certificate), at=link.not_valid_before_utc.isoformat())


def refuse_no_authorities(file: Path) -> None:
    """Refuses a file in which there is nobody to trust. Raises CertificateRefused."""
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:  # ssl.SSLError is one.
        raise CertificateRefused("no-authorities", file=str(file), reason=error) from None


def node_key(data_directory: Path) -> rsa.RSAPrivateKey:
    """The node's own key, made by the first process that asks for it. Raises OSError or ValueError."""
    path = data_directory / NODE_KEY
    if not path.exists():
        data_directory.mkdir(parents=True, exist_ok=True)
        made = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with contextlib.suppress(FileExistsError):  # Another process was first: its key is the node's.
            write_whole(path, pem, mode=0o600, replace=False)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{path} holds no RSA key")
    return key


def public_key(key: rsa.RSAPrivateKey) -> PublicKey:
    """The node's key as HS_PUBKEY data says it."""
    numbers = key.public_key().public_numbers()
    return PublicKey("RSA_PUB_KEY", {"e": numbers.e, "n": numbers.n})


def make_certificate(key: rsa.RSAPrivateKey, names: Collection[str], now: datetime) -> bytes:
    """A certificate of our own for this machine's names and addresses, as PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Filament node")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks of clients differ
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(_alternative_names(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _alternative_names(names: Collection[str]) -> list[x509.GeneralName]:
    texts = dict.fromkeys(("localhost", "127.0.0.1", "::1", socket.gethostname(), *names))
    return [_general_name(text) for text in texts if text and text.isascii()]


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _is_current(path: Path, key: rsa.RSAPrivateKey) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    fresh = certificate.not_valid_after_utc - RENEW_BEFORE > datetime.now(UTC)
    return fresh and certificate.public_key() == key.public_key()


def _context(files: CertificateFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.private_key)
    context.set_alpn_protocols(["http/1.1"])
    if files.client_authorities is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
        # A client's own self-made certificate may stand in the list, not only an authority's.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(files.client_authorities)
    return context
