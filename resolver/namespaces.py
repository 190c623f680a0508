"""Handles that are not registered and are computed from templates of their prefixes (`registry.namespace`).

A prefix's template is read when a name under it is first found missing, and kept until the handle of the prefix
changes: a name that is missing under a prefix without one costs no read of its own.
"""

from collections.abc import Sequence
from typing import Final

from registry.changes import Change, ChangeKind
from registry.handle import NAMING_AUTHORITY, Handle, HandleKey
from registry.namespace import Namespace
from registry.packing import PackedRecord, pack
from registry.prefix import Prefix
from registry.store import Store

MAX_KEPT: Final = 10_000  # Prefixes: more than a node homes.

_PREFIXES: Final = NAMING_AUTHORITY.encode() + b"/"
_BEHIND_ALL: Final = b"\xff"  # No octet of UTF-8.


class Namespaces:
    """The templates of prefixes, and handles made from them. Everything that reads raises DATABASE_AWAY."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[bytes, tuple[Namespace, PackedRecord] | None] = {}
        self._changes = 0  # A template that was read before the last of them is not kept.

    def widened(self, changes: Sequence[Change]) -> Sequence[Change]:
        """These changes, and those of computed handles that follow from them."""
        further: list[Change] = []
        for change in changes:
            if change.kind is ChangeKind.EVERYTHING:
                self._forget(None)
            elif change.key.startswith(_PREFIXES):
                further += self._of_prefix_handles(change)
            elif (kept := self._kept.get(change.key.partition(b"/")[0])) is not None:
                last = max(change.key, change.last) + kept[0].delimiter.encode() + _BEHIND_ALL
                further.append(Change(ChangeKind.RANGE, change.key, HandleKey(last)))
        return [*changes, *further] if further else changes

    def divides(self, key: HandleKey) -> bool:
        """Whether a name has the form of those that a template makes, as far as templates were read."""
        kept = self._kept.get(key.partition(b"/")[0])
        return kept is not None and kept[0].divide(key.decode(errors="replace")) is not None

    async def compute(self, keys: Sequence[HandleKey]) -> dict[HandleKey, PackedRecord]:
        """Those of these handles, none of which is registered, that templates make."""
        prefixes = {key: prefix for key in keys if (prefix := self._store.prefixes.of(key)) is not None}
        await self._learn({prefix.key for prefix in prefixes.values()} - self._kept.keys())
        bases: dict[HandleKey, tuple[str, str]] = {}
        for key, prefix in prefixes.items():
            kept = self._kept.get(prefix.key)
            divided = None if kept is None else kept[0].divide(key.decode(errors="replace"))
            if divided is not None:
                bases[key] = divided
        if not bases:
            return {}
        of_bases = await self._store.fetch_packed([self._key(base) for base, _ in bases.values()])
        made = {
            key: self._make(key, prefixes[key], extension, of_bases.get(self._key(base)))
            for key, (base, extension) in bases.items()
        }
        return {key: record for key, record in made.items() if record is not None}

    async def _learn(self, prefix_keys: set[bytes]) -> None:
        if not prefix_keys or self._store.prefixes.of(HandleKey(_PREFIXES)) is None:
            return
        changes = self._changes
        keys = {HandleKey(_PREFIXES + prefix_key): prefix_key for prefix_key in prefix_keys}
        found = await self._store.fetch_packed(list(keys))
        if changes != self._changes:
            return  # Whoever asks next has them read again.
        if len(self._kept) + len(keys) > MAX_KEPT:
            self._kept.clear()
        for key, prefix_key in keys.items():
            record = found.get(key)
            namespace = None if record is None else Namespace.of(record.unpack().values)
            self._kept[prefix_key] = None if namespace is None or record is None else (namespace, record)

    def _make(
        self, key: HandleKey, prefix: Prefix, extension: str, of_base: PackedRecord | None
    ) -> PackedRecord | None:
        kept = self._kept.get(prefix.key)
        if kept is None:
            return None  # Changed meanwhile; what was read is not kept.
        namespace, of_prefix = kept
        values = of_base.unpack().values if of_base else ()
        # Names are folded, as all spellings of one handle are one answer.
        handle = Handle(prefix.spelling, key[len(prefix.key) + 1 :].decode(errors="replace"))
        base = str(of_base.handle) if of_base else str(handle)[: -len(extension) - len(namespace.delimiter)]
        made = (Namespace.of(values) or namespace).values(str(handle), base, extension, values)
        if not made:
            return None
        written_at = max(of_prefix.written_at, of_base.written_at if of_base else 0)
        version = of_prefix.version + (of_base.version if of_base else 0)
        return PackedRecord(handle, pack(made, written_at), written_at, version)

    def _of_prefix_handles(self, change: Change) -> list[Change]:
        """What follows from a change of handles of prefixes. What was found missing may have a template now."""
        if change.kind is ChangeKind.HANDLE:
            prefix_key = change.key[len(_PREFIXES) :]
            kept = [prefix_key] if self._kept.get(prefix_key) else []
            self._forget(prefix_key)
        else:
            kept = [key for key, namespace in self._kept.items() if namespace is not None]
            self._forget(None)
        missing = Change(ChangeKind.RANGE, change.key, change.key, created=True)
        return [missing, *(Change(ChangeKind.PREFIX, HandleKey(key + b"/")) for key in kept)]

    def _forget(self, prefix_key: bytes | None) -> None:
        self._changes += 1
        if prefix_key is None:
            self._kept.clear()
        else:
            self._kept.pop(prefix_key, None)

    def _key(self, name: str) -> HandleKey:
        return self._store.key_of(name.encode())
