"""One message of a webhook on its way: signed (Standard Webhooks 1.0.0), and to no address that is not public.

An enterprise names the address, and the node is inside somebody's network: without a guard it would knock at every
door in there for whoever may subscribe. What is judged is the address of the socket about to be connected, whatever
name led to it and whatever else that name answers a moment later; a redirection is not followed.
"""

import base64
import hmac
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from yarl import URL

from registry.errors import InvalidValue
from registry.public_address import Address, is_public_address, meant_by

MEDIA_TYPE: Final = "application/cloudevents-batch+json"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # how the standard has secrets begin
MAX_URL: Final = 2000  # Characters; more do not pass through every proxy.
TIMEOUT: Final = 15.0  # Seconds of one attempt: the standard asks for 15 to 30.
MAX_ANSWER: Final = 1 << 14  # Octets of an answer, read so that the connection can be used again, and not looked at.


class NotPublic(OSError):
    """The address is inside a network that webhooks are not sent into."""


class Guard:
    """Says where messages may be sent; `networks` are allowed although they are not public."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(network) for network in networks)

    def check_url(self, url: str) -> None:
        """Refuses what nothing will ever be sent to. Raises InvalidValue."""
        try:
            parsed = URL(url)
            good = parsed.scheme in ("http", "https") and parsed.host and not parsed.user and not parsed.fragment
        except ValueError:
            good = False
        if not good or len(url) > MAX_URL or not url.isprintable():
            raise InvalidValue("webhook.url", url=url[:200], limit=MAX_URL)
        try:
            literal = ipaddress.ip_address(URL(url).host or "")
        except ValueError:
            return
        if not self.may_connect(literal):
            raise InvalidValue("webhook.address", address=literal)

    def may_connect(self, address: Address) -> bool:
        """Whether messages may go to this address."""
        meant = meant_by(address)
        named = any(address in network or meant in network for network in self._networks)
        return named or is_public_address(meant)

    def connect(self, address_info: tuple[Any, ...]) -> socket.socket:
        """A socket for the address that is about to be connected. Raises NotPublic."""
        family, kind, protocol, _, place = address_info
        address = ipaddress.ip_address(place[0].partition("%")[0])
        if not self.may_connect(address):
            raise NotPublic(f"{address} is not public")
        return socket.socket(family, kind, protocol)


class Sender:
    """Sends messages where the guard lets them."""

    def __init__(self, guard: Guard, connections: int) -> None:
        self._guard = guard
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, socket_factory=self._guard.connect),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._session is not None
        await self._session.close()

    async def send(self, url: str, secret: bytes, message_id: str, body: bytes) -> str:
        """Why it was not delivered; nothing when it was."""
        assert self._session is not None
        headers = signed(secret, message_id, datetime.now(UTC), body) | {
            "Content-Type": MEDIA_TYPE,
            "User-Agent": "Filament",
        }
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                await answer.content.read(MAX_ANSWER)
                return "" if answer.status // 100 == 2 else f"status {answer.status}"
        except TimeoutError:
            return f"no answer within {TIMEOUT:.0f} seconds"
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as error:
            return f"{type(error).__name__}: {error}"[:200]


def signed(secret: bytes, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers by which a subscriber knows who sent this, and when."""
    seconds = str(int(at.timestamp()))
    digest = hmac.digest(secret, f"{message_id}.{seconds}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": message_id, "webhook-timestamp": seconds, "webhook-signature": signature}


def secret_text(secret: bytes) -> str:
    """A secret as the standard writes it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()
