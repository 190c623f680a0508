"""Views of a record: what each audience may read of it, by value and by type.

Everybody reads the values that are public. Values that only administrators may read are open to others where the
enterprise says so for their type: to its partners, to regulators. Regulators read those of types of which nothing is
said, as their office lets them. What is about the handle itself (HS_SECKEY and the like) is open to nobody else.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, get_args

import msgspec

from registry.errors import ProtocolFault
from registry.value import HandleValue, Permission, type_matches

Audience = Literal["public", "partner", "regulator", "owner"]

AUDIENCES: Final[tuple[Audience, ...]] = get_args(Audience)
OPENED: Final[tuple[Audience, ...]] = ("partner", "regulator")  # To whom types can be opened.
MAX_RULES: Final = 256  # Of one prefix: each is held against each value that is not public.
MAX_PARTNERS: Final = 256

AS: Final = "as"  # ?as=partner: with whose eyes an owner looks.

_OWN: Final = "HS_"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To whom values of a type are open that are not public; a type that ends in '.' names all that begin so."""

    type: str
    audiences: tuple[Literal["partner", "regulator"], ...]


@dataclass(frozen=True, slots=True)
class Views:
    """What an enterprise says for a prefix; `partners` are the keys of its partners' prefixes."""

    rules: tuple[Rule, ...] = ()
    partners: frozenset[bytes] = frozenset()

    def show(self, value: HandleValue, audience: Audience) -> bool:
        """Whether an audience may read a value."""
        if value.is_public:
            return True
        if audience == "public" or not value.permissions & Permission.ADMIN_READ:
            return False
        if audience == "owner":
            return True
        if value.type.upper().startswith(_OWN):
            return False
        said = [rule for rule in self.rules if type_matches(value.type, rule.type)]
        return any(audience in rule.audiences for rule in said) if said else audience == "regulator"


NO_VIEWS: Final = Views()


def audience_from(asked: str | None) -> Audience | None:
    """Whose view is asked for. Raises ProtocolFault."""
    if asked is not None and asked not in AUDIENCES:
        rule = f"is none of {', '.join(AUDIENCES)}"
        raise ProtocolFault("http.parameter", name=AS, value=asked[:40], rule=rule)
    return asked


def views_from_row(rules: Collection[str], partners: Collection[str]) -> Views:
    """As the tables of prefixes have them."""
    if not rules and not partners:
        return NO_VIEWS
    read = tuple(msgspec.json.decode(rule, type=Rule) for rule in rules)
    return Views(read, frozenset(partner.encode() for partner in partners))
