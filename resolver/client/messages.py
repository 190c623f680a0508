"""The messages of a client: its questions, and what their answers say."""

import secrets
import time
from dataclasses import dataclass
from typing import Final

from registry.errors import ResponseCode
from registry.octets import Truncated
from registry.site import SiteInfo
from registry.value import HandleValue
from resolver.client.errors import BadAnswer
from resolver.client.servers import Server
from resolver.wire.codes import OpCode
from resolver.wire.envelope import NEWEST
from resolver.wire.message import UNKNOWN_SERIAL, Message
from resolver.wire.query import HandleValues, Query
from resolver.wire.refusal import Refusal

VALIDITY: Final = 12 * 3600  # Seconds that a request says it is valid for, as the reference client's does.
REFERRALS: Final = frozenset({ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL})


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was answered: values with code 1, else a code and perhaps a sentence. `servers` were asked, in order."""

    code: int
    handle: str
    values: tuple[HandleValue, ...]
    text: str
    servers: tuple[Server, ...]


def check(answer: Message, request: Message) -> None:
    """Raises BadAnswer for values of another handle than the one that was asked for."""
    if request.op_code != OpCode.RESOLUTION or answer.response_code != ResponseCode.SUCCESS:
        return
    asked = Query.from_wire(request.body).handle
    try:
        named = HandleValues.from_wire(answer.content).handle
    except Truncated as error:
        raise BadAnswer(f"an answer whose values cannot be read: {error}") from None
    if named.upper() != asked.upper():
        raise BadAnswer(f"an answer for {named[:80]!r} to a question for {asked[:80]!r}")


def question(query: Query, flags: int) -> Message:
    return request_of(OpCode.RESOLUTION, query.to_wire(), flags)


def request_of(op_code: int, body: bytes, flags: int) -> Message:
    major, minor = NEWEST
    request_id = secrets.randbits(31)
    expiration = int(time.time()) + VALIDITY
    return Message(major, minor, major, minor, 0, request_id, 0, op_code, 0, flags, UNKNOWN_SERIAL, 0, 0,
                   expiration, body, b"")  # fmt: skip


def resolved(handle: str, answer: Message, servers: tuple[Server, ...]) -> Resolved:
    code, text = answer.response_code, ""
    values = values_of(answer)
    if code != ResponseCode.SUCCESS and code not in REFERRALS:
        try:
            text = Refusal.from_wire(answer.content).text
        except Truncated:
            text = ""
    return Resolved(code, handle, values, text, servers)


def site_of(answer: Message) -> SiteInfo:
    """Raises BadAnswer."""
    if answer.response_code != ResponseCode.SUCCESS:
        raise BadAnswer(f"no service information: {answer.response_code}")
    try:
        return SiteInfo.from_wire(answer.content)
    except Truncated as error:
        raise BadAnswer(f"service information: {error}") from None


def values_of(answer: Message) -> tuple[HandleValue, ...]:
    """Raises BadAnswer."""
    if answer.response_code != ResponseCode.SUCCESS:
        return ()
    try:
        return HandleValues.from_wire(answer.content).values
    except Truncated as error:
        raise BadAnswer(f"an answer whose values cannot be read: {error}") from None
