"""Which system a code belongs to: one table of shapes, tried in order, and the code read as its system reads it.

A text is tried by its shape, which is cheap, and belongs to the first system whose shape it has; what that system then
refuses is refused, not tried on the next one, so that a mistyped code is never taken for something else. Digits alone
show least of all what they are: those that two systems can read are refused. Who knows that the text is a handle (its
prefix is homed here) does not ask at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from registry.errors import HandleError, InvalidHandle
from registry.handle import MAX_HANDLE, Handle
from registry.schemes import did, ecode, gs1, handle_name, ma, oid, uid, vaa


class Scheme(Protocol):
    """What each module of a system offers."""

    @property
    def SYSTEM(self) -> str: ...  # noqa: N802  # a constant of the module

    def shape(self, text: str, /) -> bool:
        """Whether a text looks like a code of the system; cheap, and never raises."""

    def from_text(self, text: str, /) -> Handle:
        """The canonical form. Raises HandleError."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A code, its system, and the handle it is kept under."""

    system: str
    handle: Handle


# The order of trial. A handle comes last, because every text has its shape.
ORDER: Final[tuple[Scheme, ...]] = (vaa, did, oid, ma, uid, ecode, gs1, handle_name)
SCHEMES: Final[Mapping[str, Scheme]] = MappingProxyType({scheme.SYSTEM: scheme for scheme in ORDER})


def recognise(text: str) -> Recognised:
    """The system of a code and its handle. Raises HandleError, with the rule of the system that refused it."""
    if len(text) > MAX_HANDLE:
        raise InvalidHandle("handle.too_long", octets=len(text.encode("utf-8", "replace")), limit=MAX_HANDLE)
    if text.isascii() and text.isdigit():
        return _of_digits(text)
    scheme = next(scheme for scheme in ORDER if scheme.shape(text))
    return Recognised(scheme.SYSTEM, scheme.from_text(text))


def _of_digits(text: str) -> Recognised:
    """The one system that can read them; the refusal of the first when none can."""
    readings: list[Recognised] = []
    refused: HandleError | None = None
    for scheme in ORDER[:-1]:
        if scheme.shape(text):
            try:
                readings.append(Recognised(scheme.SYSTEM, scheme.from_text(text)))
            except HandleError as refusal:
                refused = refused or refusal
    if len(readings) > 1:
        systems = ", ".join(reading.system for reading in readings)
        raise InvalidHandle("code.ambiguous", code=text, systems=systems)
    if readings:
        return readings[0]
    if refused is not None:
        raise refused
    return Recognised(ORDER[-1].SYSTEM, ORDER[-1].from_text(text))
