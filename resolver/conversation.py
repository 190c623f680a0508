"""Whom one native message came from, and what that connection has become meanwhile.

A TCP connection is one conversation and may log in, as the national SDKs do; a datagram or a tunnelled message is a
conversation of its own. Everything else that spans messages is shared between workers (`registry.exchanges`).
"""

from dataclasses import dataclass
from typing import Literal

from registry.authentication import Administrator
from resolver.wire.message import Message

Transport = Literal["udp", "tcp", "http"]


@dataclass(frozen=True, slots=True)
class PendingLogIn:
    """A log-in that was challenged on this connection. `until` is by the clock of `Operations`."""

    request: Message
    nonce: bytes
    session_id: int
    until: float


@dataclass(slots=True)
class Conversation:
    """`log_in` is who the connection is for its later requests, until `logged_in_until`."""

    transport: Transport
    peer: str
    secure: bool = False
    log_in: Administrator | None = None
    logged_in_until: float = 0.0
    pending: PendingLogIn | None = None
    wants_log_in: bool = False  # It has tried to log in: it is told to, where others are challenged.

    @property
    def is_anybodys(self) -> bool:
        """Whether the next message means the same in another conversation."""
        return self.log_in is None and self.pending is None and not self.wants_log_in

    @property
    def lasts(self) -> bool:
        """Whether later messages will come this way."""
        return self.transport == "tcp"
