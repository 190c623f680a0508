"""Who may write in bulk: whoever may register, and replace the whole of, every handle of a prefix.

Of the prefix of a code system it may be some of them: those whose issuer he is (`registry.issuers`).
"""

from typing import Final

from registry.admin import AdminPermission
from registry.authentication import Administrator
from registry.errors import InvalidAdministrator
from registry.handle import NAMING_AUTHORITY, Handle
from registry.prefix import Prefix
from registry.rights import Rights
from registry.run_parts import MayWrite, Suffixes

# What a row does: it registers a handle, or gives it other values whatever it said before, or deletes it.
LOADING: Final = AdminPermission.CREATE_HANDLE | AdminPermission.DELETE_HANDLE


def may_write(rights: Rights, by: Administrator) -> MayWrite:
    """Whether somebody may write the handles of a prefix in bulk, or which, by key of their suffixes."""

    async def may(prefix: Prefix) -> bool | Suffixes:
        if prefix.spelling == NAMING_AUTHORITY and by.grant is not None:
            return False  # Whoever writes there makes keys: no token does that unseen in a million rows.
        if rights.is_of_node(by):
            return True
        if prefix.spelling == NAMING_AUTHORITY:
            return False  # Handles of prefixes say who administers: whoever changes one is asked about that one.
        try:
            await rights.check_prefix(Handle(NAMING_AUTHORITY, prefix.spelling), by, LOADING)
        except InvalidAdministrator:
            return await rights.granted_parts(prefix, by, LOADING)
        return True

    return may
