"""What a source of datagrams may have in answers, so that nobody is flooded by way of us.

Anybody can write another's address on a datagram. Each network of sources therefore has an account in octets: its
requests pay in, multiplied, its answers are paid from it, and it fills by a little every second besides. Over time no
network gets more than FACTOR octets for each that it sent, and TRICKLE a second; and never more than the rate that the
settings allow. Octets that are no message pay nothing in and are answered by nothing. A requester that hears nothing
asks again over TCP, where an address cannot be made up.
"""

import socket
from typing import Final

from registry.recent import STRANGERS, Recent

FACTOR: Final = 8  # An ordinary answer is two to six times its request; the answer to a session set-up is twice.
TRICKLE: Final = 4096.0  # Octets a second.
BURST: Final = 16_384.0  # Octets that an account holds at most, and one that is new begins with half.
NETWORKS: Final = STRANGERS
IPV4_NETWORK: Final = 3  # Octets: a /24, the smallest network that the Internet routes.
IPV6_NETWORK: Final = 7  # Octets: a /56, which is what one customer is given.


class Account:
    """Octets that may be sent to one network."""

    __slots__ = ("at", "credit", "rate")

    def __init__(self, at: float, rate: float) -> None:
        self.at = at
        self.credit = BURST / 2
        self.rate = rate  # what is left of this second's share

    def earn(self, asked: int) -> None:
        """For a request of so many octets that is not answered at once."""
        self.credit += asked * FACTOR

    def pays(self, answered: int, asked: int = 0) -> bool:
        """★ Whether an answer of so many octets may be sent, to a request of so many; it is paid for then."""
        self.credit += asked * FACTOR - answered
        if self.credit >= 0.0 and answered <= self.rate:
            self.rate -= answered
            return True
        self.credit += answered
        return False


class Budget:
    """The accounts of all networks. `rate` is in octets a second."""

    def __init__(self, rate: float, networks: int = NETWORKS) -> None:
        self._rate = rate
        self._accounts: Recent[bytes, Account] = Recent(networks // 2)

    def limit(self, rate: float) -> None:
        self._rate = rate

    def __len__(self) -> int:
        return len(self._accounts)

    def account(self, network: bytes, now: float) -> Account:
        """★"""
        account = self._accounts.get(network)
        if account is None:
            account = Account(now, self._rate)
            self._accounts.put(network, account)
            return account
        elapsed = now - account.at
        account.at = now
        account.credit = min(BURST, account.credit + elapsed * TRICKLE)
        account.rate = min(self._rate, account.rate + elapsed * self._rate)
        return account


def network_of(address: str) -> bytes:
    """The /24 of an IPv4 address, the /56 of an IPv6 address: who has one address there has its neighbours too."""
    if ":" in address:
        return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:IPV6_NETWORK]
    return socket.inet_aton(address)[:IPV4_NETWORK]
