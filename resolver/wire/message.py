"""A message of the Handle protocol: envelope, header, body, credential (RFC 3652, section 2.2).

`Message` is a named tuple and not a dataclass: it is made for every request, in a third of the time.
A body is octets here; each operation's own module reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from registry.errors import ResponseCode
from registry.octets import Reader, Truncated
from resolver.wire.codes import MessageFlag, OpFlag
from resolver.wire.digest import RequestDigest
from resolver.wire.envelope import (
    ENCRYPTED,
    ENVELOPE,
    NEWEST,
    Envelope,
    ProtocolError,
    Version,
    rules_of,
    version_of_answer,
)

HEADER: Final = 24  # Octets.
UNKNOWN_SERIAL: Final = 0xFFFF  # Of a requester that has no site information yet.
NO_RESPONSE: Final = 0  # The response code of a request.

# Flags that an answer repeats from its request.
COPIED: Final = int(
    OpFlag.CERTIFY | OpFlag.ENCRYPT | OpFlag.RECURSIVE | OpFlag.CACHE_CERTIFY | OpFlag.PUBLIC_ONLY | OpFlag.DO_NOT_REFER
)
AUTHORITATIVE: Final = int(OpFlag.AUTHORITATIVE)
REQUEST_DIGEST: Final = int(OpFlag.REQUEST_DIGEST)

# Requesters below 2.5 do not know these codes; the reference server gives them older ones.
OLDER_CODES: Final[Mapping[int, int]] = {
    ResponseCode.SERVER_READ_ONLY: ResponseCode.PREFIX_REFERRAL,
    ResponseCode.INVALID_VALUE: ResponseCode.VALUE_ALREADY_EXISTS,
}

_FIXED = Struct(">BBBBiiiIIIIHBBII")  # The envelope and the header.
_HEADER = Struct(">IIIHBBII")
_START = ENVELOPE + HEADER
_NO_CREDENTIAL = bytes(4)
_UNREADABLE = ENCRYPTED | int(MessageFlag.COMPRESSED)


class Message(NamedTuple):
    """A request or an answer in clear. `op_code` and `response_code` may be numbers that have no name."""

    major: int
    minor: int
    flags: int  # with the suggested major version in the lower two bits
    suggested_minor: int
    session_id: int
    request_id: int
    sequence: int
    op_code: int
    response_code: int
    op_flags: int
    site_serial: int
    recursion: int
    reserved: int
    expiration: int
    body: bytes
    credential: bytes

    @classmethod
    def from_wire(cls, octets: bytes) -> "Message":
        """★ Raises ProtocolError, for a message that is encrypted too."""
        if len(octets) < _START:
            raise ProtocolError(f"{len(octets)} octets; a message has {_START}", _envelope(octets))
        (major, minor, flags, suggested_minor, session_id, request_id, sequence, length, op_code, response_code,
         op_flags, site_serial, recursion, reserved, expiration, body_length) = _FIXED.unpack_from(octets)  # fmt: skip
        end = _START + body_length
        credential = octets[end:]
        if length != len(octets) - ENVELOPE or flags & _UNREADABLE or not (op_code or response_code):
            raise _refusal(octets)
        credential = b"" if credential == _NO_CREDENTIAL else _credential(octets, end)
        return cls(major, minor, flags, suggested_minor, session_id, request_id, sequence, op_code, response_code,
                   op_flags, site_serial, recursion, reserved, expiration, octets[_START:end], credential)  # fmt: skip

    def to_wire(self) -> bytes:
        """★"""
        (major, minor, flags, suggested_minor, session_id, request_id, sequence, op_code, response_code,
         op_flags, site_serial, recursion, reserved, expiration, body, credential) = self  # fmt: skip
        length = HEADER + len(body) + 4 + len(credential)
        fixed = _FIXED.pack(major, minor, flags, suggested_minor, session_id, request_id, sequence, length,
                            op_code, response_code, op_flags, site_serial, recursion, reserved, expiration,
                            len(body))  # fmt: skip
        return b"".join((fixed, body, len(credential).to_bytes(4, "big"), credential))

    @property
    def envelope(self) -> Envelope:
        length = HEADER + len(self.body) + 4 + len(self.credential)
        return Envelope(*self[:7], length)

    @property
    def version(self) -> Version:
        """The rules that the message was written by."""
        return rules_of(self.major, self.minor)

    @property
    def answer_version(self) -> Version:
        """What an answer to this message is written in, on the wire; `rules_of` says which rules that means."""
        return version_of_answer(self.major, self.minor, self.flags, self.suggested_minor)

    @property
    def is_request(self) -> bool:
        return self.response_code == NO_RESPONSE

    @property
    def covered(self) -> bytes:
        """The header and the body: what digests, MACs and signatures are taken over."""
        return _HEADER.pack(self.op_code, self.response_code, self.op_flags, self.site_serial, self.recursion,
                            self.reserved, self.expiration, len(self.body)) + self.body  # fmt: skip

    @property
    def content(self) -> bytes:
        """The body without the digest that an answer may carry in front. Raises Truncated."""
        if self.is_request or not self.op_flags & REQUEST_DIGEST:
            return self.body
        reader = Reader(self.body)
        RequestDigest.from_wire(reader)
        return self.body[reader.position :]

    def answered(
        self,
        code: int,
        body: bytes = b"",
        *,
        expiration: int,
        serial: int,
        flags: int = AUTHORITATIVE,
        session_id: int | None = None,
        request_id: int | None = None,
    ) -> "Message":
        """★ The answer to this request, in the version that it suggests, with its digest where it asks for one.

        The answer to a challenge that was met is the answer to the request that was challenged, under the request
        id and, outside sessions, without the session id of the message that met it: hence the last two parameters.
        """
        major, minor = self.answer_version
        version = rules_of(major, minor)
        if (self.op_flags | flags) & REQUEST_DIGEST:
            flags |= REQUEST_DIGEST
            body = RequestDigest.of(self.covered, version).to_wire() + body
        if version < (2, 5):
            code = OLDER_CODES.get(code, code)
        return Message(
            major,
            minor,
            NEWEST[0],
            NEWEST[1],
            self.session_id if session_id is None else session_id,
            self.request_id if request_id is None else request_id,
            0,
            self.op_code,
            code,
            self.op_flags & COPIED | flags,
            serial,
            self.recursion,
            0,
            expiration,
            body,
            b"",
        )


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """An encrypted message: whose it is can be read, what it says needs the session's key (`session_cipher`)."""

    envelope: Envelope
    ciphertext: bytes

    @classmethod
    def from_wire(cls, octets: bytes) -> "SealedMessage":
        envelope = Envelope.from_wire(octets)
        if envelope.length != len(octets) - ENVELOPE or not envelope.is_encrypted:
            raise ProtocolError("not an encrypted message", envelope)
        return cls(envelope, octets[ENVELOPE:])

    def to_wire(self) -> bytes:
        return self.envelope.to_wire() + self.ciphertext


