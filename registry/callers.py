"""Who asks, over HTTP: the connection that may carry a key, and the administrator who sent one (RFC 7617)."""

import ipaddress
from typing import Final

from aiohttp import web

from registry.authentication import Administrator, Authenticator
from registry.credentials import basic_credentials
from registry.errors import AuthenticationFailed, AuthenticationNeeded
from registry.settings import RegistrySettings

CHALLENGE: Final = 'Basic realm="handle", charset="UTF-8"'


class Callers:
    """Finds out who sent a request."""

    def __init__(self, authenticator: Authenticator, settings: RegistrySettings) -> None:
        self._authenticator = authenticator
        self._plain = settings.plain_authentication
        self._proxies = frozenset(ipaddress.ip_address(address) for address in settings.trusted_proxies)

    async def administrator(self, request: web.Request) -> Administrator:
        """Raises AuthenticationNeeded for a stranger, and what Authenticator.by_password raises."""
        header = request.headers.get("Authorization", "")
        if not self._hides_keys(request):
            raise AuthenticationFailed("authentication.plain_http")
        if not header:
            raise AuthenticationNeeded("authentication.needed")
        scheme, _, rest = header.partition(" ")
        if scheme.lower() != "basic":
            raise AuthenticationNeeded("authentication.malformed", reason=f"scheme {scheme[:20]!r} is not Basic")
        identity, password = basic_credentials(rest)
        return await self._authenticator.by_password(identity, password)

    def _hides_keys(self, request: web.Request) -> bool:
        """Whether nobody else could read a key on its way here."""
        remote = _address(request.remote)
        if remote in self._proxies:
            return request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
        return request.secure or (self._plain and remote is not None and remote.is_loopback)


def _address(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
