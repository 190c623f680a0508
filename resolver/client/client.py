"""Asks for handles, beginning at configured servers and following where they refer to.

A host that nobody configured is never contacted: the hosts of the configured servers may be referred to, and the
addresses in `networks`. So a record cannot make a client ask machines of somebody's choice.

Whoever asks on another's behalf says how many have passed the question on (`Passed`), and is not asked himself.
"""

import asyncio
import contextlib
import ipaddress
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from registry.errors import ResponseCode
from registry.handle import NAMING_AUTHORITY
from registry.octets import Truncated
from registry.site import SiteInfo
from registry.value import HandleValue
from resolver.client.breaker import Breakers
from resolver.client.errors import BadAnswer, ClientError, NoAnswer, NotConfigured, ReferralLoop
from resolver.client.exchange import MAX_ANSWER, Transports
from resolver.client.messages import REFERRALS, Resolved, check, question, request_of, resolved, site_of, values_of
from resolver.client.referral import LOCATING_TYPES, Trail, service_of
from resolver.client.servers import Server, is_address, servers_of, sites_of
from resolver.client.verification import can_verify, is_signed_with
from resolver.wire.administration import NOTHING_NAMED, NamedHandle
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.message import Message
from resolver.wire.query import Query
from resolver.wire.refusal import Referral

SLOW: Final = 1.0  # Seconds: whoever gives up sooner says nothing of the server.
DEADLINE: Final = 20.0  # Seconds for an answer with all that it takes to find it.

_ROOT: Final = NAMING_AUTHORITY.encode() + b"/"


@dataclass(frozen=True, slots=True)
class Passed:
    """A question that is asked on another's behalf. `count` servers have passed it on, us included; `values` say where
    to begin, with the configured servers when there are none; nobody is asked whom `excludes` names."""

    count: int
    values: tuple[HandleValue, ...] = ()
    excludes: Callable[[Server], bool] = lambda _: False


_OURS: Final = Passed(0)


