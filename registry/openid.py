"""The OpenID provider at which people log in: its addresses, its keys, and the ID Tokens that it signs.

OpenID Connect Core 1.0, Discovery 1.0; RFC 6749, RFC 7517. Of a provider only its issuer is configured; the rest is
read from it and kept for an hour. Its keys are asked for again when a token names one that is not known, as providers
change them, but not at every such token: anybody can name a key.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote_plus

import aiohttp
import jwt
import msgspec
import orjson
from jwt.types import Options

from registry.errors import AuthenticationFailed, ProtocolFault, ServerBusy
from registry.settings import RegistrySettings

log = logging.getLogger(__name__)

Form = TypeVar("Form")

# Signatures alone: with "none" or a digest under the client's secret, whoever knows that would be everybody.
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
DISCOVERY: Final = "/.well-known/openid-configuration"
KEPT: Final = 3600.0  # Seconds; providers change keys over days.
ASKED_AGAIN: Final = 60.0  # Seconds between two looks for a key that was not there.
LEFT_ALONE: Final = 5.0  # Seconds after a failure: many who wait for a provider that hangs wait for it once.
TIMEOUT: Final = 10.0  # Seconds of one request to the provider: a person waits.
MAX_ANSWER: Final = 256 << 10  # Octets; key sets of the largest providers have some ten thousand.
MAX_KEYS: Final = 64
MAX_TOKEN: Final = 32 << 10  # Characters; one with some hundred groups has ten thousand.
# Times are looked at by our own clock, in `_check_claims`.
CHECKED: Final[Options] = {
    "require": ["iss", "sub", "aud", "exp", "iat"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}
CLOCKS_DIFFER: Final = 60  # Seconds by which the provider's clock and ours may.


class Endpoints(msgspec.Struct, frozen=True):
    """What a provider says of itself (Discovery, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    # "If omitted, the default is client_secret_basic."
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Tokens(msgspec.Struct):
    """What a code is exchanged for (Core, section 3.1.3.3)."""

    id_token: str


class _Keys(msgspec.Struct):
    keys: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A code as the provider gave it to a client, with what proves that it is this client's (RFC 7636)."""

    code: str
    code_verifier: str
    redirect_uri: str


class OpenIdProvider:
    """Everything raises ServerBusy while the provider cannot be reached."""

    def __init__(
        self,
        settings: RegistrySettings,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.issuer = settings.openid_issuer
        self.client = settings.openid_client
        self._secret = settings.openid_secret
        self._clock = clock
        self._endpoints: tuple[float, Endpoints] | None = None
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._keys_at = self._failed_at = float("-inf")
        self._asking = asyncio.Lock()  # Of many who wait for the same, one asks.

    async def endpoints(self) -> Endpoints:
        """Raises ProtocolFault where no provider is configured."""
        if not self.issuer:
            raise ProtocolFault("openid.none")
        async with self._asking:
            if self._endpoints is None or not 0 <= self._now() - self._endpoints[0] < KEPT:
                found = await self._read(self.issuer.rstrip("/") + DISCOVERY, Endpoints)
                self._check(found)
                self._endpoints = self._now(), found
        return self._endpoints[1]

    async def claims(self, exchange: Exchange, nonce: str) -> Mapping[str, Any]:
        """What the provider says of whoever got this code. Raises AuthenticationFailed."""
        endpoints = await self.endpoints()
        fields = {
            "grant_type": "authorization_code",
            "client_id": self.client,
            "code": exchange.code,
            "code_verifier": exchange.code_verifier,
            "redirect_uri": exchange.redirect_uri,
        }
        headers = {}
        if self._secret and "client_secret_basic" in endpoints.token_endpoint_auth_methods_supported:
            # Both "encoded using the application/x-www-form-urlencoded encoding algorithm" (RFC 6749, section 2.3.1).
            pair = quote_plus(self.client), quote_plus(self._secret)
            headers["Authorization"] = aiohttp.encode_basic_auth(*pair)
        elif self._secret:
            fields["client_secret"] = self._secret
        tokens = await _fetched(endpoints.token_endpoint, _Tokens, fields, headers)
        return await self.verified(tokens.id_token, nonce)

    async def verified(self, id_token: str, nonce: str) -> Mapping[str, Any]:
        """The claims of an ID Token that was made for us, now, and for this log-in (Core, section 3.1.3.7).

        Raises AuthenticationFailed.
        """
        try:
            if len(id_token) > MAX_TOKEN:
                raise jwt.InvalidTokenError(f"it has more than {MAX_TOKEN} characters")
            header = jwt.get_unverified_header(id_token)
            key = await self._key(str(header.get("kid", "")))
            if header.get("alg") not in ALGORITHMS or header["alg"] != (key.algorithm_name or header["alg"]):
                raise jwt.InvalidAlgorithmError(f"algorithm {str(header.get('alg'))[:20]!r} is not its key's")
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key,
                algorithms=[header["alg"]],
                audience=self.client,
                issuer=self.issuer,
                options=CHECKED,
            )
            self._check_claims(claims, nonce)
        except jwt.PyJWTError as error:
            raise AuthenticationFailed("openid.token", reason=str(error)[:200]) from None
        return claims

    def _check_claims(self, claims: Mapping[str, Any], nonce: str) -> None:
        """Raises InvalidTokenError."""
        now = self._now()
        times = [claims["iat"], claims["exp"], claims.get("nbf", claims["iat"])]
        if any(isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at) for at in times):
            raise jwt.InvalidTokenError("its times are no numbers")
        made_at, ends_at, begins_at = times
        if now >= ends_at + CLOCKS_DIFFER:
            raise jwt.ExpiredSignatureError("it has expired")
        if now < max(made_at, begins_at) - CLOCKS_DIFFER:
            raise jwt.ImmatureSignatureError("it is of the future")
        if claims.get("nonce") != nonce:
            raise jwt.InvalidTokenError("it was made for another log-in")
        # "If the ID Token contains multiple audiences, the Client SHOULD verify that an azp Claim is present."
        is_ours = claims.get("azp", None if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 else self.client)
        if is_ours != self.client:
            raise jwt.InvalidAudienceError("it was made for another client")

    async def _key(self, key_id: str) -> jwt.PyJWK:
        """Raises InvalidTokenError for one that the provider does not show."""
        endpoints = await self.endpoints()
        async with self._asking:
            age = self._now() - self._keys_at
            if not 0 <= age < KEPT or (key_id not in self._keys and age >= ASKED_AGAIN):
                found_keys = await self._read(endpoints.jwks_uri, _Keys)
                self._keys, self._keys_at = _usable(found_keys.keys[:MAX_KEYS]), self._now()
        key = self._keys.get(key_id)
        if key is None:
            raise jwt.InvalidKeyError(f"its key {key_id[:40]!r} is not the provider's")
        return key

    async def _read(self, url: str, kind: type[Form]) -> Form:
        """Raises ServerBusy."""
        if 0 <= self._now() - self._failed_at < LEFT_ALONE:
            raise ServerBusy("openid.away", reason="it did not answer a moment ago")
        try:
            return await _fetched(url, kind)
        except ServerBusy:
            self._failed_at = self._now()
            raise

    def _check(self, found: Endpoints) -> None:
        """Who answers must be whom we asked, and send nobody's secrets in the clear. Raises ServerBusy."""
        ours = self.issuer.partition("://")[0]
        addresses = (found.authorization_endpoint, found.token_endpoint, found.jwks_uri)
        if found.issuer != self.issuer or not all(
            address.startswith(("https://", f"{ours}://")) for address in addresses
        ):
            raise ServerBusy("openid.away", reason="what it says of itself is not of this issuer")

    def _now(self) -> float:
        return self._clock().timestamp()


