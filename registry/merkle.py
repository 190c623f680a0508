"""Merkle trees as logs have them (RFC 9162, section 2.1): a root for many leaves, and proofs that one is among them.

A tree is kept as tiles: 1,024 hashes of one level of it in a row, each of a whole subtree. So a tree of any size grows
at its right edge, and a proof needs as many tiles as the tree has levels of tiles.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

HASH: Final = 32  # Octets of SHA-256.
TILE_LEVELS: Final = 10
TILE: Final = 1 << TILE_LEVELS  # Hashes of a tile.
MAX_PATH: Final = 64  # Hashes of a proof: no tree is deeper than numbers of leaves are long.

Place = tuple[int, int]  # Level and number of a tile.
Node = Callable[[int, int], bytes]  # The hash of the whole subtree of 2**level leaves at a number of its level.


def leaf_hash(octets: bytes) -> bytes:
    return hashlib.sha256(b"\0" + octets).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


class Growth:
    """A tree that grows. `tiles` has the unfinished tile of each level, and from then on every one that changed."""

    def __init__(self, size: int, tiles: Mapping[Place, bytes]) -> None:
        self.size = size
        self.tiles = {place: bytearray(hashes) for place, hashes in tiles.items()}

    def append(self, leaves: Iterable[bytes]) -> None:
        for leaf in leaves:
            self._put(0, self.size, leaf)
            self.size += 1

    def root(self) -> bytes:
        return root(self.size, lambda level, number: node_of(self.tiles, level, number))

    def _put(self, level: int, number: int, subtree: bytes) -> None:
        tile = self.tiles.setdefault((level, number // TILE), bytearray())
        tile += subtree
        if len(tile) == TILE * HASH:
            self._put(level + 1, number // TILE, _folded(bytes(tile)))


def unfinished(size: int) -> list[Place]:
    """The tiles of a tree's right edge."""
    places, level = [], 0
    while size:
        if size % TILE:
            places.append((level, size // TILE))
        size //= TILE
        level += 1
    return places


def root(size: int, node: Node) -> bytes:
    return _range_hash(0, size, node) if size else hashlib.sha256().digest()


def path(number: int, size: int, node: Node) -> list[bytes]:
    """The hashes beside a leaf's way to the root, from below (RFC 9162, section 2.1.3.1)."""
    hashes, begin, end = [], 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if number < middle:
            hashes.append((middle, end))
            end = middle
        else:
            hashes.append((begin, middle))
            begin = middle
    return [_range_hash(first, last, node) for first, last in reversed(hashes)]


def tiles_of_path(number: int, size: int) -> set[Place]:
    """The tiles that a proof is made from."""
    places: set[Place] = set()

    def note(level: int, place: int) -> bytes:
        places.add(_tile(level, place))
        return b""

    path(number, size, note)
    return places


def node_of(tiles: Mapping[Place, bytes | bytearray], level: int, number: int) -> bytes:
    """The hash of a whole subtree, from the tiles. Raises KeyError for a tile that is not given."""
    width = 1 << level % TILE_LEVELS
    begin = number * width % TILE
    return _folded(bytes(tiles[_tile(level, number)][begin * HASH : (begin + width) * HASH]))


def root_of_path(leaf: bytes, number: int, size: int, hashes: Sequence[bytes]) -> bytes:
    """The root of a tree of `size` leaves in which this leaf has this number and these hashes beside its way.

    Raises ValueError for a proof that cannot be of such a tree (RFC 9162, section 2.1.3.2).
    """
    if not 0 <= number < size or len(hashes) > MAX_PATH:
        raise ValueError("no leaf of this tree")
    first, last, result = number, size - 1, leaf
    for beside in hashes:
        if not last:
            raise ValueError("a proof that is too long")
        if first & 1 or first == last:
            result = node_hash(beside, result)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            result = node_hash(result, beside)
        first, last = first >> 1, last >> 1
    if last:
        raise ValueError("a proof that is too short")
    return result


def _range_hash(begin: int, end: int, node: Node) -> bytes:
    size = end - begin
    if not size & (size - 1) and not begin % size:
        return node(size.bit_length() - 1, begin // size)
    middle = begin + _split(size)
    return node_hash(_range_hash(begin, middle, node), _range_hash(middle, end, node))


def _split(size: int) -> int:
    """The largest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1


def _tile(level: int, number: int) -> Place:
    return level // TILE_LEVELS, (number << level % TILE_LEVELS) // TILE


def _folded(hashes: bytes) -> bytes:
    """The root of neighbouring hashes, as many as a power of two."""
    level = [hashes[begin : begin + HASH] for begin in range(0, len(hashes), HASH)]
    while len(level) > 1:
        level = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]
