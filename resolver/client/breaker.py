"""A circuit breaker for each server: one that fails again and again is left alone for a while.

Closed, it is asked. After `FAILURES` failures without a success between them it is open: whoever would ask is refused
at once instead of waiting for what will not come. When its pause is over one question is let through (half-open), and
what becomes of that decides: closed again, or open for twice as long.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

log = logging.getLogger(__name__)

FAILURES: Final = 5  # In a row: one lost datagram and its repetitions are one failure, so that none of them is chance.
FIRST_PAUSE: Final = 1.0  # Seconds; a program that restarts is back by then.
LAST_PAUSE: Final = 30.0  # Seconds: what costs one question in thirty seconds may go on for days.
SERVERS: Final = 4096  # Remembered at a time; those that fail are few, and one that is forgotten is merely asked again.


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    pause: float = FIRST_PAUSE
    open_until: float = 0.0  # 0 while it is closed.
    trying: bool = False  # One question was let through, and nothing has come of it yet.


class Breakers:
    """By server, whatever names one. `opened` is how many are open; `on_open` is told of each time that one opens."""

    def __init__(self, clock: Callable[[], float] = monotonic, on_open: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._on_open = on_open
        self._circuits: dict[str, _Circuit] = {}

    @property
    def opened(self) -> int:
        return sum(circuit.open_until > 0 for circuit in self._circuits.values())

    def allow(self, server: str) -> bool:
        """Whether to ask. Half-open lets one through; the others wait for what becomes of it, or for as long again."""
        circuit = self._circuits.get(server)
        if circuit is None or not circuit.open_until:
            return True
        now = self._clock()
        if now < circuit.open_until:
            return False
        circuit.open_until = now + circuit.pause
        circuit.trying = True
        return True

    def succeeded(self, server: str) -> None:
        circuit = self._circuits.pop(server, None)
        if circuit is not None and circuit.open_until:
            log.info("%s answers again", server)

    def failed(self, server: str, reason: object) -> None:
        circuit = self._circuits.get(server)
        if circuit is None:
            if len(self._circuits) >= SERVERS:
                del self._circuits[next(iter(self._circuits))]
            circuit = self._circuits[server] = _Circuit()
        circuit.failures += 1
        if circuit.open_until and not circuit.trying:
            return  # It was asked before the circuit opened, as many were: what they say was known already.
        if circuit.open_until:
            circuit.trying = False
            circuit.pause = min(circuit.pause * 2, LAST_PAUSE)
        elif circuit.failures >= FAILURES:
            log.warning("%s is left alone after %s failures: %s", server, circuit.failures, reason)
            self._on_open()
        else:
            return
        circuit.open_until = self._clock() + circuit.pause
