"""To whom prefixes open values that not everybody may read (`registry.views`), as an enterprise says it."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from registry import acts
from registry.acts import Act
from registry.changes import ChangeKind
from registry.errors import ProtocolFault
from registry.handle import check_prefix
from registry.prefix import Prefix
from registry.record import MAX_TYPE
from registry.store import Store
from registry.transaction import LOG
from registry.views import MAX_PARTNERS, MAX_RULES, Rule

CLEAR: Final = "DELETE FROM reading_view WHERE prefix_id = $1"
SAY: Final = "INSERT INTO reading_view (prefix_id, type, audiences) VALUES ($1, $2, $3)"
CLEAR_PARTNERS: Final = "DELETE FROM partner WHERE prefix_id = $1"
SAY_PARTNER: Final = "INSERT INTO partner (prefix_id, partner) VALUES ($1, $2)"
# Two who say something at once: the second waits, and what he says stands.
HOLD: Final = "SELECT FROM prefix WHERE prefix_id = $1 FOR NO KEY UPDATE"


class ViewsForm(msgspec.Struct, forbid_unknown_fields=True):
    """`partners` are prefixes; `views` says for types of values who may read those that are not public."""

    partners: list[str] = []
    views: list[Rule] = []


def said(prefix: Prefix) -> ViewsForm:
    """What a prefix says."""
    return ViewsForm([one.decode() for one in sorted(prefix.views.partners)], list(prefix.views.rules))


async def say(store: Store, prefix: Prefix, given: ViewsForm, by: str) -> Prefix:
    """Has a prefix say this instead, and shows it so. Raises ProtocolFault, InvalidHandle."""
    form = _checked(given)
    partners = sorted({store.key_of(f"{one}/".encode())[:-1].decode() for one in form.partners})
    rules = [(prefix.prefix_id, rule.type, list(rule.audiences)) for rule in form.views]
    async with store.connection() as connection, connection.transaction():
        await connection.execute(HOLD, prefix.prefix_id)
        await connection.execute(CLEAR, prefix.prefix_id)
        await connection.executemany(SAY, rules)
        await connection.execute(CLEAR_PARTNERS, prefix.prefix_id)
        await connection.executemany(SAY_PARTNER, [(prefix.prefix_id, partner) for partner in partners])
        act = Act("views.said", prefix.spelling, prefix.prefix_id, msgspec.to_builtins(form))
        await acts.keep(connection, act, at=datetime.now(UTC), by=by, program=store.program)
        # Whoever answers reads the prefixes anew when he hears of this.
        await connection.execute(LOG, ChangeKind.PREFIX, prefix.prefix_id, None, None, None)
    await store.load_prefixes()
    told = store.prefixes.by_id(prefix.prefix_id)
    assert told is not None
    return told


def _checked(form: ViewsForm) -> ViewsForm:
    """Raises ProtocolFault, InvalidHandle."""
    for name, given, most in (("partners", form.partners, MAX_PARTNERS), ("views", form.views, MAX_RULES)):
        if len(given) > most:
            raise ProtocolFault("json.field", path=f"$.{name}", rule=f"has more than {most}", value=str(len(given)))
    for partner in form.partners:
        check_prefix(partner)
    seen = set()
    for place, rule in enumerate(form.views):
        path, shown = f"$.views[{place}].type", rule.type[:40]
        if not 0 < len(rule.type.encode()) <= MAX_TYPE or not rule.type.isprintable():
            raise ProtocolFault("json.field", path=path, rule=f"must have 1 to {MAX_TYPE} octets", value=shown)
        if rule.type.upper() in seen:
            raise ProtocolFault("json.field", path=path, rule="is there twice", value=shown)
        seen.add(rule.type.upper())
    return form
