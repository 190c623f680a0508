"""What the nodes of this registry say of themselves: the site record that each published last (RFC 3651, 3.2.2).

Its serial number grows when a node says something else than before and not when it is started again, and all workers
of a node have the same. The prefix handles of enterprises that are served here carry the record: whoever comes from
the node above asks them where the prefix's handles are.
"""

import hashlib
import logging
from collections.abc import Collection
from dataclasses import replace
from typing import Final

import asyncpg
from msgspec import structs

from registry.errors import HandleError
from registry.handle import NAMING_AUTHORITY, Handle
from registry.record import HandleRecord, check_values
from registry.site import SiteInfo
from registry.store import Store
from registry.transaction import Transaction, begin, key_order
from registry.value import HandleValue, type_matches

log = logging.getLogger(__name__)

INDEX: Final = 10  # Of the site record in a prefix handle, behind the names that it begins with, when it is free.
HIGHEST: Final = 0xFFFE  # Of serial numbers; 0xFFFF is what a client says that knows none.
PUBLISHER: Final = "filament resolver"  # Who a handle's history names.

KNOWN: Final = "SELECT serial FROM node_site WHERE node = $1 AND site = $2"
PUBLISHED: Final = "SELECT node, site FROM node_site"
# Of two workers that say the same at once one is given the row.
PUBLISH: Final = """
INSERT INTO node_site (node, site, serial, published_at)
VALUES ($1, $2, (SELECT coalesce(max(serial), 0) + 1 FROM node_site), $3)
ON CONFLICT (node) DO UPDATE SET site = excluded.site, serial = excluded.serial, published_at = excluded.published_at
WHERE node_site.site <> excluded.site
RETURNING serial
"""
# Whoever publishes meanwhile waits, and then finds the prefix handle that is being made.
LATEST: Final = "SELECT site, serial FROM node_site ORDER BY serial DESC LIMIT 1 FOR SHARE"
HOSTED: Final = "SELECT spelling FROM prefix WHERE homed AND enterprise_id IS NOT NULL"


async def publish(store: Store, site: SiteInfo) -> int:
    """The serial number of what a node says, written down if it is new. Raises DATABASE_AWAY."""
    said = replace(site, serial=0).to_wire()
    node = hashlib.sha256(site.servers[0].public_key).hexdigest()
    if not len(store.prefixes):
        await store.load_prefixes()
    async with begin(store, PUBLISHER) as transaction:
        connection = transaction.connection
        serial = await connection.fetchval(KNOWN, node, said)
        if serial is None:
            former = _former(await connection.fetch(PUBLISHED), node, site)
            serial = await connection.fetchval(PUBLISH, node, said, transaction.at)
            if serial is None:
                serial = await connection.fetchval(KNOWN, node, said)
            else:
                await _show(transaction, store, site_value(said, serial), former)
    return _wrapped(serial)


async def latest_site(transaction: Transaction) -> HandleValue | None:
    """What was published last, as prefix handles carry it."""
    row = await transaction.connection.fetchrow(LATEST)
    return None if row is None else site_value(row["site"], row["serial"])


def site_value(said: bytes, serial: int) -> HandleValue:
    site = replace(SiteInfo.from_wire(said), serial=_wrapped(serial))
    value_type = "HS_SITE" if site.servers[0].address.version == 4 else "HS_SITE.6"
    return HandleValue(INDEX, value_type, site.to_wire())


def _former(rows: Collection[asyncpg.Record], node: str, site: SiteInfo) -> frozenset[bytes]:
    """What this node said before, perhaps with another key: another node of the registry is at another address."""
    address = site.servers[0].address
    return frozenset(
        row["site"]
        for row in rows
        if row["node"] == node or SiteInfo.from_wire(row["site"]).servers[0].address == address
    )


async def _show(transaction: Transaction, store: Store, shown: HandleValue, former: frozenset[bytes]) -> None:
    """Brings the prefix handles of the enterprises that are served here up to date."""
    prefixes = [row["spelling"] for row in await transaction.connection.fetch(HOSTED)]
    for handle in key_order(store, [Handle(NAMING_AUTHORITY, prefix) for prefix in prefixes]):
        record = await transaction.lock(handle)
        values = None if record is None else _with_site(record, shown, former)
        if record is None or values is None:
            continue
        try:
            await transaction.replace(record, check_values(values))
        except HandleError as error:  # An enterprise that has filled its handle must not keep the node from starting.
            log.warning("%s does not carry the site record: %s", handle, error)


def _with_site(record: HandleRecord, shown: HandleValue, former: frozenset[bytes]) -> tuple[HandleValue, ...] | None:
    """The values with the record; None where the operator says otherwise where the prefix is served."""
    services = [value for value in record.values if _is_service(value)]
    if not services:
        taken = {value.index for value in record.values}
        index = next(index for index in range(INDEX, INDEX + len(taken) + 1) if index not in taken)
        return (*record.values, structs.replace(shown, index=index))
    ours = {value.index for value in services if _without_serial(value.data) in former}
    if not ours:
        return None
    others = tuple(value for value in record.values if value.index not in ours)
    return (*others, structs.replace(shown, index=min(ours)))


def _is_service(value: HandleValue) -> bool:
    return any(type_matches(value.type, asked) for asked in ("HS_SITE", "HS_SITE.6", "HS_SERV"))


def _without_serial(data: bytes) -> bytes:
    """The serial number stands behind the format and the version of a record."""
    return data[:4] + bytes(2) + data[6:]


def _wrapped(serial: int) -> int:
    return (serial - 1) % HIGHEST + 1
