"""Operations over a real book, and requests for them."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import count
from time import time

from cryptography.hazmat.primitives.asymmetric import rsa

from registry.authentication import Authenticator
from registry.exchanges import Exchanges
from registry.registration import Registration
from registry.site import Interface, ServerInfo, SiteInfo
from registry.store import Store
from registry.value import HandleValue, Reference
from resolver.conversation import Conversation
from resolver.operations import Operations
from resolver.resolution import Resolver
from resolver.wire.administration import NamedHandle
from resolver.wire.challenge import Challenge, ChallengeAnswer, prove
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.message import Message
from resolver.wire.query import HandleValues, Query
from tests.registry.books import NODE, OWNER, PREFIX_HANDLE, SECRET, open_book
from tests.resolver.books import running_resolver

NODE_KEY = rsa.generate_private_key(65537, 2048)
SITE = SiteInfo(7, (ServerInfo(1, IPv4Address("127.0.0.1"), b"", (Interface(3, 1, 2641),)),))
SHARED = b"what the workers of a node share"
USUAL = int(OpFlag.RECURSIVE | OpFlag.CACHE_CERTIFY | OpFlag.PUBLIC_ONLY)  # What the reference client sets.
CALLED_FOR = int(OpFlag.RECURSIVE | OpFlag.CACHE_CERTIFY)  # The same, without "public only".

KEY = Reference(PREFIX_HANDLE, 301)

_request_ids = count(1)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time() + self.ahead


@dataclass
class Worker:
    """One process of a node, as far as native requests go."""

    store: Store
    resolver: Resolver
    exchanges: Exchanges
    operations: Operations
    clock: Clock

    async def ask(self, request, conversation=None):
        return await self.operations.respond(request, conversation or tcp())

    async def answer_to(self, request, conversation=None):
        """The one answer to a request."""
        (answer,) = await self.ask(request, conversation)
        return answer


def tcp() -> Conversation:
    return Conversation("tcp", "127.0.0.1")


def udp() -> Conversation:
    return Conversation("udp", "127.0.0.1")


def worker_of(
    store: Store,
    resolver: Resolver,
    secret: bytes = SHARED,
    site: SiteInfo = SITE,
    exchanges: Exchanges | None = None,
) -> Worker:
    """A worker over a store of its own; several may share a database."""
    clock = Clock()
    registration = Registration(store, [str(NODE), str(OWNER)])
    exchanges = exchanges or Exchanges(store, secret)
    operations = Operations(resolver, registration, Authenticator(store), exchanges, lambda: site, NODE_KEY, clock)
    return Worker(store, resolver, exchanges, operations, clock)


@asynccontextmanager
async def running_worker(dsn: str) -> AsyncIterator[Worker]:
    """A worker over the book with the prefix 88.118.1 and its keys."""
    async with open_book(dsn) as store, running_resolver(store) as resolver:
        yield worker_of(store, resolver)


def request(
    op_code: int,
    body: bytes,
    *,
    flags: int = USUAL,
    version: tuple[int, int] = (2, 11),
    suggested: tuple[int, int] | None = None,
    session_id: int = 0,
    credential: bytes = b"",
    recursion: int = 0,
) -> Message:
    major, minor = suggested or version
    request_id = next(_request_ids)
    return Message(*version, major, minor, session_id, request_id, 0, op_code, 0, flags, 0xFFFF, recursion, 0,
                   int(time()) + 3600, body, credential)  # fmt: skip


def query(name: str | bytes, *types: str, indexes: tuple[int, ...] = (), **fields) -> Message:
    octets = name.encode() if isinstance(name, str) else name
    return request(1, Query(octets, indexes, types).to_wire(), **fields)


def answered(challenged, key=KEY, secret=SECRET, **fields):
    """The op-200 message of the reference client for a challenge."""
    proof = prove(secret, Challenge.from_message(challenged), challenged.version, os.urandom(16))
    return released(challenged, ChallengeAnswer("HS_SECKEY", key, proof.to_wire()), **fields)


def released(challenged, answer: ChallengeAnswer, **fields):
    fields.setdefault("version", challenged.version)
    return request(OpCode.CHALLENGE_ANSWER, answer.to_wire(), session_id=challenged.session_id, **fields)


def create(name: str, *values: HandleValue, **fields):
    return request(OpCode.CREATE_HANDLE, HandleValues(name.encode(), values).to_wire(), **fields)


def named(op_code: int, name: str, **fields):
    return request(op_code, NamedHandle(name.encode()).to_wire(), **fields)


async def done(worker: Worker, asked: Message, conversation: Conversation | None = None):
    """The answers to a request that is challenged and answered for."""
    challenged = await worker.answer_to(asked, conversation)
    assert challenged.response_code == 402
    return await worker.ask(answered(challenged), conversation)
