"""What a node says of itself: where it is reached and with which key it signs (op code 2, RFC 3652, section 3.2.3)."""

import asyncio
import ipaddress
import logging
from collections.abc import Callable
from typing import Final

import asyncpg
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from registry import signing
from registry.certificate import public_key
from registry.database import DATABASE_AWAY
from registry.publication import publish
from registry.signing import Signer
from registry.site import Interface, InterfaceKind, IpAddress, Protocol, ServerInfo, SiteInfo
from registry.store import Store
from resolver.settings import ResolverSettings

log = logging.getLogger(__name__)

RETRY: Final = 5.0  # Seconds until it is published again, when the database was away or has no room for it yet.


class OwnSite:
    """The node's site record, from its settings as they are, and its serial number once the book has told it."""

    def __init__(
        self, settings: Callable[[], ResolverSettings], key: RSAPrivateKey, signer: Signer, *, primary: bool = True
    ) -> None:
        """One that is not `primary` only takes queries."""
        self._primary = primary
        self._settings = settings
        self._signer = signer
        self._public_key = public_key(key).to_wire()
        self._serial = 1

    def current(self) -> SiteInfo:
        ours = self._settings()
        # TCP first: the national SDK takes the first interface, whichever it is.
        ports = (
            (Protocol.TCP, ours.native_port),
            (Protocol.UDP, ours.native_port),
            (Protocol.HTTP, ours.port),
            (Protocol.HTTPS, ours.port),
        )
        interfaces = tuple(
            Interface(
                InterfaceKind.BOTH if self._primary and protocol is not Protocol.UDP else InterfaceKind.QUERY,
                protocol,
                port,
            )
            for protocol, port in ports
        )
        server = ServerInfo(1, self._address(), self._public_key, interfaces)
        return SiteInfo(self._serial, (server,), (("desc", ours.description),), primary=self._primary)

    async def publish(self, store: Store) -> None:
        """Writes down what the node says and with which key it signs, as soon as the book can be written."""
        if self._leads_astray():
            log.warning("resolver.public_address is %s: clients are told to ask themselves", self._address())
        while True:
            try:
                self._serial = await publish(store, self.current())
                for key in self._signer.every_published:
                    await signing.publish(store, key)
                return
            except (*DATABASE_AWAY, asyncpg.PostgresError) as error:  # an older schema, or a standby
                log.debug("the site record is not published: %s", error)
            await asyncio.sleep(RETRY)

    def _address(self) -> IpAddress:
        return ipaddress.ip_address(self._settings().public_address)

    def _leads_astray(self) -> bool:
        """Whether others can reach the node, and are not told where."""
        listening = self._settings().listen
        return self._address().is_loopback and not all(ipaddress.ip_address(one).is_loopback for one in listening)
