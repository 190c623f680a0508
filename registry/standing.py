"""In which state a handle is, since when, by whom and why; and what that means for who asks for it or changes it.

Most handles are active, and nobody ever said so. One that is reserved, revoked or expired is closed: whoever asks for
it is told its standing in place of its values. One that is frozen, revoked or expired is fixed: nobody changes it
before somebody who may puts it into another state; a frozen one is resolved as before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final

import orjson

from registry.errors import HandleError, HandleNotFound, InsufficientPermission, InvalidHandle, ProtocolFault
from registry.handle import Handle, check_new

MAX_REASON: Final = 200  # Characters: with names around it, it fits a native refusal, which is one datagram or two.


class State(IntEnum):
    """The numbers are stored."""

    ACTIVE = 0
    DELETED = 1
    RESERVED = 2
    FROZEN = 3
    REVOKED = 4
    EXPIRED = 5

    @property
    def word(self) -> str:
        return self.name.lower()


CLOSED: Final = frozenset({State.RESERVED, State.REVOKED, State.EXPIRED})
FIXED: Final = frozenset({State.FROZEN, State.REVOKED, State.EXPIRED})
# Where a handle may go from each state; it may always stay, for another reason or another time.
NEXT: Final[Mapping[State, tuple[State, ...]]] = {
    State.RESERVED: (State.ACTIVE, State.REVOKED, State.EXPIRED),
    State.ACTIVE: (State.FROZEN, State.REVOKED, State.EXPIRED),
    State.FROZEN: (State.ACTIVE, State.REVOKED, State.EXPIRED),
    State.REVOKED: (State.ACTIVE,),
    State.EXPIRED: (State.ACTIVE, State.REVOKED),
}
CHOSEN: Final = tuple(NEXT)  # The states that somebody may choose: deleting is another operation.
_WORDS_ZH: Final[Mapping[State, str]] = {
    State.ACTIVE: "有效",
    State.RESERVED: "预留",
    State.FROZEN: "冻结",
    State.REVOKED: "注销",
    State.EXPIRED: "过期",
}
_LIMITED: Final = frozenset({State.ACTIVE, State.RESERVED, State.FROZEN})  # Those that time may end.


@dataclass(frozen=True, slots=True)
class Wish:
    """What a handle is to become. At `expires`, in seconds since 1970, its time is over."""

    state: State
    reason: str = ""
    successor: str = ""
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody said of a handle's state, and when, in seconds since 1970.

    What an administrator of the node said, nobody else takes back (`of_node`).
    """

    state: State
    since: int
    by: str
    of_node: bool = False
    reason: str = ""
    successor: str = ""
    expires: int | None = None

    @property
    def is_closed(self) -> bool:
        return self.state in CLOSED


@dataclass(frozen=True, slots=True)
class Origin:
    """Since when and by whom a state was chosen in the book that an archive is from."""

    since: int
    by: str


def standing_to_json(standing: Standing) -> str:
    """As its row has it, beside the state."""
    form: dict[str, Any] = {"since": standing.since, "by": standing.by}
    if standing.of_node:
        form["node"] = True
    for name in ("reason", "successor", "expires"):
        if given := getattr(standing, name):
            form[name] = given
    return orjson.dumps(form).decode()


def standing_from_json(state: int, form: str | None) -> Standing | None:
    """None where nobody chose the state."""
    if form is None:
        return None if state == State.ACTIVE else Standing(State(state), 0, "")
    read = orjson.loads(form)
    return Standing(
        State(state),
        read["since"],
        read["by"],
        read.get("node", False),
        read.get("reason", ""),
        read.get("successor", ""),
        read.get("expires"),
    )


def shown(standing: Standing) -> dict[str, Any]:
    """What anybody may know of it."""
    form: dict[str, Any] = {"state": standing.state.word, "since": time_of(standing.since)}
    if standing.reason:
        form["reason"] = standing.reason
    if standing.successor:
        form["successor"] = standing.successor
    if standing.expires is not None:
        form["expires"] = time_of(standing.expires)
    return form


def time_of(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def checked(wish: Wish, now: int) -> Wish:
    """Refuses a wish that cannot be shown or cannot be met. Raises ProtocolFault, InvalidHandle."""
    if len(wish.reason) > MAX_REASON or not (wish.reason or " ").isprintable():
        raise _fault("reason", f"must be at most {MAX_REASON} characters that can be shown", wish.reason)
    if not wish.reason and wish.state is not State.ACTIVE:
        raise _fault("reason", "is needed for this state", wish.reason)
    if wish.successor:
        check_new(Handle.from_text(wish.successor))
        if "/" not in wish.successor:
            raise InvalidHandle("load.no_prefix", handle=wish.successor)
    if wish.expires is not None and wish.state not in _LIMITED:
        raise _fault("expires", "is of no use in this state", time_of(wish.expires))
    if wish.expires is not None and wish.expires <= now:
        raise _fault("expires", "is over", time_of(wish.expires))
    return wish


def stand(handle: Handle, before: Standing | None, wish: Wish, by: str, now: int, *, of_node: bool) -> Standing:
    """The standing that a wish leads to. Raises ProtocolFault, InsufficientPermission."""
    state = State.ACTIVE if before is None else before.state
    if before is not None and before.of_node and not of_node:
        raise InsufficientPermission("state.node", handle=str(handle), state=state.word, state_zh=_WORDS_ZH[state])
    allowed = NEXT[state]
    if wish.state is not state and wish.state not in allowed:
        words = ", ".join(one.word for one in allowed)
        names = {"state": state.word, "state_zh": _WORDS_ZH[state], "wanted": wish.state.word, "allowed": words}
        raise ProtocolFault("state.next", handle=str(handle), **names)
    return Standing(wish.state, now, by, of_node, wish.reason, wish.successor, wish.expires)


def stood(wish: Wish, origin: Origin, *, of_node: bool) -> Standing:
    """The standing that a wish led to in another book."""
    return Standing(wish.state, origin.since, origin.by, of_node, wish.reason, wish.successor, wish.expires)


def begins_use(before: Standing | None, wish: Wish) -> bool:
    """Whether a reserved name is taken into use: what it says then is held to what new handles are held to."""
    return before is not None and before.state is State.RESERVED and wish.state is State.ACTIVE


def fixed(handle: Handle, standing: Standing | None) -> InsufficientPermission | None:
    """Why a handle cannot be changed as it stands."""
    if standing is None or standing.state not in FIXED:
        return None
    words = {"state": standing.state.word, "state_zh": _WORDS_ZH[standing.state]}
    return InsufficientPermission("state.fixed", handle=str(handle), **words, **_why(standing))


def closed(handle: str, standing: Standing) -> HandleError:
    """What is said in place of the values of a handle that is not resolved."""
    since = time_of(standing.since)
    rule, more = f"state.{standing.state.word}", _why(standing)
    return HandleNotFound(rule, handle=handle, since=since, successor=standing.successor, **more)


def _why(standing: Standing) -> dict[str, str]:
    """The reason and the successor as the end of a sentence, in both languages."""
    english, chinese = standing.reason and f": {standing.reason}", standing.reason and f"：{standing.reason}"
    if standing.successor:
        english += f"; its successor is {standing.successor}"
        chinese += f"；后继标识为 {standing.successor}"
    return {"why": english, "why_zh": chinese}


def _fault(name: str, rule: str, value: str) -> ProtocolFault:
    return ProtocolFault("json.field", path=f"$.{name}", rule=rule, value=repr(value[:40]))