def message_from_wire(octets: bytes) -> Message | SealedMessage:
    """Reads a whole message, encrypted or not. Raises ProtocolError."""
    if len(octets) > ENVELOPE and octets[2] & ENCRYPTED:
        return SealedMessage.from_wire(octets)
    return Message.from_wire(octets)


def refused(envelope: Envelope, code: int, body: bytes = b"", *, expiration: int, serial: int) -> Message:
    """The answer to a message of which no more than the envelope could be read; nobody knows its op code."""
    major, minor = envelope.answer_version
    return Message(major, minor, NEWEST[0], NEWEST[1], envelope.session_id, envelope.request_id, 0, 0, code,
                   0, serial, 0, 0, expiration, body, b"")  # fmt: skip


def _envelope(octets: bytes) -> Envelope | None:
    return Envelope.from_wire(octets) if len(octets) >= ENVELOPE else None


def _refusal(octets: bytes) -> ProtocolError:
    envelope = Envelope.from_wire(octets)
    if envelope.length != len(octets) - ENVELOPE:
        return ProtocolError(f"{envelope.length} octets announced, {len(octets) - ENVELOPE} there", envelope)
    if envelope.flags & _UNREADABLE:
        return ProtocolError("compressed, or encrypted", envelope)
    return ProtocolError("op code 0 in a request", envelope)


def _credential(octets: bytes, end: int) -> bytes:
    """What stands behind the body; the reference server reads messages that lack even the length of it."""
    if end > len(octets):
        raise ProtocolError(f"a body of {end - _START} octets, {len(octets) - _START} there", _envelope(octets))
    reader = Reader(octets, end)
    if not reader.remaining:
        return b""
    try:
        credential = reader.counted()
        reader.expect_end()
    except Truncated as error:
        raise ProtocolError(str(error), _envelope(octets)) from None
    return credential
