"""Asks for handles, beginning at configured servers and following where they refer to.

A host that nobody configured is never contacted: the hosts of the configured servers may be referred to, and the
addresses in `networks`. So a record cannot make a client ask machines of somebody's choice.
"""

import asyncio
import contextlib
import ipaddress
import secrets
import ssl
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from registry.errors import ResponseCode
from registry.handle import NAMING_AUTHORITY
from registry.octets import Truncated
from registry.site import SiteInfo
from registry.value import HandleValue
from resolver.client.errors import BadAnswer, ClientError, NoAnswer, NotConfigured, ReferralLoop
from resolver.client.exchange import Transports
from resolver.client.referral import LOCATING_TYPES, Trail, service_of
from resolver.client.servers import Server, is_address, servers_of, sites_of
from resolver.client.verification import is_signed_with
from resolver.wire.administration import NOTHING_NAMED, NamedHandle
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.envelope import NEWEST
from resolver.wire.message import UNKNOWN_SERIAL, Message
from resolver.wire.query import HandleValues, Query
from resolver.wire.refusal import Referral, Refusal

DEADLINE: Final = 20.0  # Seconds for an answer with all that it takes to find it.
VALIDITY: Final = 12 * 3600  # Seconds that a request says it is valid for, as the reference client's does.

_ROOT: Final = NAMING_AUTHORITY.encode() + b"/"
_REFERRALS: Final = frozenset({ResponseCode.SERVICE_REFERRAL, ResponseCode.PREFIX_REFERRAL})


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was answered: values with code 1, else a code and perhaps a sentence. `servers` were asked, in order."""

    code: int
    handle: str
    values: tuple[HandleValue, ...]
    text: str
    servers: tuple[Server, ...]


class Client:
    """`networks` are addresses or networks (CIDR) that referrals may lead to besides the servers' own hosts."""

    def __init__(
        self,
        servers: Sequence[Server],
        *,
        networks: Collection[str] = (),
        deadline: float = DEADLINE,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not servers:
            raise ValueError("no server to ask")
        self._servers = tuple(servers)
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]
        self._hosts = {server.host for server in servers}
        self._deadline = deadline
        self._transports = Transports(tls)
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
    ) -> Resolved:
        """What anybody may read of a handle. Raises ClientError.

        With `certify` every answer must be signed: by the key of the referral that led there, and by a configured
        server with the key that it was given or, where it was given none, the one that it shows when it is first asked.
        """
        query = Query(handle.encode(), tuple(indexes), tuple(types))
        flags = OpFlag.PUBLIC_ONLY | (OpFlag.AUTHORITATIVE if authoritative else 0) | (OpFlag.CERTIFY if certify else 0)
        trail = Trail()
        try:
            async with asyncio.timeout(self._deadline):
                if follow:
                    answer = await self._resolve(query, int(flags), self._servers, trail)
                else:
                    answer = await self._ask(_question(query, int(flags)), query.handle, self._servers, trail)
        except TimeoutError:
            raise NoAnswer(f"{handle!r} was not answered within {self._deadline:g} s") from None
        return _resolved(handle, answer, trail)

    async def site(self) -> SiteInfo:
        """What the first configured server that answers says of itself. Raises ClientError."""
        request = _request(OpCode.GET_SITE_INFO, NamedHandle(NOTHING_NAMED).to_wire(), 0)
        try:
            async with asyncio.timeout(self._deadline):
                return _site(await self._ask(request, NOTHING_NAMED, self._servers, Trail()))
        except TimeoutError:
            raise NoAnswer(f"no service information came within {self._deadline:g} s") from None

    async def _resolve(self, query: Query, flags: int, servers: Sequence[Server], trail: Trail) -> Message:
        answer = await self._ask(_question(query, flags), query.handle, servers, trail)
        code = answer.response_code
        if code in _REFERRALS:
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
        return await self._places(_values(answer), b"", query, flags, self._servers, trail)

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
            sites = list(sites_of(_values(answer)))
        found = servers_of(sites, query.handle, primary=bool(flags & OpFlag.AUTHORITATIVE))
        if not found:
            raise BadAnswer("a referral to no server that takes queries")
        allowed = [server for server in found if await self._may_ask(server.host)]
        if not allowed:
            raise NotConfigured(f"a referral to {', '.join(map(str, found))}, which nobody configured")
        return allowed

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
            for protocol, port in server.interfaces:
                try:
                    answer = (await self._transports.exchange(protocol, server.host, port, request))[0]
                    if request.op_flags & OpFlag.CERTIFY and not is_signed_with(answer, await self._key_of(server)):
                        raise BadAnswer(f"{server} did not sign its answer for {handle!r}")
                except (NoAnswer, BadAnswer) as error:
                    failure = error
                else:
                    return answer
        raise failure

    async def _key_of(self, server: Server) -> bytes:
        if not server.public_key and server not in self._keys:
            request = _request(OpCode.GET_SITE_INFO, NamedHandle(NOTHING_NAMED).to_wire(), 0)
            site = _site(await self._ask(request, NOTHING_NAMED, [server], Trail()))
            self._keys[server] = site.servers[0].public_key if site.servers else b""
        return server.public_key or self._keys[server]


def _question(query: Query, flags: int) -> Message:
    return _request(OpCode.RESOLUTION, query.to_wire(), flags)


def _request(op_code: int, body: bytes, flags: int) -> Message:
    major, minor = NEWEST
    request_id = secrets.randbits(31)
    expiration = int(time.time()) + VALIDITY
    return Message(major, minor, major, minor, 0, request_id, 0, op_code, 0, flags, UNKNOWN_SERIAL, 0, 0,
                   expiration, body, b"")  # fmt: skip


def _resolved(handle: str, answer: Message, trail: Trail) -> Resolved:
    code, text = answer.response_code, ""
    values = _values(answer)
    if code != ResponseCode.SUCCESS and code not in _REFERRALS:
        try:
            text = Refusal.from_wire(answer.content).text
        except Truncated:
            text = ""
    return Resolved(code, handle, values, text, tuple(trail.servers))


def _site(answer: Message) -> SiteInfo:
    """Raises BadAnswer."""
    if answer.response_code != ResponseCode.SUCCESS:
        raise BadAnswer(f"no service information: {answer.response_code}")
    try:
        return SiteInfo.from_wire(answer.content)
    except Truncated as error:
        raise BadAnswer(f"service information: {error}") from None


def _values(answer: Message) -> tuple[HandleValue, ...]:
    """Raises BadAnswer."""
    if answer.response_code != ResponseCode.SUCCESS:
        return ()
    try:
        return HandleValues.from_wire(answer.content).values
    except Truncated as error:
        raise BadAnswer(f"an answer whose values cannot be read: {error}") from None
