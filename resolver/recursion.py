"""Questions passed on to the nodes that answer for them, for who asks that of us (RFC 3652, section 2.2.2.4 and 3.3).

Only what anybody may read is asked for, and only of servers that the operator named or whose addresses lie in networks
that he allowed. What comes is kept for as long as its values say, within bounds, apart from what is ours, and is never
given as ours. Loops end in three ways: who is asked by us is not asked to pass the question on, so none of our
questions makes another; each question says how many have passed it on; and whoever passed it on to us is not asked.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, time
from typing import Final

from cachetools import TLRUCache

from registry.errors import RecursionLimit, ResponseCode, ServerBusy
from registry.handle import Handle
from registry.packing import PackedRecord, pack
from registry.record import MAX_VALUES, public, ttl_of
from registry.site import SiteInfo
from registry.spans import span
from registry.value import HandleValue
from resolver.answer import MISSING_TTL
from resolver.client.breaker import Breakers
from resolver.client.client import Client, Passed
from resolver.client.errors import BadAnswer, ClientError, NoAnswer, NotConfigured, ReferralLoop
from resolver.client.messages import Resolved
from resolver.client.referral import service_of
from resolver.client.servers import SITE_TYPES, Server, sites_of
from resolver.metrics import Metrics
from resolver.other_nodes import RecursionSettings
from resolver.referral import Referrals, is_prefix_handle
from resolver.resolution import Resolver
from resolver.wire.envelope import MAX_MESSAGE
from resolver.wire.refusal import Referral

log = logging.getLogger(__name__)

MAX_PASSED: Final = 10  # Servers that pass one question on, as the reference server has it.
MAX_FLIGHTS: Final = 256  # Questions under way: more mean that what is asked is slow, and then waiting helps nobody.
KEPT_OCTETS: Final = 16 << 20  # Of answers from elsewhere: some forty thousand records.
LONGEST: Final = 3600.0  # Seconds for which one is kept at most: nobody tells us of its changes.
AROUND: Final = 400  # Octets of an answer that is kept, besides its values.

_FAILURES: Final[tuple[tuple[type[ClientError], str], ...]] = (
    (BadAnswer, "recursion_bad"),
    (NotConfigured, "recursion_forbidden"),
    (ReferralLoop, "recursion_loops"),
    (NoAnswer, "recursion_silent"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """A name that is asked for, by whom, how many servers passed it on to us, and the seconds that he will wait.

    One that is `authoritative` is for a primary server to answer, and for nothing that is kept.
    """

    name: bytes
    asker: str = ""
    passed: int = 0
    seconds: float = float("inf")
    authoritative: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What another node said: its values, or a code. It holds `until` then, by the clock of `Recursion`."""

    code: int
    values: tuple[HandleValue, ...]
    server: str
    until: float

    def packed(self, name: str) -> PackedRecord:
        """As a record, for who renders one. Nobody told its version."""
        return PackedRecord(Handle.from_text(name), pack(self.values, 0), 0, 0)


