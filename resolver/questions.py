"""One question to a running node over each protocol, as a client asks it, and what came of it.

For whoever judges a node from outside: `filament doctor` and the prober. A question is never answered from here.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import aiohttp

from registry.errors import ResponseCode
from resolver.client.client import Client
from resolver.client.errors import ClientError
from resolver.client.servers import Server

PROTOCOLS: Final = ("http", "https", "tcp", "udp")
TIMEOUT: Final = 5.0  # Seconds; whoever waits longer has gone away, and five times the usual limit counts as no answer.


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one question: the response code and the seconds that it took, or why there is no answer."""

    protocol: str
    seconds: float
    code: int | None = None
    reason: str = ""
    texts: tuple[str, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether the node said what it knows: that there is such a handle, or that there is none."""
        return self.code in (ResponseCode.SUCCESS, ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node is asked: its host, and the port of each protocol."""

    host: str
    ports: Mapping[str, int]

    def address(self, protocol: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{protocol}://{host}:{self.ports[protocol]}"


class Questioner:
    """Asks one place. HTTPS trusts whatever is shown: whether others would is told by the certificate itself."""

    def __init__(self, place: Place, timeout: float = TIMEOUT) -> None:
        self.place = place
        self._timeout = timeout
        self._tls = ssl.create_default_context()
        self._tls.check_hostname = False
        self._tls.verify_mode = ssl.CERT_NONE

    async def texts(self, protocol: str, handle: str) -> tuple[str, ...]:
        """What the node says of a handle; nothing when it says nothing in time."""
        return (await self.ask(protocol, handle)).texts

    async def ask(self, protocol: str, handle: str, *, authoritative: bool = False) -> Asked:
        """Never raises for what a node does or does not do."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout):
                way = self._native if protocol in ("tcp", "udp") else self._http
                code, texts = await way(protocol, handle, authoritative)
        except TimeoutError:
            return Asked(protocol, time.perf_counter() - began, reason=f"no answer within {self._timeout:g} s")
        except (OSError, ValueError, aiohttp.ClientError, ClientError) as error:
            return Asked(protocol, time.perf_counter() - began, reason=str(error) or type(error).__name__)
        return Asked(protocol, time.perf_counter() - began, code, texts=texts)

    async def _native(self, protocol: str, handle: str, authoritative: bool) -> tuple[int, tuple[str, ...]]:
        server = Server.from_text(self.place.address(protocol))
        client = Client([server], deadline=self._timeout)
        resolved = await client.resolve(handle, authoritative=authoritative, follow=False)
        return resolved.code, tuple(value.data.decode("utf-8", "replace") for value in resolved.values)

    async def _http(self, protocol: str, handle: str, authoritative: bool) -> tuple[int, tuple[str, ...]]:
        # A connection of its own each time: that of a worker that is gone says nothing of the others.
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            url = f"{self.place.address(protocol)}/api/handles/{quote(handle, safe='/')}"
            parameters = {"auth": "true"} if authoritative else {}
            async with session.get(url, params=parameters, ssl=self._tls) as response:
                body = await response.json(content_type=None)
        return int(body["responseCode"]), tuple(str(one["data"]["value"]) for one in body.get("values", ()))