def _usable(keys: list[dict[str, Any]]) -> Mapping[str, jwt.PyJWK]:
    """The keys that signatures are checked with, by name; of others, which a set may hold, nothing is asked."""
    usable: dict[str, jwt.PyJWK] = {}
    for key in keys:
        try:
            if key.get("use", "sig") == "sig" and key.get("kty") in ("RSA", "EC", "OKP"):
                usable[str(key.get("kid", ""))] = jwt.PyJWK(key)
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError) as error:  # PyJWT looks at no member's type
            log.debug("a key of the provider is of no use: %s", error)
    return usable


async def _fetched(
    url: str, kind: type[Form], fields: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Form:
    """What the provider answers, to a form if there is one. Raises ServerBusy, AuthenticationFailed for a code that it
    does not take."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                "GET" if fields is None else "POST", url, data=fields, headers=headers, allow_redirects=False
            ) as answer,
        ):
            body = await answer.content.read(MAX_ANSWER + 1)
            while len(body) <= MAX_ANSWER and (more := await answer.content.read(MAX_ANSWER)):
                body += more
            status = answer.status
    except (aiohttp.ClientError, OSError, ValueError) as error:  # ssl.SSLError and time-outs are OSErrors
        log.warning("the OpenID provider cannot be reached at %s: %s", url, error)
        raise ServerBusy("openid.away", reason=type(error).__name__) from None
    if fields is not None and status in (400, 401):
        raise AuthenticationFailed("openid.token", reason=_reason(body))
    try:
        if status != 200 or len(body) > MAX_ANSWER:
            raise msgspec.DecodeError(f"status {status}, {len(body)} octets")
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.warning("the OpenID provider does not answer as it should at %s: %s", url, error)
        raise ServerBusy("openid.away", reason=str(error)[:200]) from None


def _reason(body: bytes) -> str:
    """The code of a refusal (RFC 6749, section 5.2)."""
    try:
        refusal = orjson.loads(body)
    except ValueError:
        return "refused"
    return str(refusal.get("error", "refused"))[:80] if isinstance(refusal, dict) else "refused"