class Recursion:
    """Asks on behalf of others. `site` is what this node says of itself: it never asks itself."""

    def __init__(
        self,
        resolver: Resolver,
        referrals: Referrals,
        settings: RecursionSettings,
        site: Callable[[], SiteInfo],
        metrics: Metrics,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.is_on = bool(settings.networks or settings.servers)
        self.knows_more = bool(settings.servers)  # Whether somebody can be asked where nothing is known here.
        self.clock = clock
        self._resolver = resolver
        self._referrals = referrals
        self._site = site
        self._counts = metrics.counts
        self.deadline = settings.deadline
        self._top = [Server.from_text(text) for text in settings.servers]
        self.breakers = Breakers(clock, self._count_opened)
        self._client = (
            Client(
                self._top,
                networks=settings.networks,
                deadline=settings.deadline,
                breakers=self.breakers,
                most=MAX_MESSAGE,
            )
            if self.is_on
            else None
        )
        self._kept: TLRUCache[bytes, Elsewhere] = TLRUCache(
            KEPT_OCTETS, ttu=lambda _, answer, __: answer.until, timer=clock, getsizeof=_size
        )
        self._flights: dict[tuple[bytes, bool, int, str], asyncio.Task[Elsewhere | None]] = {}

    async def resolve(self, question: Question) -> Elsewhere | None:
        """What another node says; None when nobody is known who could be asked. Raises RecursionLimit, ServerBusy."""
        if self._client is None:
            return None
        kept = self._kept.get(question.name)
        if kept is not None and not question.authoritative:
            self._counts.recursion_kept += 1
            return kept
        if question.passed >= MAX_PASSED:
            raise RecursionLimit("recursion.limit", limit=MAX_PASSED)
        # Whom it came from is of interest only where that was a server itself: he is not to be asked.
        key = (question.name, question.authoritative, question.passed, question.asker if question.passed else "")
        flight = self._flights.get(key)
        if flight is None:
            if len(self._flights) >= MAX_FLIGHTS:
                raise ServerBusy("server.queue")
            flight = self._flights[key] = asyncio.create_task(self._ask(question, self._client))
            flight.add_done_callback(lambda done: self._end(key, done))
        try:
            async with asyncio.timeout(question.seconds if question.seconds < self.deadline else None):
                return await asyncio.shield(flight)
        except TimeoutError:
            raise ServerBusy("recursion.no_answer") from None

    async def close(self) -> None:
        for flight in (flights := tuple(self._flights.values())):
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _ask(self, question: Question, client: Client) -> Elsewhere | None:
        """Raises ServerBusy."""
        find = self._referrals.for_prefix_handle if is_prefix_handle(question.name) else self._referrals.for_foreign
        referral = await find(question.name)
        if referral is None and not self._top:
            return None
        try:
            name = question.name.decode()
            values = () if referral is None else await self._sites(referral, question, client)
            passed = self._passed(question, values)
            with span("upstream", handle=name):
                resolved = await client.resolve(name, authoritative=question.authoritative, passed=passed)
            found = self._read(resolved)
        except UnicodeDecodeError:
            return None  # No such name is registered anywhere.
        except ClientError as error:
            self._count_failure(error)
            raise ServerBusy("recursion.no_answer") from None
        if found.until > self.clock():
            self._kept[question.name] = found
        return found

    def _end(self, key: tuple[bytes, bool, int, str], flight: "asyncio.Task[Elsewhere | None]") -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # Heard, although everybody who asked may have left.

    async def _sites(self, referral: Referral, question: Question, client: Client) -> tuple[HandleValue, ...]:
        """The values that say where to ask. Raises ClientError, ServerBusy."""
        service = referral.handle if not referral.values else service_of(referral.values)
        if service is None or any(sites_of(referral.values)):
            return referral.values
        record = (await self._resolver.resolve(self._resolver.store.key_of(service))).record
        values = () if record is None else public(record.select(types=SITE_TYPES))
        if not values and self._top:
            passed = self._passed(question, ())
            values = (await client.resolve(service.decode(), types=SITE_TYPES, passed=passed)).values
        if not values:
            raise BadAnswer(f"the service handle {service!r} has no site")
        return values

    def _passed(self, question: Question, values: tuple[HandleValue, ...]) -> Passed:
        ours = {
            (str(server.address), interface.port) for server in self._site().servers for interface in server.interfaces
        }

        def excludes(server: Server) -> bool:
            if question.passed and server.host == question.asker:
                return True
            return any((server.host, port) in ours for _, port in server.interfaces)

        return Passed(question.passed + 1, values, excludes)

    def _read(self, resolved: Resolved) -> Elsewhere:
        """Raises BadAnswer."""
        server, now = resolved.servers[-1].name, self.clock()
        if resolved.code == ResponseCode.SUCCESS:
            values = tuple(sorted(public(resolved.values), key=lambda value: value.index))
            if len(values) > MAX_VALUES:
                raise BadAnswer(f"{server} answers with {len(values)} values")
            self._counts.recursion_found += 1
            ttl = min(float(ttl_of(values, int(time()))), LONGEST)
            return Elsewhere(resolved.code, values, server, now + ttl)
        if resolved.code not in _FINAL:
            raise BadAnswer(f"{server} answers with code {resolved.code}")
        self._counts.recursion_missing += 1
        return Elsewhere(resolved.code, (), server, now + MISSING_TTL)

    def _count_failure(self, error: ClientError) -> None:
        log.debug("a question that was passed on failed: %s", error)
        for kind, name in _FAILURES:
            if isinstance(error, kind):
                setattr(self._counts, name, getattr(self._counts, name) + 1)

    def _count_opened(self) -> None:
        self._counts.circuits_opened += 1


# What a server that is responsible may say of a name, besides its values; anything else is no answer to give on.
_FINAL: Final = frozenset(
    {ResponseCode.HANDLE_NOT_FOUND, ResponseCode.VALUES_NOT_FOUND, ResponseCode.SERVER_NOT_RESPONSIBLE}
)


def _size(answer: Elsewhere) -> int:
    return AROUND + sum(100 + len(value.data) + len(value.type) for value in answer.values)
