"""The inputs that are kept: one file a surface, one input a line in hex; what stands behind '#' is for the reader."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from registry.octets import Truncated
from resolver.wire.challenge import ChallengeAnswer, Verification
from resolver.wire.envelope import ProtocolError
from resolver.wire.message import Message
from resolver.wire.query import HandleValues
from resolver.wire.session_setup import SessionOpened, SessionSetup
from tests.fuzz.surfaces import BODIES, NAMES
from tests.resolver.wire.captured import steps

CORPUS = Path(__file__).parent / "corpus"


def kept(surface: str) -> list[bytes]:
    path = CORPUS / f"{surface}.hex"
    lines = path.read_text("ascii").splitlines() if path.exists() else []
    return [bytes.fromhex(octets) for line in lines if (octets := line.partition("#")[0].strip())]


def keep(surface: str, inputs: list[bytes]) -> None:
    """Writes a surface's file, shortest first."""
    lines = sorted({octets.hex() for octets in inputs if octets}, key=lambda line: (len(line), line))
    (CORPUS / f"{surface}.hex").write_text("".join(f"{line}\n" for line in lines), "ascii")


def numbered(surface: str, octets: bytes) -> bytes:
    """The input as the fuzzer has it."""
    return bytes([NAMES.index(surface)]) + octets


def seeds() -> Iterator[bytes]:
    """What a campaign begins with: what was kept, and the captured messages on every surface that they fit."""
    for surface in NAMES:
        for octets in kept(surface):
            yield numbered(surface, octets)
    earlier = b""
    for step in steps():
        for packet in step.packets:
            yield numbered("datagrams", b"\0\1" + len(packet).to_bytes(2, "big") + packet)
        if step.octets:
            yield numbered("message", step.octets)
            yield numbered("stream", b"\x14\x18\x07\x40" + step.octets)
            yield numbered("pieces", b"\2\1\0\1\2\3\0\0" + step.octets)
            yield numbered("sealed", step.octets[20:])
            yield numbered("answers", step.octets)
            yield numbered("connection", b"\x13\x20\x01\x30\xff\x05" + step.octets + earlier)
            earlier = step.octets
            yield from _inside(step.octets)


def _inside(octets: bytes) -> Iterator[bytes]:
    """What stands in a message, and in its values, as bodies of every form; public keys besides as such."""
    with suppress(ProtocolError, Truncated):
        message = Message.from_wire(octets)
        contents = {message.body, message.content, message.credential}
        for form in (ChallengeAnswer, SessionSetup, HandleValues, SessionOpened, Verification):
            with suppress(Truncated):
                contents |= _parts(form.from_wire(message.content))
        for content in sorted(contents):
            yield from (numbered("body", bytes([form]) + content) for form in range(len(BODIES)))
            if b"_PUB_KEY" in content[:16]:
                yield numbered("key", content)
                yield numbered("key", content[4:])  # behind the number of a cipher


def _parts(body: object) -> set[bytes]:
    match body:
        case ChallengeAnswer(answer=octets) | Verification(answer=octets) | SessionSetup(public_key=octets):
            return {octets}
        case SessionOpened(octets=octets):
            return {octets}
        case HandleValues(values=values):
            return {value.data for value in values}
    return set()
