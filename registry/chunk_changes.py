"""One chunk of a job that changes handles which are there, in one transaction: their values, their state, or their end.

As with loads (`registry.merge`): rows are locked in order of key, what a handle said is kept in its history, and one
row of the change log says for each prefix between which names something changed.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from registry import row_wishes
from registry.chunk_writing import ChunkWriting, Refuse, Rows
from registry.compulsory import check_named
from registry.conformity import Conformity
from registry.edges import write_links
from registry.errors import HandleError, HandleNotFound, InvalidValue
from registry.handle import Handle
from registry.packing import pack, unpack
from registry.record import check_values
from registry.refusal import Refusal
from registry.relations import Said, links_said
from registry.row_locks import fetch_locked
from registry.search_keys import search_keys
from registry.spellings import Place
from registry.standing import (
    Standing,
    State,
    Wish,
    begins_use,
    checked,
    fixed,
    stand,
    standing_from_json,
    standing_to_json,
)
from registry.suffixes import SuffixRule
from registry.template import Template
from registry.value import HandleValue

THERE: Final = """
SELECT asked.place::int - 1 AS place, handle.spelling, handle.state, handle.standing, handle.packed,
       extract(epoch FROM coalesce(handle.updated_at, handle.created_at))::bigint AS written_at
FROM unnest($1::int[], $2::text[]) WITH ORDINALITY AS asked (prefix_id, suffix, place)
JOIN handle ON handle.prefix_id = asked.prefix_id AND handle.suffix = asked.suffix
WHERE handle.state <> 1 ORDER BY asked.place
"""
LOCK: Final = THERE + " FOR UPDATE OF handle"
WRITE: Final = """
UPDATE handle SET updated_at = $1, batch_id = $2, version = handle.version + 1, packed = changed.packed,
       keys = changed.keys, state = changed.state, standing = changed.standing
FROM unnest($3::int[], $4::text[], $5::bytea[], $6::jsonb[], $7::smallint[], $8::jsonb[])
  AS changed (prefix_id, suffix, packed, keys, state, standing)
WHERE handle.prefix_id = changed.prefix_id AND handle.suffix = changed.suffix
"""
DO_NOT_EXPIRE: Final = """
DELETE FROM handle_expiry USING unnest($1::int[], $2::text[]) AS changed (prefix_id, suffix)
WHERE handle_expiry.prefix_id = changed.prefix_id AND handle_expiry.suffix = changed.suffix
"""
EXPIRE: Final = """
INSERT INTO handle_expiry (prefix_id, suffix, at)
SELECT * FROM unnest($1::int[], $2::text[], $3::timestamptz[])
ON CONFLICT (prefix_id, suffix) DO UPDATE SET at = excluded.at
"""

MAX_WISHES: Final = 100  # Of a chunk, remembered once they were checked: most rows of a file wish the same.


@dataclass(frozen=True, slots=True)
class There:
    """A handle that is to change, as it stands: its place among the rows, its values in form 1, and its state."""

    place: int
    handle: Handle
    packed: bytes
    written_at: int
    state: State
    standing: Standing | None


@dataclass(frozen=True, slots=True)
class Image:
    """What a handle is to become; `keys` are those it is found by."""

    place: int
    packed: bytes
    state: State = State.ACTIVE
    standing: Standing | None = None
    keys: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What new values of a handle are held to, and the types of values it is found by."""

    prefix_key: bytes
    searchable: Sequence[str]
    rules: Sequence[SuffixRule]
    suffix: str


@dataclass(slots=True)
class Amended:
    """New values of handles and those they are found by; None for one that says the same, or why it cannot be."""

    packed: list[bytes | None] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    faults: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()


