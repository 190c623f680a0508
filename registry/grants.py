"""What somebody may do who came with a token: the roles of people, the scopes of tokens, and what each scope allows.

A key of the Handle System stands for itself, and HS_ADMIN values name it (`registry.rights`). A token stands for an
enterprise: whoever holds it acts as the administrators of its prefixes, as far as its scopes go, and nowhere else.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from registry.admin import ALL_PERMISSIONS, PREFIX_ADMINISTRATOR, AdminPermission
from registry.errors import InsufficientPermission

Role = Literal["operator", "reviewer", "regulator", "administrator", "member", "applicant"]
Scope = Literal["operate", "review", "administer", "registry.write", "bulk", "read", "stats", "apply"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

SCOPES_OF: Final[Mapping[str, frozenset[Scope]]] = {
    "operator": frozenset({"operate", "review", "administer", "registry.write", "bulk", "read", "stats"}),
    "reviewer": frozenset({"review"}),
    "regulator": frozenset({"read", "stats"}),
    "administrator": frozenset({"administer", "registry.write", "bulk", "read", "stats", "apply"}),
    "member": frozenset({"registry.write", "bulk", "read", "stats"}),
    "applicant": frozenset({"apply"}),
}
OF_NODE: Final = frozenset({"operator", "reviewer", "regulator"})  # Roles that are of no enterprise, and see all.
# What tokens of programs may be issued for; the rest is for people who log in.
OF_PROGRAMS: Final[frozenset[Scope]] = frozenset({"administer", "registry.write", "bulk", "read", "stats"})

READING: Final = AdminPermission.LIST_HANDLES | AdminPermission.AUTHORIZED_READ
_WRITING: Final = (
    AdminPermission.CREATE_HANDLE
    | AdminPermission.DELETE_HANDLE
    | AdminPermission.MODIFY_VALUE
    | AdminPermission.REMOVE_VALUE
    | AdminPermission.ADD_VALUE
    | READING
)
_NOTHING: Final = AdminPermission(0)
_RIGHTS: Final[Mapping[str, AdminPermission]] = {
    "registry.write": _WRITING,
    "bulk": AdminPermission.CREATE_HANDLE | AdminPermission.DELETE_HANDLE,
    "read": READING,
    "stats": AdminPermission.LIST_HANDLES,
    "administer": AdminPermission.LIST_HANDLES,
}
# The handle of a prefix says whose it is and with which keys: who may write it needs more than a scope for handles.
_RIGHTS_OVER_PREFIXES: Final[Mapping[str, AdminPermission]] = {
    "administer": AdminPermission(PREFIX_ADMINISTRATOR),
    "operate": AdminPermission(ALL_PERMISSIONS),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is good for, as it stood when it was shown, and the one scope that this request uses.

    `name` says who acts, where a key would be named. `prefixes` are keys; None is every prefix, for people of the node.
    """

    name: str
    scopes: frozenset[str]
    prefixes: frozenset[bytes] | None = frozenset()
    enterprise_id: int | None = None
    person: str = ""
    token_id: int = 0
    scope: Scope = "read"

    @property
    def is_everywhere(self) -> bool:
        return self.prefixes is None

    def using(self, *scopes: Scope) -> "Grant":
        """The same for a request that needs one of these scopes. Raises InsufficientPermission."""
        for scope in scopes:
            if scope in self.scopes:
                return replace(self, scope=scope)
        raise InsufficientPermission("token.scope", name=self.name, scope=" | ".join(scopes))

    def allows(self, prefix_key: bytes, needed: AdminPermission, *, over_prefix: bool) -> bool:
        """Whether it allows `needed` of handles of this prefix, or of the prefix's own handle."""
        if self.prefixes is not None and prefix_key not in self.prefixes:
            return False
        return not needed & ~self._rights(over_prefix=over_prefix)

    def _rights(self, *, over_prefix: bool) -> AdminPermission:
        rights = _RIGHTS.get(self.scope, _NOTHING)
        if not over_prefix or not rights & ~READING:
            return rights
        held = [right for scope, right in _RIGHTS_OVER_PREFIXES.items() if scope in self.scopes]
        return max(held, default=_NOTHING) if self.scope == "registry.write" else _NOTHING


def scopes_from(names: Collection[str], allowed: Collection[str]) -> frozenset[str]:
    """Scopes that somebody asks for. Raises InsufficientPermission for one that is not his to give."""
    for name in names:
        if name not in allowed:
            raise InsufficientPermission("token.scope_given", scope=name[:40], allowed=", ".join(sorted(allowed)))
    return frozenset(names)
