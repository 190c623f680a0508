"""How often a client may ask, and how often a prefix and an enterprise may be asked for.

Of each only one moment is kept: until when it has paid, if every question costs the same share of a second (the generic
cell rate algorithm of ITU-T I.371, which is a token bucket without a clock of its own). Connections and datagrams have
accounts apart: the address of a datagram can be made up, and nobody is to be shut out of the one by means of the other.
The workers of a node share the accounts. A worker that limits nothing makes no `Allowance`, and the path of a cached
answer looks for none but there.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Final, Literal

from registry.accounts import Account, OwnAccount, SharedAccounts
from registry.errors import TooManyRequests
from registry.handle import HandleKey
from registry.prefix import PrefixTable
from registry.recent import STRANGERS, Recent
from registry.sources import IpNetwork, address_from_octets, address_from_text, is_in, networks_from

Address = str | bytes
"""As text or, where datagrams come by in bursts, as octets."""
Limited = Literal["client", "prefix", "enterprise"]
LIMITED: Final[tuple[Limited, ...]] = ("client", "prefix", "enterprise")

SAVED: Final = 2.0  # Seconds' worth that may be asked for at once after a while of rest: a page and what it shows.
PREFIXES: Final = 8192  # Accounts of prefixes and of enterprises; a node of the field homes some hundreds.
ROUNDED: Final = 1e-6  # Seconds: less is what sums of fractions of a second are wrong by.
_IPV4: Final = 4  # Octets of an address.
_IPV6_NETWORK: Final = 8  # Octets of a /64: a host there changes its address as it likes.


def digest_of(proof: str) -> bytes:
    """What stands for a header that says who somebody is: the secret in it is not kept."""
    return hashlib.blake2b(proof.encode("utf-8", "surrogateescape"), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Excess:
    """Too much was asked: of what, which limit there is, and when it may be asked again."""

    limited: Limited
    limit: int
    wait: float

    def error(self) -> TooManyRequests:
        return TooManyRequests(f"limit.{self.limited}", limit=self.limit, seconds=max(1, ceil(self.wait)))


class Rate:
    """So many questions a second for each account."""

    __slots__ = ("_accounts", "_ahead", "_name", "_shared", "interval", "limit", "limited")

    def __init__(self, limited: Limited, limit: int, shared: SharedAccounts | None, name: str) -> None:
        """`name` is that of the kind of account among all that are shared."""
        self.limited = limited
        self.limit = limit
        self.interval = 1.0 / limit
        self._ahead = SAVED - self.interval
        self._shared = shared
        self._name = name.encode()
        self._accounts: Recent[Address | int, Account] = Recent(STRANGERS // 2 if limited == "client" else PREFIXES)

    def account(self, key: Address | int) -> Account:
        account = self._accounts.get(key)
        if account is None or not account.is_ours:
            account = OwnAccount() if self._shared is None else self._shared.open(b"%b %r" % (self._name, key))
            self._accounts.put(key, account)
        return account

    def wait(self, account: Account, now: float) -> float:
        """★ Seconds until one more may be asked; not above 0 when it may be now."""
        return account.paid_until - now - self._ahead

    def take(self, account: Account, now: float, times: int) -> None:
        """★ More may be taken at once than there is: it is paid for before the next."""
        account.paid_until = max(account.paid_until, now) + times * self.interval


Paid = tuple[tuple[Rate, Account], ...]


class Rates:
    """The rates over one kind of transport."""

    def __init__(
        self, limits: Sequence[tuple[Limited, int]], shared: SharedAccounts | None = None, *, silent: bool
    ) -> None:
        self.silent = silent
        kind = "datagrams" if silent else "connections"
        self.by = {limited: Rate(limited, limit, shared, f"{kind} {limited}") for limited, limit in limits if limit}

    def accounts(self, keys: Iterable[tuple[Limited, Address | int]]) -> Paid:
        return tuple((self.by[limited], self.by[limited].account(key)) for limited, key in keys if limited in self.by)


class Allowance:
    """What one client may still ask for, as long as its cell lives. `silent`: where it may not, it hears nothing."""

    __slots__ = ("_by_prefix", "_client", "_limits", "_rates", "silent")

    def __init__(self, limits: "Limits", rates: Rates, client: Address) -> None:
        """No client: only what it asks for is limited."""
        self.silent = rates.silent
        self._limits = limits
        self._rates = rates
        self._client = rates.accounts([("client", client)] if client else ())
        self._by_prefix: dict[bytes, Paid] = {}

    def excess(self, prefix: bytes) -> Excess | None:
        """★ What a question for a name below a prefix is too much of; it is counted where it is not."""
        paid = self._by_prefix.get(prefix)
        if paid is None:
            paid = self._client + self._of_prefix(prefix)
            if len(paid) > len(self._client):  # Strangers may make up as many prefixes as they like.
                self._by_prefix[prefix] = paid
        return self._limits.take(paid, 1)

    def client_excess(self, times: int = 1) -> Excess | None:
        """As `excess`, of requests for no name."""
        return self._limits.take(self._client, times)

    def prefix_excess(self, prefix: bytes, times: int = 1) -> Excess | None:
        """As `excess`, of names whose request was counted already."""
        return self._limits.take(self._of_prefix(prefix), times)

    def _of_prefix(self, prefix: bytes) -> Paid:
        homed = self._limits.prefixes().of(HandleKey(prefix + b"/"))
        if homed is None:
            return ()
        of_enterprise: tuple[tuple[Limited, Address | int], ...] = ()
        if homed.enterprise_id is not None:
            of_enterprise = (("enterprise", homed.enterprise_id),)
        return self._rates.accounts((("prefix", homed.key), *of_enterprise))


class Limits:
    """The limits of one worker, or with `shared` its part in those of all workers of the node; `limit` sets them, also
    while it runs. Until then nothing is limited."""

    def __init__(
        self,
        prefixes: Callable[[], PrefixTable] = PrefixTable,
        fronts: Sequence[IpNetwork] = (),
        clock: Callable[[], float] = monotonic,
        shared: SharedAccounts | None = None,
    ) -> None:
        """`fronts` are believed to say whom they stand for, and are no clients themselves."""
        self.prefixes = prefixes
        self.refused: dict[Limited, int] = dict.fromkeys(LIMITED, 0)
        self._fronts = fronts
        self._exempt: Sequence[IpNetwork] = ()
        self._clock = clock
        self._shared = shared
        self.on = False
        self._connections = self._datagrams = Rates((), silent=False)
        self._vouched: Recent[bytes, bool] = Recent(STRANGERS // 2)

    def limit(self, *, client: int, prefix: int, enterprise: int, exempt: Sequence[str] = ()) -> None:
        """Questions a second; 0 for no limit."""
        limits: tuple[tuple[Limited, int], ...] = (("client", client), ("prefix", prefix), ("enterprise", enterprise))
        self.on = any((client, prefix, enterprise))
        self._exempt = networks_from(exempt)
        self._connections = Rates(limits, self._shared, silent=False)
        self._datagrams = Rates(limits, self._shared, silent=True)

    def allowance(self, protocol: str, address: Address) -> Allowance | None:
        """Of who asks from an address; None while nothing is limited. A request in a tunnel has been counted."""
        if not self.on:
            return None
        rates = self._datagrams if protocol == "udp" else self._connections
        return Allowance(self, rates, b"" if protocol == "tunnel" else self._client_of(address))

    def allowance_of_token(self, token: bytes) -> Allowance | None:
        """Of who shows what was vouched for lately; None for what was not: anybody can make up tokens."""
        return Allowance(self, self._connections, token) if self._vouched.get(token) else None

    def vouch(self, token: bytes) -> None:
        """Somebody who showed this is known, and is a client of his own from now on, wherever he asks from."""
        if self.on:
            self._vouched.put(token, True)

    def hides_client(self, address: str) -> bool:
        """Whether only the head of a request says who its client is."""
        return "client" in self._connections.by and is_in(address_from_text(address), self._fronts)

    def take(self, paid: Paid, times: int) -> Excess | None:
        """★ Counts questions in each account, if every one allows it."""
        now = self._clock()
        for rate, account in paid:
            if (wait := rate.wait(account, now)) > ROUNDED:
                self.refused[rate.limited] += 1
                return Excess(rate.limited, rate.limit, wait)
        for rate, account in paid:
            rate.take(account, now, times)
        return None

    def _client_of(self, address: Address) -> Address:
        """Whose account an address has: its own or its /64's; none where it is a front or exempt, or not known."""
        known = address_from_text(address) if isinstance(address, str) else address_from_octets(address)
        if known is None or is_in(known, self._exempt) or is_in(known, self._fronts):
            return b""
        return known.packed if len(known.packed) == _IPV4 else known.packed[:_IPV6_NETWORK]
