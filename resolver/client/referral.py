"""From an answer that says "ask elsewhere" to the servers to ask (RFC 3652, sections 3.3 and 3.4).

Where referrals lead is written by strangers. So a trail remembers what was asked of whom, and its length is bounded.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from registry.value import HandleValue, type_matches
from resolver.client.errors import ReferralLoop
from resolver.client.servers import Server

MAX_QUESTIONS: Final = 20  # To find one handle: each level of delegation takes two or three.
SERVICE_TYPES: Final = ("HS_SERV", "HS_SERV.PREFIX")
# What of a prefix handle says where the prefix is served.
LOCATING_TYPES: Final = ("HS_SITE", "HS_SITE.6", "HS_SERV")


@dataclass(slots=True)
class Trail:
    """The questions that led here, passed on by so many servers until it `ends`, and to nobody whom it excludes."""

    servers: list[Server] = field(default_factory=list)
    passed_on: int = 0
    ends: float = 0.0
    excludes: Callable[[Server], bool] = lambda _: False
    _asked: set[tuple[Server, bytes]] = field(default_factory=set)

    def step(self, server: Server, handle: bytes) -> None:
        """Raises ReferralLoop."""
        question = (server, handle.upper())
        if question in self._asked:
            raise ReferralLoop(f"{server} was asked for {_shown(handle)} already")
        if len(self._asked) >= MAX_QUESTIONS:
            raise ReferralLoop(f"{_shown(handle)} was not found with {MAX_QUESTIONS} questions")
        self._asked.add(question)
        self.servers.append(server)


def service_of(values: tuple[HandleValue, ...]) -> bytes | None:
    """The service handle among values, whose HS_SITE values count then."""
    for value in values:
        if any(type_matches(value.type, service_type) for service_type in SERVICE_TYPES):
            return value.data
    return None


def _shown(handle: bytes) -> str:
    return repr(handle.decode(errors="replace"))