class Client:
    """`networks` are addresses or networks (CIDR) that referrals may lead to besides the servers' own hosts. Without
    servers only what names its own beginning can be asked. No answer may be longer than `most` octets."""

    def __init__(
        self,
        servers: Sequence[Server],
        *,
        networks: Collection[str] = (),
        deadline: float = DEADLINE,
        tls: ssl.SSLContext | None = None,
        breakers: Breakers | None = None,
        most: int = MAX_ANSWER,
    ) -> None:
        if not servers and not networks:
            raise ValueError("no server to ask")
        self._servers = tuple(servers)
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]
        self._hosts = {server.host for server in servers}
        self._deadline = deadline
        self._transports = Transports(tls, most)
        self._breakers = breakers or Breakers()
        self._keys: dict[Server, bytes] = {}

    async def resolve(
        self,
        handle: str,
        *,
        indexes: Collection[int] = (),
        types: Collection[str] = (),
        authoritative: bool = False,
        certify: bool = False,
        follow: bool = True,
        passed: Passed = _OURS,
        deadline: float | None = None,
    ) -> Resolved:
        """What anybody may read of a handle. Raises ClientError.

        With `certify` every answer must be signed: by the key of the referral that led there, and by a configured
        server with the key that it was given or, where it was given none, the one that it shows when it is first asked.
        """
        query = Query(handle.encode(), tuple(indexes), tuple(types))
        flags = OpFlag.PUBLIC_ONLY | (OpFlag.AUTHORITATIVE if authoritative else 0) | (OpFlag.CERTIFY if certify else 0)
        seconds = self._deadline if deadline is None else min(deadline, self._deadline)
        trail = Trail(passed_on=passed.count, ends=time.time() + seconds, excludes=passed.excludes)
        try:
            async with asyncio.timeout(seconds):
                servers: Sequence[Server] = self._servers
                if passed.values:
                    servers = await self._places(passed.values, b"", query, int(flags), servers, trail)
                if follow:
                    answer = await self._resolve(query, int(flags), servers, trail)
                else:
                    answer = await self._ask(question(query, int(flags)), query.handle, servers, trail)
        except TimeoutError:
            raise NoAnswer(f"{handle!r} was not answered within {seconds:g} s") from None
        return resolved(handle, answer, tuple(trail.servers))

    async def site(self) -> SiteInfo:
        """What the first configured server that answers says of itself. Raises ClientError."""
        request = request_of(OpCode.GET_SITE_INFO, NamedHandle(NOTHING_NAMED).to_wire(), 0)
        try:
            async with asyncio.timeout(self._deadline):
                return site_of(await self._ask(request, NOTHING_NAMED, self._servers, Trail()))
        except TimeoutError:
            raise NoAnswer(f"no service information came within {self._deadline:g} s") from None

    async def _resolve(self, query: Query, flags: int, servers: Sequence[Server], trail: Trail) -> Message:
        answer = await self._ask(question(query, flags), query.handle, servers, trail)
        code = answer.response_code
        if code in REFERRALS:
            referred = await self._referred(answer, query, flags, servers, trail)
            return await self._resolve(query, flags, referred, trail)
        if code == ResponseCode.SERVER_NOT_RESPONSIBLE and servers is self._servers:
            located = await self._locate(query, flags, trail)
            return await self._resolve(query, flags, located, trail) if located else answer
        return answer

    async def _referred(
        self, answer: Message, query: Query, flags: int, servers: Sequence[Server], trail: Trail
    ) -> Sequence[Server]:
        """The servers that a referral means."""
        try:
            referral = Referral.from_wire(answer.content)
        except Truncated as error:
            raise BadAnswer(f"a referral: {error}") from None
        return await self._places(referral.values, referral.handle, query, flags, servers, trail)

    async def _locate(self, query: Query, flags: int, trail: Trail) -> Sequence[Server]:
        """The servers of a prefix that is not here, by its prefix handle; none when that says nothing."""
        if query.handle[: len(_ROOT)].upper() == _ROOT:
            return ()
        prefix_handle = _ROOT + query.handle.partition(b"/")[0]
        answer = await self._resolve(Query(prefix_handle, types=LOCATING_TYPES), flags, self._servers, trail)
        if answer.response_code != ResponseCode.SUCCESS:
            return ()
        return await self._places(values_of(answer), b"", query, flags, self._servers, trail)

    async def _places(
        self,
        values: tuple[HandleValue, ...],
        service: bytes,
        query: Query,
        flags: int,
        servers: Sequence[Server],
        trail: Trail,
    ) -> Sequence[Server]:
        """The servers of the sites among values, or of those that their service handle has."""
        sites = list(sites_of(values))
        if not sites:
            service = service or service_of(values) or b""
            if not service:
                raise BadAnswer("a referral that leads nowhere")
            answer = await self._resolve(Query(service, types=LOCATING_TYPES[:2]), flags, servers, trail)
            sites = list(sites_of(values_of(answer)))
        found = servers_of(sites, query.handle, primary=bool(flags & OpFlag.AUTHORITATIVE))
        if not found:
            raise BadAnswer("a referral to no server that takes queries")
        allowed = [server for server in found if await self._may_ask(server.host)]
        if not allowed:
            raise NotConfigured(f"a referral to {', '.join(map(str, found))}, which nobody configured")
        others = [server for server in allowed if not trail.excludes(server)]
        if not others:
            raise ReferralLoop(f"a referral to {', '.join(map(str, allowed))}, who asks")
        return others

    async def _may_ask(self, host: str) -> bool:
        if host in self._hosts:
            return True
        address = ipaddress.ip_address(host)
        if any(address in network for network in self._networks):
            return True
        loop = asyncio.get_running_loop()
        for name in [host for host in self._hosts if not is_address(host)]:
            with contextlib.suppress(OSError):  # a name that is not known now allows nothing
                self._hosts |= {str(place[0]) for *_, place in await loop.getaddrinfo(name, None)}
        return host in self._hosts

    async def _ask(self, request: Message, handle: bytes, servers: Sequence[Server], trail: Trail) -> Message:
        """The answer of the first server that gives one, over the first of its interfaces that works."""
        failure: ClientError = NoAnswer("no server to ask")
        for server in servers:
            try:
                trail.step(server, handle)
            except ReferralLoop as error:
                failure = error
                continue
            try:
                return await self._ask_one(request, server, trail)
            except (NoAnswer, BadAnswer) as error:
                failure = error
        raise failure

    async def _ask_one(self, request: Message, server: Server, trail: Trail) -> Message:
        """The answer of one server, unless it is left alone just now."""
        if not self._breakers.allow(server.name):
            raise NoAnswer(f"{server} did not answer lately")
        if trail.passed_on:
            certify = OpFlag.CERTIFY if can_verify(server.public_key) else 0
            flags = request.op_flags | certify
            request = request._replace(recursion=trail.passed_on, expiration=int(trail.ends), op_flags=int(flags))
        failure: ClientError = NoAnswer(f"{server} has no way in")
        begun = time.monotonic()
        for protocol, port in server.interfaces:
            try:
                answer = (await self._transports.exchange(protocol, server.host, port, request))[0]
                check(answer, request)
                if request.op_flags & OpFlag.CERTIFY and not is_signed_with(answer, await self._key_of(server)):
                    raise BadAnswer(f"{server} did not sign its answer")
            except (NoAnswer, BadAnswer) as error:
                failure = error
            except asyncio.CancelledError:
                if time.monotonic() - begun >= SLOW:
                    self._breakers.failed(server.name, "no answer in time")
                raise
            else:
                self._breakers.succeeded(server.name)
                return answer
        self._breakers.failed(server.name, failure)
        raise failure

    async def _key_of(self, server: Server) -> bytes:
        if not server.public_key and server not in self._keys:
            request = request_of(OpCode.GET_SITE_INFO, NamedHandle(NOTHING_NAMED).to_wire(), 0)
            site = site_of(await self._ask(request, NOTHING_NAMED, [server], Trail()))
            self._keys[server] = site.servers[0].public_key if site.servers else b""
        return server.public_key or self._keys[server]
