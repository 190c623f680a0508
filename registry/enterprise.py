"""Enterprises: who registers here, under which prefixes, and with which key.

An enterprise begins with a prefix and a secret key that nobody but it is told: its prefix's handle, 0.NA/<prefix>,
names a group of administrators (HS_VLIST), which at first holds that one key. More keys are added as handle values,
by the enterprise itself. It says besides at which node the prefix is served (HS_SITE), once one has said where it is.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from registry.acts import Act
from registry.admin import ADMINISTRATORS, PREFIX_ADMINISTRATOR, AdminRecord, value_list_to_wire
from registry.errors import InvalidHandle, InvalidValue
from registry.handle import NAMING_AUTHORITY, Handle, check_prefix
from registry.publication import latest_site
from registry.quotas import check_prefixes
from registry.record import check_values
from registry.store import Store
from registry.transaction import Transaction, begin
from registry.value import HandleValue, Permission, Reference

# The indexes of the reference server's own prefix handles, which operators know by heart.
NAME, NAME_IN_ENGLISH, ADMIN, SECRET_KEY = 1, 2, 100, 300
MAX_NAME: Final = 200  # Characters; the longest registered names of firms have some fifty.
SECRET_OCTETS: Final = 24  # 192 random bits: 32 characters.

ADD: Final = """
INSERT INTO enterprise (name, name_en, industry, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET
  name_en = CASE WHEN enterprise.name_en = '' THEN excluded.name_en ELSE enterprise.name_en END,
  industry = CASE WHEN enterprise.industry = '' THEN excluded.industry ELSE enterprise.industry END
RETURNING enterprise_id
"""
LIST: Final = """
SELECT e.name, e.name_en, e.industry, p.spelling AS prefix, p.homed, p.created_at, e.enterprise_id, e.state,
       coalesce((SELECT sum(c.registered) FROM handle_count AS c WHERE c.prefix_id = p.prefix_id), 0)::bigint AS handles
FROM enterprise AS e JOIN prefix AS p USING (enterprise_id) ORDER BY e.enterprise_id, p.prefix_id
"""


@dataclass(frozen=True, slots=True)
class Granted:
    """What an enterprise is told when it is added. The secret key is stored where only its administrators read it."""

    prefix: str
    identity: str
    secret_key: str


@dataclass(frozen=True, slots=True)
class EnterprisePrefix:
    """An enterprise and one of its prefixes; `handles` is how many are registered under it, exact."""

    name: str
    name_en: str
    industry: str
    prefix: str
    homed: bool
    created_at: datetime
    handles: int
    enterprise_id: int = 0
    state: str = "active"


async def add_enterprise(
    store: Store, name: str, name_en: str, industry: str, prefix: str, *, by: str, hosted: bool = True
) -> Granted:
    """Gives an enterprise a prefix and a key for it; one that is there already gets one prefix more.

    Raises InvalidHandle for what is no prefix, HandleAlreadyExists when somebody has it, InvalidValue for a name that
    cannot be shown.
    """
    async with begin(store, by) as transaction:
        _, granted = await grant_prefix(transaction, name, name_en, industry, prefix, hosted=hosted)
    await store.load_prefixes()
    return granted


async def grant_prefix(
    transaction: Transaction, name: str, name_en: str, industry: str, prefix: str, *, hosted: bool
) -> tuple[int, Granted]:
    """As `add_enterprise`, in a transaction of more; and the number of the enterprise.

    A prefix that is not hosted is answered elsewhere: who asks is referred to the site in its handle, once it says one.
    """
    check_enterprise(name, name_en, industry)
    check_prefix(prefix)
    if prefix.startswith("0."):
        raise InvalidHandle("prefix.reserved", prefix=prefix)
    secret_key = secrets.token_urlsafe(SECRET_OCTETS)
    handle = Handle(NAMING_AUTHORITY, prefix)
    enterprise_id = await transaction.connection.fetchval(ADD, name, name_en, industry, transaction.at)
    await transaction.keep(Act("enterprise.added", name, None, {"prefix": prefix}))
    await transaction.home(prefix, enterprise_id)
    if not hosted:
        await transaction.unhome(prefix)
    await check_prefixes(transaction.connection, enterprise_id, name)
    site = await latest_site(transaction) if hosted else None
    values = (*_prefix_values(handle, name, name_en, secret_key), *((site,) if site else ()))
    await transaction.create(handle, check_values(values))
    return enterprise_id, Granted(prefix, str(Reference(str(handle), SECRET_KEY)), secret_key)


def check_enterprise(name: str, name_en: str, industry: str) -> None:
    """Raises InvalidValue for a name that cannot be shown."""
    for text in (name, name_en or name, industry or name):
        if not 0 < len(text) <= MAX_NAME or not text.isprintable():
            raise InvalidValue("enterprise.name", name=text[:MAX_NAME], limit=MAX_NAME)


async def list_enterprises(store: Store) -> list[EnterprisePrefix]:
    """Every enterprise with each of its prefixes, the oldest first."""
    async with store.connection() as connection:
        return [EnterprisePrefix(**row) for row in await connection.fetch(LIST)]


def _prefix_values(handle: Handle, name: str, name_en: str, secret_key: str) -> tuple[HandleValue, ...]:
    own = str(handle)
    names = [HandleValue(NAME, "DESC", name.encode())]
    if name_en:
        names.append(HandleValue(NAME_IN_ENGLISH, "DESC", name_en.encode()))
    admin = AdminRecord(PREFIX_ADMINISTRATOR, own, ADMINISTRATORS).to_wire()
    return (
        *names,
        HandleValue(ADMIN, "HS_ADMIN", admin),
        HandleValue(ADMINISTRATORS, "HS_VLIST", value_list_to_wire((Reference(own, SECRET_KEY),))),
        HandleValue(
            SECRET_KEY,
            "HS_SECKEY",
            secret_key.encode(),
            permissions=Permission.ADMIN_READ | Permission.ADMIN_WRITE,
        ),
    )
