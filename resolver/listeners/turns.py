"""Costly requests, and each network's turns at them.

A signature or an agreement on a key costs a thousand times what another answer does. `certification` and
`native_sessions` bound how many wait in all; here no network takes all of that for itself. Datagrams whose turn is not
now are dropped, as their sender may be made up; connections wait.
"""

from collections.abc import Callable
from typing import Final

from registry.recent import STRANGERS, Recent
from resolver.wire.codes import OpCode, OpFlag
from resolver.wire.message import Message, SealedMessage

TURNS: Final = 50.0  # A second: a signature takes two milliseconds of a core, so this is a tenth of one.
AT_ONCE: Final = 100  # After a while without any: a fleet of clients that starts and sets up its sessions.
PATIENCE: Final = 5.0  # Seconds that a connection waits for its turn at most; clients give up after ten and more.

_CERTIFY: Final = int(OpFlag.CERTIFY)
_COSTLY: Final = frozenset({OpCode.SESSION_SETUP, OpCode.SESSION_KEY_EXCHANGE})


class Turns:
    """When a network may have its next costly request done."""

    def __init__(self, clock: Callable[[], float], networks: int = STRANGERS) -> None:
        self._clock = clock
        self._next: Recent[bytes, float] = Recent(networks // 2)

    def wait(self, network: bytes, patience: float) -> float | None:
        """Seconds until the turn that is taken herewith; None when it would take longer than that, and is not taken."""
        now = self._clock()
        following = max(self._next.get(network) or 0.0, now)
        wait = max(0.0, following - (AT_ONCE - 0.5) / TURNS - now)
        if wait > patience:
            return None
        self._next.put(network, following + 1.0 / TURNS)
        return wait


def is_costly(message: Message | SealedMessage) -> bool:
    """Whether it can make us sign or agree on a key. What a session's key vouches for gets a MAC, which is cheap."""
    if isinstance(message, SealedMessage):
        return False
    return message.op_code in _COSTLY or bool(message.op_flags & _CERTIFY and not message.credential)
