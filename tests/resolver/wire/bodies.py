"""Which class reads which body, and its fields in the form in which the captured messages were decoded."""

from collections.abc import Callable
from typing import Any

from registry.site import SiteInfo
from registry.value import HandleValue, Reference
from resolver.wire.administration import HandleIndexes, HandleList, NamedHandle
from resolver.wire.challenge import Challenge, ChallengeAnswer, Verification, verdict_from_wire, verdict_to_wire
from resolver.wire.codes import OpCode
from resolver.wire.message import Message
from resolver.wire.query import HandleValues, Query
from resolver.wire.refusal import Referral, Refusal
from resolver.wire.session_setup import CIPHER_NAMED_FROM, ExchangedKey, SessionMode, SessionOpened, SessionSetup

Fields = dict[str, Any]

NAMED = [
    OpCode.GET_SITE_INFO, OpCode.DELETE_HANDLE, OpCode.LIST_HANDLES, OpCode.HOME_PREFIX, OpCode.UNHOME_PREFIX,
    OpCode.LIST_HOMED_PREFIXES, OpCode.SESSION_TERMINATE, OpCode.NEXT_TRANSACTION_ID,
]  # fmt: skip
WITH_VALUES = [OpCode.CREATE_HANDLE, OpCode.ADD_VALUES, OpCode.MODIFY_VALUES]
LISTS = [OpCode.LIST_HANDLES, OpCode.LIST_HOMED_PREFIXES]
REFERRALS = {302, 303}


def request_fields(message: Message) -> tuple[Fields, bytes]:
    """The fields of a request's body, and its octets written again."""
    form, fields = REQUESTS[message.op_code]
    body = form.from_wire(message.body)
    return fields(body), body.to_wire()


def answer_fields(message: Message) -> tuple[Fields, bytes]:
    """The fields of an answer's body without digests, and its octets behind the digest written again."""
    if message.response_code == 402:
        nonce = Challenge.from_message(message).nonce
        return {"nonce": nonce.hex()}, len(nonce).to_bytes(4, "big") + nonce
    content = message.content
    if message.response_code in REFERRALS:
        referral = Referral.from_wire(content)
        return {"handle": referral.handle.decode(), "values": values(referral.values)}, referral.to_wire()
    if message.response_code != 1:
        refusal = Refusal.from_wire(content)
        return {"message": refusal.text}, refusal.to_wire()
    return _success(message, content)


def _success(message: Message, content: bytes) -> tuple[Fields, bytes]:
    if message.op_code == OpCode.GET_SITE_INFO:
        return {}, SiteInfo.from_wire(content).to_wire()
    if message.op_code == OpCode.RESOLUTION:
        found = HandleValues.from_wire(content)
        return {"handle": found.handle.decode(), "values": values(found.values)}, found.to_wire()
    if message.op_code in LISTS:
        handles = HandleList.from_wire(content)
        return {"handles": [handle.decode() for handle in handles.handles]}, handles.to_wire()
    if message.op_code == OpCode.VERIFY_CHALLENGE_ANSWER:
        right = verdict_from_wire(content)
        return {"valid": int(right)}, verdict_to_wire(right)
    if message.op_code == OpCode.SESSION_SETUP:
        return _opened(message, content)
    if message.op_code == OpCode.CREATE_HANDLE:
        created = NamedHandle.from_wire(content)
        return {"handle": created.handle.decode()}, created.to_wire()
    return {}, b""


def _opened(message: Message, content: bytes) -> tuple[Fields, bytes]:
    session = SessionOpened.from_wire(content)
    if session.mode != SessionMode.DIFFIE_HELLMAN or message.version < CIPHER_NAMED_FROM:
        return {"mode": session.mode, "data": session.octets.hex()}, session.to_wire()
    key = ExchangedKey.from_wire(session.octets, message.version)
    written = SessionOpened(session.mode, key.to_wire(message.version)).to_wire()
    return {"mode": session.mode, "enc_alg": key.cipher}, written


def values(found: tuple[HandleValue, ...]) -> list[Fields]:
    return [
        {"index": value.index, "timestamp": value.timestamp, "ttl_type": int(value.ttl_absolute), "ttl": value.ttl,
         "perm": value.permissions, "type": value.type, "data": value.data.hex(),
         "refs": [[reference.handle, reference.index] for reference in value.references]}
        for value in found
    ]  # fmt: skip


def _named(body: NamedHandle) -> Fields:
    return {"handle": body.handle.decode()}


def _query(body: Query) -> Fields:
    return {"handle": body.handle.decode(), "indexes": list(body.indexes), "types": list(body.types)}


def _values(body: HandleValues) -> Fields:
    return {"handle": body.handle.decode(), "values": values(body.values)}


def _indexes(body: HandleIndexes) -> Fields:
    return {"handle": body.handle.decode(), "indexes": list(body.indexes)}


def _key(key: Reference) -> Fields:
    return {"key_handle": key.handle, "key_index": key.index}


def _answer(body: ChallengeAnswer) -> Fields:
    return {"auth_type": body.type, **_key(body.key), "answer": body.answer.hex()}


def _verification(body: Verification) -> Fields:
    octets = {"nonce": body.nonce.hex(), "digest": body.digest.hex(), "answer": body.answer.hex()}
    return {**_key(body.key), **octets}


def _setup(body: SessionSetup) -> Fields:
    identity = body.identity or Reference("", -1)
    who = {"identity": identity.handle, "identity_index": identity.index}
    return {"mode": body.mode, "timeout": body.timeout, **who}


REQUESTS: dict[int, tuple[Any, Callable[[Any], Fields]]] = {
    OpCode.RESOLUTION: (Query, _query),
    OpCode.REMOVE_VALUES: (HandleIndexes, _indexes),
    OpCode.CHALLENGE_ANSWER: (ChallengeAnswer, _answer),
    OpCode.VERIFY_CHALLENGE_ANSWER: (Verification, _verification),
    OpCode.SESSION_SETUP: (SessionSetup, _setup),
    **dict.fromkeys(NAMED, (NamedHandle, _named)),
    **dict.fromkeys(WITH_VALUES, (HandleValues, _values)),
}
