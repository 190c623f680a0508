"""Versions of a handle as an archive has them, read: a line each, checked as whatever is to be stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from registry.errors import ProtocolFault
from registry.packing import pack
from registry.record import check_values
from registry.refusal import storable
from registry.rest import ValueForm, time_from_text, values_from_forms
from registry.standing import Standing, State, Wish, checked, standing_to_json
from registry.value import HandleValue

MAX_NAME: Final = 500  # Characters of who did something: an index and a handle, or a token's number.
MAX_VERSION: Final = 1 << 30  # So that versions go on counting.
MAX_VERSIONS: Final = 100_000  # Of one handle, and octets of their lines: they are held at once.
MAX_OCTETS: Final = 64 << 20

# Version, state, standing, values, since, until, who replaced it, and the load that wrote it.
Row = tuple[int, int, str | None, bytes, datetime, datetime, str, int | None]
Time = Annotated[str, msgspec.Meta(max_length=40)]
Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]


class StandingForm(msgspec.Struct):
    state: str
    reason: str = ""
    successor: str = ""
    expires: str | None = None
    since: str | None = None
    by: Name = ""


class PastLine(msgspec.Struct):
    """A version; the present one says when the handle was registered."""

    past: str
    version: Annotated[int, msgspec.Meta(ge=1, le=MAX_VERSION)]
    state: str
    since: Time
    values: list[ValueForm]
    standing: StandingForm | None = None
    until: Time | None = None
    by: Name = ""
    registered: Time | None = None


@dataclass(frozen=True, slots=True)
class Former:
    """A version as it was: from when until when, in seconds since 1970, and who replaced it."""

    version: int
    state: State
    standing: Standing | None
    since: int
    until: int
    by: str
    values: tuple[HandleValue, ...]

    def row(self) -> Row:
        standing = None if self.standing is None else standing_to_json(self.standing)
        packed, times = pack(self.values, self.since), (time_at(self.since), time_at(self.until))
        return self.version, self.state, standing, packed, *times, self.by, None

    def after(self, begun: int) -> "Former":
        """The same, not before this time."""
        return replace(self, since=max(begun, self.since), until=max(begun, self.until))


def versions_of(lines: Sequence[PastLine], by: str, *, of_node: bool) -> list[Former]:
    """Newest last; one that does not say when it ended did when the next one began."""
    versions: list[Former] = []
    until = now = int(datetime.now(UTC).timestamp())
    for line in reversed(lines):
        since = seconds_of("since", line.since) or 0
        if since > now:
            raise ProtocolFault("json.field", path="$.since", rule="is to come", value=line.since)
        if versions and line.version >= versions[-1].version:
            raise ProtocolFault("json.field", path="$.version", rule="is out of order", value=str(line.version))
        until = seconds_of("until", line.until) or until
        state, replaced_by = _state(line.state), storable(line.by) or by
        standing = _standing(state, line.standing, by, of_node=of_node)
        versions.append(Former(line.version, state, standing, since, until, replaced_by, _values(line.values, since)))
        until = since
    return versions[::-1]


def _standing(state: State, form: StandingForm | None, by: str, *, of_node: bool) -> Standing | None:
    if form is None:
        if state not in (State.ACTIVE, State.DELETED):
            raise ProtocolFault("json.field", path="$.standing", rule="is missing", value=state.word)
        return None
    if form.state != state.word or state is State.DELETED:
        raise ProtocolFault("json.field", path="$.standing.state", rule="is not its state", value=form.state[:40])
    checked(Wish(state, form.reason, form.successor), 0)
    since, expires = seconds_of("standing.since", form.since), seconds_of("standing.expires", form.expires)
    return Standing(state, since or 0, storable(form.by) or by, of_node, form.reason, form.successor, expires)


def seconds_of(name: str, text: str | None) -> int | None:
    """Seconds since 1970 of a time in a line. Raises ProtocolFault."""
    if text is None:
        return None
    try:
        return time_from_text(text)
    except ValueError as error:
        raise ProtocolFault("json.field", path=f"$.{name}", rule=str(error), value=text[:40]) from None


def _state(word: str) -> State:
    if word.upper() not in State.__members__:
        raise ProtocolFault("json.field", path="$.state", rule="is no state", value=word[:40])
    return State[word.upper()]


def _values(forms: Sequence[ValueForm], since: int) -> tuple[HandleValue, ...]:
    """Values, with their own times of writing where they have one."""
    stamps = {form.index: seconds_of("values.timestamp", str(form.timestamp)) for form in forms if form.timestamp}
    return tuple(
        msgspec.structs.replace(value, timestamp=min(stamps.get(value.index) or since, since))
        for value in check_values(values_from_forms(forms))
    )


def time_at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