class Imaging(ChunkWriting, ABC):
    """Gives rows new images, and keeps the old ones."""

    def __init__(self, *whose: Any) -> None:
        super().__init__(*whose)
        self._written_by: int | None = self._batch.batch_id
        self._said: dict[Place, frozenset[Said]] = {}

    async def _write(self, rows: Rows, images: Sequence[Image]) -> None:
        if not images:
            return
        places = [image.place for image in images]
        await self._keep_history(rows, places)
        prefix_ids = [rows.prefix_ids[place] for place in places]
        suffixes = [rows.suffixes[place] for place in places]
        columns = (
            [image.packed for image in images],
            [image.keys for image in images],
            [image.state for image in images],
            [None if image.standing is None else standing_to_json(image.standing) for image in images],
        )
        await self._connection.execute(WRITE, self._at, self._written_by, prefix_ids, suffixes, *columns)
        self._updated.update(prefix_ids)
        await self._limit(prefix_ids, suffixes, images)
        for place, image in zip(zip(prefix_ids, suffixes, strict=True), images, strict=True):
            self._said[place] = links_said(unpack(image.packed, 0))

    async def _link(self, rows: Rows) -> None:
        if self._said:
            await write_links(self._connection, self._store, self._said)

    async def _limit(self, prefix_ids: Sequence[int], suffixes: Sequence[str], images: Sequence[Image]) -> None:
        """Writes down which of them expire, and when."""
        await self._connection.execute(DO_NOT_EXPIRE, prefix_ids, suffixes)
        limited = [
            (prefix_id, suffix, datetime.fromtimestamp(image.standing.expires, UTC))
            for prefix_id, suffix, image in zip(prefix_ids, suffixes, images, strict=True)
            if image.standing is not None and image.standing.expires is not None
        ]
        if limited:
            await self._connection.execute(EXPIRE, *map(list, zip(*limited, strict=True)))


class Change(Imaging, ABC):
    """What the kinds of changes have in common."""

    def __init__(self, *whose: Any, refuse: Refuse) -> None:
        super().__init__(*whose)
        self._refuse = refuse

    async def _apply(self, rows: Rows) -> None:
        there = await self._there(rows)
        found = {one.place for one in there}
        for place in range(len(rows.suffixes)):
            if place not in found:
                handle = self._handle(rows, place, rows.spellings[place])
                self._refused.append(
                    self._refuse(rows.places[place], HandleNotFound("handle.not_found", handle=str(handle)))
                )
        await self._write(rows, await self._images(rows, there))

    @abstractmethod
    async def _images(self, rows: Rows, there: Sequence[There]) -> list[Image]:
        """What those that are there are to become; those that may not are refused."""

    async def _there(self, rows: Rows) -> list[There]:
        names = (rows.prefix_ids, rows.suffixes)
        found = await fetch_locked(self._connection, LOCK, THERE, rows.place_of, *names)
        every = await self._store.plain([row["packed"] for row in found], self._connection)
        return [
            There(
                row["place"],
                self._handle(rows, row["place"], row["spelling"]),
                packed,
                row["written_at"],
                State(row["state"]),
                standing_from_json(row["state"], row["standing"]),
            )
            for row, packed in zip(found, every, strict=True)
        ]

    def _handle(self, rows: Rows, place: int, spelling: str | None) -> Handle:
        prefix = self._store.prefixes.by_id(rows.prefix_ids[place])
        assert prefix is not None
        return Handle(prefix.spelling, spelling or rows.suffixes[place])

    def _changeable(self, rows: Rows, there: Sequence[There]) -> list[There]:
        """Those whose state lets them be changed; the others are refused."""
        free = []
        for one in there:
            if (refusal := fixed(one.handle, one.standing)) is None:
                free.append(one)
            else:
                self._refused.append(self._refuse(rows.places[one.place], refusal))
        return free


