"""The machine below a node: its disk, clock, memory, ports and certificates."""

import asyncio
import ctypes
import shutil
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from registry.certificate import NODE_CERTIFICATE, NODE_KEY, refuse_unusable
from registry.start_checks import LEAST_ROOM, refuse_full_disk
from registry.start_errors import StartRefused
from resolver.diagnosis.finding import BAD, DOUBTFUL, GOOD, Finding
from resolver.memory import ENABLED
from resolver.questions import Place
from resolver.settings import Settings

GIB: Final = 1 << 30
SHORT: Final = 0.2  # Of a disk: below it a bulk load, which needs its own size once more, may not end.
ENDS: Final = 21  # Days that whoever has to order a certificate needs.
CLOCK_OFF: Final = 1.0  # Seconds from the database's: what is shown as the time of writing would be in the future.
CONNECT: Final = 2.0  # Seconds for a port on this machine.
TIME_ERROR: Final = 5  # What adjtimex(2) returns of a clock that nothing keeps.
TIMEX: Final = 512  # Octets; its structure has 208, and all zero asks without changing.


def disk(settings: Settings) -> Finding:
    directory = Path(settings.registry.data_directory)
    try:
        refuse_full_disk(directory)
    except StartRefused as error:
        return Finding("disk", BAD, "refused", {"error": error})
    usage = shutil.disk_usage(directory)
    share = usage.free / usage.total
    told = {"directory": str(directory), "free": usage.free / GIB, "share": share}
    if share < SHORT and usage.free < 100 * LEAST_ROOM:
        return Finding("disk", DOUBTFUL, "disk.short", told)
    return Finding("disk", GOOD, "disk.roomy", told)


def clock(database_is_ahead: float | None) -> Iterator[Finding]:
    """What the system says of its clock, and how far it is from the database's."""
    if database_is_ahead is not None:
        off = abs(database_is_ahead)
        good = off < CLOCK_OFF
        yield Finding("clock", GOOD if good else DOUBTFUL, "clock.right" if good else "clock.off", {"seconds": off})
    if _unsynchronised():
        yield Finding("clock", DOUBTFUL, "clock.unsynchronised")


def _unsynchronised() -> bool:
    try:
        return bool(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX)) == TIME_ERROR)
    except AttributeError:  # no Linux
        return False


def huge_pages() -> Finding:
    try:
        words = ENABLED.read_text("ascii").split()
    except OSError:
        return Finding("huge_pages", GOOD, "huge_pages.unknown")
    choice = next(word.strip("[]") for word in words if word.startswith("["))
    if choice == "never":
        return Finding("huge_pages", DOUBTFUL, "huge_pages.never")
    return Finding("huge_pages", GOOD, "huge_pages.allowed", {"choice": choice})


async def ports(settings: Settings, place: Place) -> list[Finding]:
    wanted: dict[str, tuple[str, int]] = {
        "HTTP": (place.host, settings.resolver.port),
        "Handle": (place.host, settings.resolver.native_port),
        "status": (settings.status.listen, settings.status.port),
    }
    if not settings.is_edge:
        wanted["registry"] = (settings.registry.listen, settings.registry.port)
    if settings.resolver.dns_zone:
        wanted["DNS"] = (place.host, settings.resolver.dns_port)
    opened = await asyncio.gather(*(_is_open(host, port) for host, port in wanted.values()))
    closed = [
        Finding("ports", BAD, "ports.closed", {"port": port, "name": name})
        for (name, (_, port)), is_open in zip(wanted.items(), opened, strict=True)
        if not is_open
    ]
    numbers = ", ".join(str(port) for _, port in wanted.values())
    return closed or [Finding("ports", GOOD, "ports.open", {"ports": numbers})]


async def _is_open(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()
    return True


def certificate(settings: Settings, place: Place) -> Finding:
    """The file, its time, and whether it is the one that clients are shown."""
    ours, directory = settings.resolver, Path(settings.registry.data_directory)
    file = Path(ours.certificate) if ours.certificate else directory / NODE_CERTIFICATE
    try:
        refuse_unusable(file, Path(ours.private_key) if ours.certificate else directory / NODE_KEY)
    except StartRefused as error:
        return Finding("certificate", BAD, "refused", {"error": error})
    leaf = x509.load_pem_x509_certificate(file.read_bytes())
    shown = _shown(place)
    if shown is not None and shown != leaf.public_bytes(Encoding.DER):
        return Finding("certificate", DOUBTFUL, "certificate.old_shown", {"file": str(file)})
    days = (leaf.not_valid_after_utc - datetime.now(UTC)).days
    good = days >= ENDS or not ours.certificate  # the self-made one is renewed by itself
    rule = "certificate.valid" if good else "certificate.ends"
    return Finding("certificate", GOOD if good else DOUBTFUL, rule, {"days": days})


def _shown(place: Place) -> bytes | None:
    """The certificate that a client gets, as DER; None when nobody shows one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((place.host, place.ports["https"]), CONNECT) as plain,
            context.wrap_socket(plain) as secured,
        ):
            return secured.getpeercert(binary_form=True)
    except OSError:
        return None
