"""Which person somebody is who logged in at the OpenID provider, and as what.

The provider says at each log-in what he is; he is found again by its name for him, which it gives to nobody else
(OpenID Connect Core 1.0, section 5.7), and never by a name that he could have chosen. Whoever is let in no more here
stays out whatever the provider says.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from registry.errors import AuthenticationFailed, InsufficientPermission
from registry.openid import Exchange, OpenIdProvider
from registry.people import People, Person, is_name
from registry.sessions import Sessions
from registry.setting_rules import OPENID_ROLE
from registry.settings import RegistrySettings
from registry.store import Store
from registry.tokens import Issued

# Between the first step at the provider and the last one here: time for a password and a second factor. As many rows
# may wait as challenges may be opened in ten minutes.
LOG_IN_LIFE: Final = timedelta(minutes=10)
NAMES: Final = ("preferred_username", "email")  # Claims of which the first that can be one is a new person's name.
MAX_SUBJECT: Final = 255  # Characters (Core, section 2).


class OpenIdPeople:
    """Everything raises DATABASE_AWAY."""

    def __init__(
        self, store: Store, people: People, sessions: Sessions, provider: OpenIdProvider, settings: RegistrySettings
    ) -> None:
        self._store = store
        self._people = people
        self._sessions = sessions
        self._provider = provider
        self._claim = settings.openid_claim
        self._roles = [found for role in settings.openid_roles if (found := OPENID_ROLE.fullmatch(role))]

    async def nonce(self) -> str:
        """What ties an ID Token to one log-in. Raises ServerBusy in a flood."""
        return (await self._sessions.open(life=LOG_IN_LIFE)).session_id

    async def log_in(self, exchange: Exchange, nonce: str) -> tuple[Person, Issued]:
        """Raises AuthenticationFailed, InsufficientPermission for whoever is nothing here, HandleAlreadyExists."""
        if not await self._sessions.end(nonce):  # Once, whatever comes of it: a log-in cannot be played again.
            raise AuthenticationFailed("openid.token", reason="the log-in was not begun here, is over or took too long")
        claims = await self._provider.claims(exchange, nonce)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
            raise AuthenticationFailed("openid.token", reason="sub names nobody")
        role, enterprise_id = await self._role(claims)
        name = _name(self._provider.issuer, subject, claims)
        return await self._people.enter(self._provider.issuer, subject, name, role, enterprise_id)

    async def _role(self, claims: Mapping[str, Any]) -> tuple[str, int | None]:
        """The first role, in the order of the settings, that the claim stands for. Raises InsufficientPermission."""
        said = claims.get(self._claim)
        values = {value for value in (said if isinstance(said, list) else [said]) if isinstance(value, str)}
        await self._store.load_prefixes()
        for role in self._roles:
            if role["value"] not in values:
                continue
            if role["ours"]:
                return role["ours"], None
            prefix = self._store.prefixes.find(self._store.key_of(f"{role['prefix']}/".encode())[:-1])
            if prefix is not None and prefix.enterprise_id is not None:
                return role["theirs"], prefix.enterprise_id
        raise InsufficientPermission("openid.role", claim=self._claim)


def _name(issuer: str, subject: str, claims: Mapping[str, Any]) -> str:
    for claim in NAMES:
        said = claims.get(claim)
        if isinstance(said, str) and is_name(said.lower()):
            return said.lower()
    return f"openid-{hashlib.sha256(f'{issuer} {subject}'.encode()).hexdigest()[:24]}"
