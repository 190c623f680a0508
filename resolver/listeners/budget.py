"""What a source of datagrams may have in answers, so that nobody is flooded by way of us.

Anybody can write another's address on a datagram. Each network of sources therefore has an account in octets: its
requests pay in, multiplied, its answers are paid from it, and it fills by a little every second besides. Over time no
network gets more than FACTOR octets for each that it sent, and TRICKLE a second; and never more than the rate that the
settings allow. A requester that hears nothing asks again over TCP, where an address cannot be made up.
"""

import socket
from collections.abc import Callable
from typing import Final

from cachetools import LRUCache

FACTOR: Final = 8  # An ordinary answer is two to six times its request; the answer to a session set-up is twice.
TRICKLE: Final = 4096.0  # Octets a second.
BURST: Final = 16_384.0  # Octets that an account holds at most, and one that is new begins with half.
NETWORKS: Final = 65_536  # Accounts; the one unused for longest gives way to a new one.
IPV6_NETWORK: Final = 7  # Octets: a /56, which is what one customer is given.


class Account:
    __slots__ = ("at", "credit", "rate")

    def __init__(self, at: float, credit: float, rate: float) -> None:
        self.at = at
        self.credit = credit
        self.rate = rate  # what is left of this second's share


class Budget:
    """The accounts of all networks. `rate` is in octets a second."""

    def __init__(self, rate: float, clock: Callable[[], float], networks: int = NETWORKS) -> None:
        self._rate = rate
        self._clock = clock
        self._accounts: LRUCache[str | bytes, Account] = LRUCache(networks)

    def __len__(self) -> int:
        return len(self._accounts)

    def credit(self, address: str, octets: int) -> Account:
        """★ The account of an address, after a request of so many octets."""
        network = network_of(address)
        now = self._clock()
        account = self._accounts.get(network)
        if account is None:
            account = self._accounts[network] = Account(now, BURST / 2, self._rate)
        elapsed = now - account.at
        account.at = now
        account.credit = min(BURST, account.credit + elapsed * TRICKLE) + octets * FACTOR
        account.rate = min(self._rate, account.rate + elapsed * self._rate)
        return account

    def pays(self, account: Account, octets: int) -> bool:
        """★ Whether an answer of so many octets may be sent; it is paid for then."""
        if octets > account.credit or octets > account.rate:
            return False
        account.credit -= octets
        account.rate -= octets
        return True


def network_of(address: str) -> str | bytes:
    """The /24 of an IPv4 address, the /56 of an IPv6 address: who has one address there has its neighbours too."""
    if "." in address and ":" not in address:
        return address.rpartition(".")[0]
    return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:IPV6_NETWORK]
