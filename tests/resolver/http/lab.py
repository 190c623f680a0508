"""A node with the prefixes, the keys and the handles that the captured exchanges and the foreign clients ask for."""

import asyncio
import http.client
import json
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import rsa

from registry.admin import AdminRecord, value_list_to_wire
from registry.certificate import public_key
from registry.handle import Handle
from registry.settings import RegistrySettings
from registry.store import Store
from registry.transaction import begin
from registry.value import HandleValue, Reference
from resolver.limit_settings import LimitSettings
from resolver.node import Node, running
from resolver.other_nodes import RecursionSettings
from resolver.settings import ResolverSettings, Settings
from tests.resolver.patience import PATIENT

PREFIX = "88.118.1"
ADMINISTRATOR = "301:0.NA/88.118.1"
SECRET = b"s3cret-key"
TIMEOUT = 60.0
URL = HandleValue(1, "URL", b"http://example.org/x")
JSON = {"Content-Type": "application/json"}

Outcome = TypeVar("Outcome")


@cache
def administrator_key() -> rsa.RSAPrivateKey:
    """The private half of 300:0.NA/88.118.1."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def prefix_values() -> tuple[HandleValue, ...]:
    """Of 0.NA/88.118.1: its administrators are a group of two keys, a public one and a secret one."""
    handle = f"0.NA/{PREFIX}"
    group = tuple(Reference(handle, index) for index in (300, 301))
    return (
        HandleValue(100, "HS_ADMIN", AdminRecord(0xFFF, handle, 200).to_wire()),
        HandleValue(200, "HS_VLIST", value_list_to_wire(group)),
        HandleValue(300, "HS_PUBKEY", public_key(administrator_key()).to_wire()),
        HandleValue(301, "HS_SECKEY", SECRET, permissions=0b1100),
    )


async def write(dsn: str, handles: Mapping[str, tuple[HandleValue, ...]], *, exact_suffixes: bool = False) -> None:
    store = Store(RegistrySettings(dsn=dsn, exact_suffixes=exact_suffixes), "test")
    await store.open()
    try:
        async with begin(store, "test") as transaction:
            for prefix in {name.partition("/")[0] for name in handles} - {"0.NA"}:
                await transaction.home(prefix)
        await store.load_prefixes()
        async with begin(store, "test") as transaction:
            for name, values in handles.items():
                await transaction.create(Handle.from_text(name), values)
    finally:
        await store.close()


@asynccontextmanager
async def lab(
    dsn: str,
    directory: Path,
    handles: Mapping[str, tuple[HandleValue, ...]] | None = None,
    recursion: RecursionSettings | None = None,
    **settings: Any,
) -> AsyncIterator[Node]:
    """`settings` are those of the registry, or of the resolver or the limits where these have them."""
    registry = RegistrySettings(dsn=dsn, data_directory=str(directory), administrators=(ADMINISTRATOR,))
    ours = ResolverSettings(listen=("127.0.0.1",), port=0, native_port=0, **PATIENT)
    limits = LimitSettings()
    for name, value in settings.items():
        if hasattr(limits, name):
            limits = replace(limits, **{name: value})
        elif hasattr(ours, name):
            ours = replace(ours, **{name: value})
        else:
            registry = replace(registry, **{name: value})
    given = {f"0.NA/{PREFIX}": prefix_values(), f"{PREFIX}/READ": (URL,), **(handles or {})}
    await write(dsn, given, exact_suffixes=registry.exact_suffixes)
    async with running(Settings(registry, ours, limits, recursion=recursion or RecursionSettings())) as node:
        async with asyncio.timeout(TIMEOUT):
            while node.unready():  # noqa: ASYNC110  # readiness is asked for and told to nobody
                await asyncio.sleep(0.01)
        yield node


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A client of another maker than the node: one connection, requests as they are written."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | bool = False) -> None:
        context = tls if isinstance(tls, ssl.SSLContext) else any_certificate()
        self._connection = (
            http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT, context=context)
            if tls
            else http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
        )

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, **more: str
    ) -> Reply:
        """A body that is no octets is sent as JSON."""
        given = dict(headers or {}) | {name.replace("_", "-"): text for name, text in more.items()}
        if body is not None and not isinstance(body, bytes):
            body, given = json.dumps(body).encode(), JSON | given
        self._connection.request(method, path, body, given)
        response = self._connection.getresponse()
        return Reply(response.status, response.headers, response.read())

    def close(self) -> None:
        self._connection.close()


async def using(node: Node, use: Callable[[Client], Outcome]) -> Outcome:
    """What comes of a conversation with a node, which goes on meanwhile."""

    def run() -> Outcome:
        client = Client(node.port)
        try:
            return use(client)
        finally:
            client.close()

    return await asyncio.to_thread(run)


def any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def basic(identity: str = ADMINISTRATOR, secret: bytes = SECRET) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(quote(identity, safe="/").encode() + b":" + secret).decode()}
