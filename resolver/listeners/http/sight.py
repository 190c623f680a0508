"""With whose eyes an answer is made: everybody's, those of who asks, or of an audience, for who administers the handle.

What everybody sees is the rule and costs nothing. An answer made with the eyes of somebody is his alone: no cache keeps
it, neither one of ours nor one on the way.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from aiohttp import web

from registry.authentication import Administrator
from registry.errors import AuthenticationNeeded, InsufficientPermission, InvalidAdministrator
from registry.record import HandleRecord, public
from registry.registration import Registration
from registry.value import HandleValue
from registry.views import AS, Audience, audience_from
from resolver.listeners.http.authorization import LOOKING, Authorization
from resolver.listeners.http.conditional import PRIVATE

_OF_ONE: Final = ("ETag", "Expires")  # Of what may be kept.

Values = tuple[HandleValue, ...]
Response = TypeVar("Response", bound=web.StreamResponse)


@dataclass(frozen=True, slots=True)
class Sight:
    """`by` is who asks, and `audience` the one with whose eyes he looks, when these are not his own."""

    registration: Registration | None = None
    by: Administrator | None = None
    audience: Audience | None = None

    @property
    def is_public(self) -> bool:
        return self.by is None

    @property
    def whose(self) -> str:
        """An audience, "own", or nothing: everybody's."""
        return "" if self.is_public else self.audience or "own"

    async def of(self, record: HandleRecord, values: Iterable[HandleValue] | None = None) -> Values:
        """What is seen of these values of a record, or of all. Raises InvalidAdministrator, InsufficientPermission for
        the view of others, and DATABASE_AWAY."""
        selected = record.values if values is None else tuple(values)
        if self.by is None or self.registration is None:
            return public(selected)
        return await self.registration.seen(record, self.by, selected, self.audience)

    async def beside(self, record: HandleRecord, values: Iterable[HandleValue] | None = None) -> Values:
        """The same of a record that nobody named: where the view of others is not his to see, it is everybody's."""
        selected = tuple(record.values if values is None else values)
        try:
            return await self.of(record, selected)
        except (InvalidAdministrator, InsufficientPermission):
            return public(selected)

    def sealed(self, response: Response) -> Response:
        """An answer as only this reader may have it."""
        if self.is_public:
            return response
        for name in _OF_ONE:
            response.headers.pop(name, None)
        vary = response.headers.get("Vary", "")
        if "Authorization" not in vary:
            vary = f"Authorization, {vary}" if vary else "Authorization"
        response.headers.update({"Cache-Control": PRIVATE, "Vary": vary})
        return response


EVERYBODY: Final = Sight()
SIGHT: Final = web.RequestKey("sight", Sight)

LookUp = Callable[[web.Request], Awaitable[Sight]]


class Sights:
    """Finds out whose eyes a request is answered with."""

    def __init__(self, registration: Registration, authorization: Authorization) -> None:
        self._registration = registration
        self._authorization = authorization

    async def of(self, request: web.Request) -> Sight:
        """Raises what `Authorization.administrator` raises, AuthenticationNeeded for a stranger who asks for the view
        of others, and ProtocolFault."""
        if SIGHT in request:  # What is no link is asked for as a visit.
            return request[SIGHT]
        audience = audience_from(request.query.get(AS)) if "?" in request.raw_path else None
        if audience is None and self._authorization.is_anonymous(request):
            return EVERYBODY
        by = await self._authorization.administrator(request, *LOOKING)
        if by is None and audience is not None:
            raise AuthenticationNeeded("authentication.needed")
        request[SIGHT] = sight = EVERYBODY if by is None else Sight(self._registration, by, audience)
        return sight


async def everybodys(_: web.Request) -> Sight:
    """Where nobody is known."""
    return EVERYBODY
