"""Proof that a version of a handle is in the tree of its day, whose root is signed and published (RFC 9162, 2.1.3)."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import orjson

from registry.errors import HandleNotFound, ProtocolFault
from registry.handle import Handle
from registry.leaves import Said, leaf_of, loaded_leaf, said_of
from registry.merkle import HASH, TILE, Place, leaf_hash, node_of, path, tiles_of_path
from registry.sealing import TILES
from registry.standing import State
from registry.store import Store

MAX_LOADS: Final = 64  # Chunks of a load that were written in one second and cover the same handle.
MAX_DAYS: Final = 366  # Of one list.

_CHANGE: Final = """
SELECT c.day, c.leaf, c.leaves, c.transaction, c.sequence, c.at, c.kind, c.operation, c.prefix_id, c.suffix,
       c.suffix_to, c.version, c.written_at, d.leaves AS size, d.statement
FROM sealed_change AS c JOIN sealed_day AS d USING (day)
"""
OF_HANDLE: Final = _CHANGE + "WHERE kind = 1 AND prefix_id = $1 AND suffix = $2 AND version = $3 ORDER BY day LIMIT 1"
OF_LOADS: Final = f"""{_CHANGE}
WHERE kind = 2 AND prefix_id = $1 AND written_at = $3 AND suffix <= $2 AND suffix_to >= $2 ORDER BY day, leaf LIMIT $4
"""
VERSION: Final = """
SELECT version, state, packed, coalesce(updated_at, created_at) AS written_at, true AS current FROM handle
WHERE prefix_id = $1 AND suffix = $2 AND ($3::int IS NULL OR version = $3)
UNION ALL
SELECT version, state, packed, written_at, false FROM handle_history
WHERE prefix_id = $1 AND suffix = $2 AND version = $3
"""
DAYS: Final = """
SELECT day, leaves, root FROM sealed_day WHERE root IS NOT NULL AND day < $1 ORDER BY day DESC LIMIT $2
"""
STATEMENT: Final = "SELECT statement FROM sealed_day WHERE day = $1 AND root IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Proof:
    """A leaf, its number in a day's tree, the hashes beside its way to the root, and the signed statement of that.

    `octets` are the values that the leaf has the sum of. `open` says whether anybody may see them: it is what the
    handle says now.
    """

    leaf: bytes
    number: int
    path: tuple[bytes, ...]
    octets: bytes
    statement: str
    version: int
    open: bool

    def to_json(self, handle: str) -> bytes:
        return orjson.dumps(
            {
                "responseCode": 1,
                "handle": handle,
                "version": self.version,
                "leaf": self.leaf.decode(),
                "number": self.number,
                "path": [one.hex() for one in self.path],
                "values": base64.b64encode(self.octets).decode(),
                "statement": orjson.Fragment(self.statement),
            }
        )


class Inclusion:
    """Reads what was sealed. Everything raises DATABASE_AWAY."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def days(self, before: date, limit: int) -> list[Mapping[str, Any]]:
        """The days that have a root, the latest first."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(DAYS, before, limit)
        return [{"day": row["day"], "leaves": row["leaves"], "root": row["root"].hex()} for row in rows]

    async def statement(self, day: date) -> str | None:
        """The signed statement of a day's root."""
        async with self._store.connection() as connection:
            text: str | None = await connection.fetchval(STATEMENT, day)
        return text

    async def prove(self, handle: Handle, version: int | None) -> Proof:
        """A version of a handle, by default the one that it is in. Raises HandleNotFound, and ProtocolFault when the
        day of that version has no root yet."""
        place = self._store.place(self._store.key_of(handle.octets))
        if place is None:
            raise _missing(handle)
        prefix, suffix = place
        async with self._store.connection() as connection:
            row = await connection.fetchrow(VERSION, prefix.prefix_id, suffix, version)
            if row is None:
                raise _missing(handle)
            (packed,) = await self._store.plain([row["packed"]], connection)
            said = said_of(row, packed, int(row["written_at"].timestamp()))
            found = await self._find(connection, prefix.prefix_id, suffix, row, said)
            if found is None or found[0]["statement"] is None:
                raise ProtocolFault("proof.pending", handle=str(handle), version=row["version"])
            change, leaf, number = found
            tiles = await _tiles(connection, change["day"], tiles_of_path(number, change["size"]))
        hashes = path(number, change["size"], lambda level, node: node_of(tiles, level, node))
        is_open = row["current"] and row["state"] == State.ACTIVE
        return Proof(leaf, number, tuple(hashes), said.octets, change["statement"], row["version"], is_open)

    async def _find(
        self, connection: Any, prefix_id: int, suffix: str, row: Any, said: Said
    ) -> tuple[Any, bytes, int] | None:
        """The change that wrote a version, its leaf, and the leaf's number."""
        change = await connection.fetchrow(OF_HANDLE, prefix_id, suffix, said.version)
        if change is not None:
            return change, leaf_of(change, self._store, said), change["leaf"]
        for chunk in await connection.fetch(OF_LOADS, prefix_id, suffix, row["written_at"], MAX_LOADS):
            leaf = loaded_leaf(chunk, self._store, suffix, said, row["written_at"])
            first, last = chunk["leaf"], chunk["leaf"] + chunk["leaves"]
            places = {(0, number) for number in range(first // TILE, (last - 1) // TILE + 1)} if last > first else set()
            tiles = await _tiles(connection, chunk["day"], places)
            wanted = leaf_hash(leaf)
            for number in range(first, last):
                begin = number % TILE * HASH
                if tiles[0, number // TILE][begin : begin + HASH] == wanted:
                    return chunk, leaf, number
        return None


async def _tiles(connection: Any, day: date, places: Iterable[Place]) -> dict[Place, bytes]:
    asked = list(places)
    rows = await connection.fetch(TILES, day, [level for level, _ in asked], [number for _, number in asked])
    return {(row["level"], row["number"]): row["hashes"] for row in rows}


def _missing(handle: Handle) -> HandleNotFound:
    return HandleNotFound("handle.not_found", handle=str(handle))
