"""The Merkle tree of RFC 6962 over a journal: leaf n is the hash of record n + 1. Pure.

A chain shows that nothing was changed within it only to those who read all of it. Of a tree, one
root of 32 bytes stands for all records; that a record is in it, or that an older tree is the
beginning of a newer one, is shown by about log2(n) hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from msgspec import Struct

EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two children."""
    return sha256(b"\x01" + left + right).digest()


class Frontier(Struct, frozen=True):
    """All that is needed of a tree to let it grow: the roots of its perfect subtrees.

    There is one for each bit of `size`, the largest first.
    """

    size: int = 0
    roots: tuple[bytes, ...] = ()


class Tree:
    """A tree that grows. Of its leaves only the frontier is kept: some hashes, however many."""

    def __init__(self, start: Frontier | None = None) -> None:
        known = Frontier() if start is None else start
        if len(known.roots) != known.size.bit_count():
            raise ValueError(f"a tree of {known.size} leaves has not {len(known.roots)} subtrees")
        self.size = known.size
        self._roots = list(known.roots)

    def add(self, data: bytes) -> None:
        """One more leaf. Costs two hashes on average."""
        self._roots.append(sha256(b"\x00" + data).digest())
        size = self.size
        while size & 1:
            right = self._roots.pop()
            self._roots[-1] = sha256(b"\x01" + self._roots[-1] + right).digest()
            size >>= 1
        self.size += 1

    def extend(self, leaves: Iterable[str]) -> None:
        """One leaf more for each hash in hexadecimal."""
        roots, size, hashed = self._roots, self.size, sha256
        for leaf in leaves:
            node = hashed(b"\x00" + bytes.fromhex(leaf)).digest()
            left = size
            while left & 1:
                node = hashed(b"\x01" + roots.pop() + node).digest()
                left >>= 1
            roots.append(node)
            size += 1
        self.size = size

    @property
    def frontier(self) -> Frontier:
        """What another tree can go on from."""
        return Frontier(self.size, tuple(self._roots))

    def root(self) -> bytes:
        """The root as it is now."""
        if not self._roots:
            return EMPTY
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root)
        return root


class Subtrees:
    """The roots of given ranges of leaves, gathered while the leaves stream past."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self.found: dict[tuple[int, int], bytes] = {}
        self._waiting = sorted(set(ranges), reverse=True)
        self._open: list[tuple[tuple[int, int], Tree]] = []
        self._at = 0

    def take(self, leaf: bytes) -> None:
        """The next leaf's data."""
        while self._waiting and self._waiting[-1][0] == self._at:
            self._open.append((self._waiting.pop(), Tree()))
        self._at += 1
        for span, tree in self._open:
            tree.add(leaf)
            if self._at == span[1]:
                self.found[span] = tree.root()
        self._open = [(span, tree) for span, tree in self._open if span[1] != self._at]


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Of which ranges the roots prove that leaf `index` (from 0) is in a tree of `size` leaves.

    From the leaf's sibling to the root's child, as in RFC 6962, 2.1.1.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    ranges: list[tuple[int, int]] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return ranges[::-1]


def consistency_ranges(old: int, size: int) -> list[tuple[int, int]]:
    """Of which ranges the roots prove that `old` leaves are the beginning of `size` leaves.

    As in RFC 6962, 2.1.2. None where the old tree is empty or is the new one.
    """
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} leaves has no beginning of {old}")
    if old in (0, size):
        return []
    ranges: list[tuple[int, int]] = []
    low, high, whole = 0, size, True
    while high - low != old - low:
        middle = low + _split(high - low)
        if old <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low, whole = middle, False
    if not whole:
        ranges.append((low, high))
    return ranges[::-1]


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` proves that a leaf with this data is number `index` of the tree with `root`."""
    if not 0 <= index < size:
        return False
    at, last, node = index, size - 1, leaf_hash(leaf)
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def is_consistent(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the tree of `old` leaves is the beginning of that of `size`."""
    if not 0 <= old <= size:
        return False
    if old == size:
        return not path and old_root == root
    if old == 0:
        return not path and old_root == EMPTY
    hashes = list(path) if old & (old - 1) else [old_root, *path]
    if not hashes:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = hashes[0]
    for node in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, node)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == root


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