class Amend(Change):
    """Gives handles some values: those at other indexes stay."""

    def __init__(self, *whose: Any, amend: Callable[..., Any], **more: Any) -> None:
        super().__init__(*whose, **more)
        self._amend = amend

    async def _images(self, rows: Rows, there: Sequence[There]) -> list[Image]:
        free = self._changeable(rows, there)
        given = [rows.packed[one.place] for one in free]
        asked = [self._asked(rows, one) for one in free]
        old = [(one.packed, one.written_at) for one in free]
        amended: Amended = await self._amend(old, given, asked, int(self._at.timestamp()))
        for number, (rule, culprit) in amended.faults.items():
            self._refused.append(self._refuse(rows.places[free[number].place], InvalidValue(rule, **culprit)))
        return [
            Image(one.place, packed, one.state, one.standing, keys)
            for one, packed, keys in zip(free, amended.packed, amended.keys, strict=True)
            if packed is not None
        ]

    def _asked(self, rows: Rows, one: There) -> Asked:
        prefix = self._store.prefixes.by_id(rows.prefix_ids[one.place])
        assert prefix is not None
        return Asked(prefix.key, prefix.searchable, prefix.rules, one.handle.suffix)


class Remove(Change):
    """Deletes handles; their rows and their history stay."""

    async def _images(self, rows: Rows, there: Sequence[There]) -> list[Image]:
        nothing = pack((), 0)
        gone = [Image(one.place, nothing, State.DELETED) for one in self._changeable(rows, there)]
        self._registered.subtract(rows.prefix_ids[image.place] for image in gone)
        return gone


class Stand(Change):
    """Puts handles into states: each row's own, or the one that is wished for all."""

    def __init__(self, *whose: Any, wish: Wish | None, of_node: bool, **more: Any) -> None:
        super().__init__(*whose, **more)
        self._wish = wish
        self._of_node = of_node

    async def _images(self, rows: Rows, there: Sequence[There]) -> list[Image]:
        now = int(self._at.timestamp())
        wish_of = lru_cache(maxsize=MAX_WISHES)(lambda carried: checked(row_wishes.wish_of(carried, self._wish), now))
        images = []
        for one in there:
            prefix = self._store.prefixes.by_id(rows.prefix_ids[one.place])
            assert prefix is not None
            try:
                wish = wish_of(rows.packed[one.place])
                standing = stand(one.handle, one.standing, wish, self._by, now, of_node=self._of_node)
                if begins_use(one.standing, wish):
                    check_named(prefix.rules, one.handle.suffix, unpack(one.packed, one.written_at))
            except HandleError as error:
                self._refused.append(self._refuse(rows.places[one.place], error))
                continue
            packed = repacked(one.packed, one.written_at, now)
            images.append(
                Image(one.place, packed, standing.state, standing, search_keys(prefix.key, packed, prefix.searchable))
            )
        return images


def repacked(packed: bytes, written_at: int, now: int) -> bytes:
    """The values of a row as one that is written now holds them: each keeps its time."""
    return pack(unpack(packed, written_at), now)


def amended(
    old: Sequence[tuple[bytes, int]],
    given: Sequence[bytes],
    asked: Sequence[Asked],
    now: int,
    templates: Mapping[str, Template | None],
) -> Amended:
    """The plain function behind `Amend`: values with those that are given in place of what stood at their indexes."""
    outcome = Amended()
    held_to = Conformity(templates=templates)
    for number, ((packed, written_at), more, one) in enumerate(zip(old, given, asked, strict=True)):
        new: bytes | None = None
        try:
            before = unpack(packed, written_at)
            values = _amended(before, unpack(more, now))
            if values is not None:
                new = pack(check_values(values), now)
                check_named(one.rules, one.suffix, values, before)
                held_to.check_values(values)
        except HandleError as error:
            outcome.faults[number] = error.rule, Refusal.of(0, "", error).culprit
            new = None
        outcome.packed.append(new)
        outcome.keys.append(None if new is None else search_keys(one.prefix_key, new, one.searchable))
    outcome.unknown = frozenset(held_to.unknown)
    return outcome


def _amended(old: Sequence[HandleValue], given: Sequence[HandleValue]) -> tuple[HandleValue, ...] | None:
    """None where nothing would change."""
    after = {value.index: value for value in old}
    changed = False
    for value in given:
        before = after.get(value.index)
        if before is None or not before.says_the_same_as(value):
            after[value.index] = value
            changed = True
    return tuple(after.values()) if changed else None
