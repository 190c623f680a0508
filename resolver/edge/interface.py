"""The upstream's HTTP interfaces, as an edge uses them: the list of its prefixes, and the change feed page by page."""

import ssl
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import msgspec

from registry.changes import Change, ChangeKind
from registry.handle import HandleKey, KeyOf
from resolver.other_nodes import EdgeSettings

TIMEOUT: Final = aiohttp.ClientTimeout(total=5.0, sock_connect=2.0)  # Seconds; the next look is due long before.
MAX_BODY: Final = 8 << 20  # Octets: a page of 1000 events has some 300 kB, ten thousand prefixes as much.


# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL: the upstream mends that without us.
_OF_TIME: Final = frozenset({9, 10})


class FeedRefused(Exception):
    """The feed does not know our place any more: what it would have said is lost."""


class _Event(msgspec.Struct):
    type: str
    subject: str
    data: dict[str, Any]


class _Page(msgspec.Struct):
    cursor: str
    more: bool
    events: list[_Event]
    shown: str
    begun: str
    position: str


class _Prefixes(msgspec.Struct):
    prefixes: list[str]


@dataclass(frozen=True, slots=True)
class FeedPage:
    """What the feed said: see `registry.feed.Page`."""

    cursor: str
    more: bool
    changes: tuple[Change, ...]
    shown: int
    begun: int
    position: str


class Untrusted(Exception):
    """Nobody whom we trust vouches for the upstream at an address."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(address, reason)
        self.address = address
        self.reason = reason


async def expect_trusted(settings: EdgeSettings) -> None:
    """Looks who vouches for the upstream. Raises Untrusted, and OSError for one that is away."""
    tls = _tls(settings)
    async with aiohttp.ClientSession(timeout=TIMEOUT) as session:
        for address in (settings.address, settings.registry):
            try:
                async with session.head(address, ssl=tls, allow_redirects=False):
                    pass
            except (aiohttp.ClientError, TimeoutError) as error:
                why = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else None
                if isinstance(why, ssl.SSLCertVerificationError) and why.verify_code not in _OF_TIME:
                    raise Untrusted(address, why.verify_message) from None
                raise ConnectionAbortedError(f"{address}: {error or type(error).__name__}") from None


def _tls(settings: EdgeSettings) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=settings.authorities) if settings.authorities else True


class Interface:
    """Asks. Everything raises OSError for an upstream that is away or answers wrongly."""

    def __init__(self, settings: EdgeSettings, key_of: KeyOf) -> None:
        self._settings = settings
        self._key_of = key_of
        self._session: aiohttp.ClientSession | None = None
        self._tls = _tls(settings)

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def prefixes(self) -> list[str]:
        """The spellings of the prefixes that the upstream answers for."""
        octets = await self._get(f"{self._settings.address}/api/prefixes", {})
        names = _decoded(octets, _Prefixes).prefixes
        return [name.partition("/")[2] for name in names]

    async def changes(self, cursor: str) -> FeedPage:
        """What happened behind a place of the feed. Raises FeedRefused, too."""
        page = _decoded(await self._get(f"{self._settings.registry}/api/changes", {"cursor": cursor}), _Page)
        try:
            shown, begun = int(page.shown), int(page.begun)
        except ValueError:
            raise ConnectionAbortedError("the feed says no numbers") from None
        return FeedPage(page.cursor, page.more, tuple(map(self._change, page.events)), shown, begun, page.position)

    def _change(self, event: _Event) -> Change:
        kind, _, _ = event.type.removeprefix("filament.").partition(".")
        if kind == "handle":
            return Change(ChangeKind.HANDLE, self._key(event.subject))
        if kind in ("range", "handles") and "from" in event.data and "to" in event.data:
            return Change(ChangeKind.RANGE, self._key(str(event.data["from"])), self._key(str(event.data["to"])))
        if kind == "prefix" and event.subject:
            return Change(ChangeKind.PREFIX, self._key(f"{event.subject}/"))
        return Change(ChangeKind.EVERYTHING)  # Whatever it is, nothing that was kept can be wrong afterwards.

    def _key(self, name: str) -> HandleKey:
        return HandleKey(self._key_of(name.encode()))

    async def _get(self, url: str, parameters: dict[str, str]) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=TIMEOUT, headers={"Authorization": f"Bearer {self._settings.token}", "Accept": _JSON}
            )
        try:
            async with self._session.get(url, params=parameters, ssl=self._tls, allow_redirects=False) as response:
                octets = await _read(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConnectionAbortedError(f"{url}: {error or type(error).__name__}") from None
        if response.status == 400 and "cursor" in parameters:
            raise FeedRefused(octets[:200].decode(errors="replace"))
        if response.status != 200:
            raise ConnectionAbortedError(f"{url} answers {response.status}: {octets[:200].decode(errors='replace')}")
        return octets


_JSON: Final = "application/json"


async def _read(response: aiohttp.ClientResponse) -> bytes:
    octets = bytearray()
    async for part in response.content.iter_any():
        octets += part
        if len(octets) > MAX_BODY:
            raise ConnectionAbortedError(f"more than {MAX_BODY} octets")
    return bytes(octets)


def _decoded(octets: bytes, form: type[msgspec.Struct]) -> Any:
    try:
        return msgspec.json.decode(octets, type=form)
    except msgspec.MsgspecError as error:
        raise ConnectionAbortedError(f"the upstream answers wrongly: {error}") from None
