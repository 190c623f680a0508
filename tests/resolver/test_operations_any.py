"""Whatever a stranger writes is answered, or met with silence; it is never an exception and never a fault of ours."""

import asyncio
import logging

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.value import HandleValue, Reference
from resolver.conversation import Conversation
from resolver.wire.administration import HandleIndexes, NamedHandle
from resolver.wire.challenge import ChallengeAnswer, LogIn, SecretKeyProof, Verification
from resolver.wire.envelope import ENVELOPE, Envelope
from resolver.wire.message import Message, SealedMessage
from resolver.wire.query import HandleValues, Query
from resolver.wire.session_setup import SessionSetup
from tests.registry.books import PREFIX_HANDLE, URL, register
from tests.resolver.native import running_worker
from tests.resolver.wire.messages import INT32, UINT8, UINT16, UINT32

OP_CODES = st.sampled_from([0, 1, 2, 100, 101, 102, 103, 104, 105, 106, 200, 201, 300, 301, 302, 400, 401, 402, 1000,
                            2000, 2001, 999])  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(
        [
            b"88.118.1/cake",
            b"88.118.1/CAKE\0",
            b"0.NA/88.118.1",
            b"0.NA/",
            b"0.NA/88.118.1.2.3.4",
            b"/",
            b"0",
            b"99.9/x",
            b"88.118.1/",
            b"0.NA/\0",
            "88.118.1/标识".encode(),
        ]
    ),
    st.binary(max_size=40),
    st.just(b"x" * 3000),
)
TEXTS = st.text(max_size=20)
KEYS = st.builds(Reference, st.sampled_from([PREFIX_HANDLE, "88.118.1/cake", "", "\0", "a/\0"]) | TEXTS, UINT32)
VALUES = st.builds(
    HandleValue,
    UINT32,
    TEXTS | st.sampled_from(["URL", "HS_ADMIN", "HS_VLIST", "HS_SITE.PREFIX"]),
    st.binary(max_size=30),
    UINT32,
    st.booleans(),
    UINT32,
    UINT8,
    st.lists(KEYS, max_size=2).map(tuple),
)
PROOFS = st.builds(
    SecretKeyProof,
    st.sampled_from(["SHA1", "SHA256", "HMAC-SHA1", "PBKDF2-HMAC-SHA1"]),
    st.binary(max_size=40),
    st.binary(max_size=8),
    st.integers(0, 3),
    UINT16,
).map(SecretKeyProof.to_wire)
BODIES = st.one_of(
    st.builds(Query, NAMES, st.lists(UINT32, max_size=3).map(tuple), st.lists(TEXTS, max_size=3).map(tuple)),
    st.builds(HandleValues, NAMES, st.lists(VALUES, max_size=3).map(tuple)),
    st.builds(HandleIndexes, NAMES, st.lists(UINT32, max_size=3).map(tuple)),
    st.builds(NamedHandle, NAMES),
    st.builds(ChallengeAnswer, st.sampled_from(["HS_SECKEY", "HS_PUBKEY"]) | TEXTS, KEYS, PROOFS | st.binary()),
    st.builds(Verification, KEYS, st.binary(), st.binary(), PROOFS | st.binary()),
    st.builds(LogIn, KEYS),
    st.builds(SessionSetup, UINT8, UINT32, KEYS | st.none(), st.binary()),
).map(lambda body: body.to_wire())

REQUESTS = st.builds(
    Message,
    major=UINT8,
    minor=UINT8,
    flags=st.integers(0, 3),
    suggested_minor=UINT8,
    session_id=st.sampled_from([0, 0, 10_001, 1 << 24, (1 << 24) + 1, -1]) | INT32,
    request_id=INT32,
    sequence=st.just(0),
    op_code=OP_CODES,
    response_code=st.sampled_from([0, 0, 0, 0, 1, 402]),
    op_flags=UINT32,
    site_serial=UINT16,
    recursion=UINT8,
    reserved=UINT8,
    expiration=UINT32,
    body=BODIES | st.binary(max_size=200),
    credential=st.just(b"") | st.binary(max_size=60),
)
SEALED = st.builds(
    SealedMessage,
    st.builds(Envelope, UINT8, UINT8, st.just(0x42), UINT8, INT32, INT32, INT32, UINT32),
    st.binary(max_size=80),
)


async def test_any_request_is_answered_and_none_is_a_fault_of_ours(database_dsn, caplog):
    async with running_worker(database_dsn) as worker:
        await register(worker.store, "88.118.1/cake", URL)
        conversations = {transport: Conversation(transport, "someone") for transport in ("tcp", "udp", "http")}
        caplog.set_level(logging.ERROR)

        loop = asyncio.get_running_loop()
        answered = 0

        async def ask(requests: list[Message | SealedMessage], transport: str) -> None:
            nonlocal answered
            for request in requests:
                if isinstance(request, Message):
                    now = worker.operations.respond_now(request, transport)
                    assert now is None or isinstance(now, Message)
                for answer in await worker.operations.respond(request, conversations[transport]):
                    answered += len(answer.to_wire()) >= ENVELOPE

        @given(st.lists(REQUESTS | SEALED, min_size=1, max_size=4), st.sampled_from(sorted(conversations)))
        @settings(max_examples=400, suppress_health_check=list(HealthCheck))
        def asked(requests: list[Message | SealedMessage], transport: str) -> None:
            asyncio.run_coroutine_threadsafe(ask(requests, transport), loop).result(30)

        await asyncio.to_thread(asked)
        assert answered > 400
        assert not caplog.records
