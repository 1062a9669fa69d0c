"""The append-only tree of RFC 9162: roots, inclusion and consistency proofs, made and verified.

Leaf = SHA-256(0x00 || data), node = SHA-256(0x01 || left || right). Proofs are made from a `NodeAt`: a function that
gives the hash of the complete subtree at (level, index), so the same code serves a tree in memory, in tiles or in a
table. `Tree` keeps all complete nodes (64 bytes a leaf); `Frontier` keeps only the right edge, for streams.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from crypto.errors import CryptoError

NodeAt = Callable[[int, int], bytes]
EMPTY_ROOT = hashlib.sha256(b"").digest()
_sha256 = hashlib.sha256
_BLOCK = 10


def leaf_hash(data: bytes) -> bytes:
    """RFC 9162 section 2.1.1: the hash of one entry."""
    return _sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 9162 section 2.1.1: the hash of two subtrees."""
    return _sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: appends in constant space, gives the root at any time."""

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[bytes] = []  # complete subtrees, largest first; their sizes are the bits of `size`

    def append(self, data: bytes) -> None:
        """Adds one entry."""
        self.append_hash(_sha256(b"\0" + data).digest())

    def append_hash(self, leaf: bytes) -> None:
        """Adds one entry by its leaf hash."""
        size = self.size
        while size & 1:
            leaf = _sha256(b"\1" + self._edge.pop() + leaf).digest()
            size >>= 1
        self._edge.append(leaf)
        self.size += 1

    def append_block(self, leaves: Sequence[bytes]) -> None:
        """Adds entries by their leaf hashes; at one stroke where 1024 of them make a complete subtree."""
        if len(leaves) != 1 << _BLOCK or self.size % len(leaves):
            for leaf in leaves:
                self.append_hash(leaf)
            return
        while len(leaves) > 1:
            pairs = iter(leaves)
            leaves = [_sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        # a complete subtree of 2^10 leaves is a leaf of the tree above it
        value, size = leaves[0], self.size >> _BLOCK
        while size & 1:
            value = _sha256(b"\1" + self._edge.pop() + value).digest()
            size >>= 1
        self._edge.append(value)
        self.size += 1 << _BLOCK

    def root(self) -> bytes:
        """The tree hash of all entries so far."""
        return _join(self._edge)


class Tree:
    """A tree in memory that can prove: 64 bytes a leaf, kept as one string of hashes for each level."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]
        self.size = 0
        for leaf in leaves:
            self.append_hash(leaf)

    def append(self, data: bytes) -> int:
        """Adds one entry, returns its index."""
        return self.append_hash(_sha256(b"\0" + data).digest())

    def append_hash(self, leaf: bytes) -> int:
        """Adds one entry by its leaf hash, returns its index."""
        levels, index = self._levels, self.size
        levels[0] += leaf
        level, at = 0, index
        while at & 1:  # a right child just came: its parent is complete
            row = levels[level]
            level += 1
            at >>= 1
            if level == len(levels):
                levels.append(bytearray())
            levels[level] += _sha256(b"\1" + row[-64:]).digest()
        self.size = index + 1
        return index

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete subtree of 2^level leaves."""
        start = index * 32
        found = bytes(self._levels[level][start : start + 32])
        if len(found) != 32:
            raise IndexError(f"no complete subtree at level {level}, index {index}")
        return found

    def root(self, size: int | None = None) -> bytes:
        """The tree hash of the first `size` entries (all of them if none is said)."""
        return root_at(self._within(size), self.node)

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """RFC 9162 section 2.1.3.1."""
        return inclusion_proof(index, self._within(size), self.node)

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        """RFC 9162 section 2.1.4.1."""
        return consistency_proof(old, self._within(size), self.node)

    def _within(self, size: int | None) -> int:
        size = self.size if size is None else size
        if not 0 <= size <= self.size:
            raise IndexError(f"the tree has {self.size} entries, not {size}")
        return size


def root(entries: Iterable[bytes]) -> bytes:
    """The tree hash over data entries."""
    edge = Frontier()
    source = iter(entries)
    while block := [_sha256(b"\0" + entry).digest() for entry in islice(source, 1 << _BLOCK)]:
        edge.append_block(block)
    return edge.root()


def root_at(size: int, node: NodeAt) -> bytes:
    """The tree hash of the first `size` leaves."""
    return _join([node(level, index) for level, index in _cover(0, size)])


def inclusion_proof(index: int, size: int, node: NodeAt) -> list[bytes]:
    """RFC 9162 section 2.1.3.1: the siblings of leaf `index` in the tree of `size`, lowest first."""
    if not 0 <= index < size:
        raise IndexError(f"no leaf {index} in a tree of {size}")
    return _siblings(0, index, size, node)


def consistency_proof(old: int, size: int, node: NodeAt) -> list[bytes]:
    """RFC 9162 section 2.1.4.1: that the tree of `old` is the start of the tree of `size`. Empty if equal or 0."""
    if not 0 <= old <= size:
        raise IndexError(f"a tree of {old} is no start of one of {size}")
    if old in (0, size):
        return []
    level = (old & -old).bit_length() - 1
    index = (old >> level) - 1  # the last and smallest complete subtree of the old tree
    own = [node(level, index)] if index else []  # a tree of one subtree is its own root, which the verifier holds
    return own + _siblings(level, index, size, node)


def _siblings(level: int, index: int, size: int, node: NodeAt) -> list[bytes]:
    """What stands beside the way from a complete subtree up to the root, lowest first.

    From below, every sibling but one is a complete subtree, one question each: only the one that holds the right edge is joined.
    """
    proof: list[bytes] = []
    last = (size - 1) >> level
    while last:
        if index & 1:
            proof.append(node(level, index - 1))
        elif index + 1 < last or (index + 1 == last and not size & ((1 << level) - 1)):
            proof.append(node(level, index + 1))
        elif index + 1 == last:
            proof.append(_range_hash(last << level, size, node))
        level, index, last = level + 1, index >> 1, last >> 1
    return proof


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2. Refuses: TICK_PROOF."""
    if not 0 <= index < size:
        raise CryptoError("TICK_PROOF", f"no leaf {index} in a tree of {size}")
    fn, sn, value = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise CryptoError("TICK_PROOF", "an inclusion proof that is too long")
        if fn & 1 or fn == sn:
            value = node_hash(sibling, value)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            value = node_hash(value, sibling)
        fn >>= 1
        sn >>= 1
    if sn or value != root:
        raise CryptoError("TICK_PROOF", "the inclusion proof does not lead to the root")


def verify_consistency(old: int, size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """RFC 9162 section 2.1.4.2: the log of `size` extends the log of `old`. Refuses: TICK_PROOF."""
    if not 0 <= old <= size:
        raise CryptoError("TICK_PROOF", "the log has shrunk")
    if old in (0, size):
        if proof or (old == size and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise CryptoError("TICK_PROOF", "two different logs")
        return
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        raise CryptoError("TICK_PROOF", "a consistency proof is missing")
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise CryptoError("TICK_PROOF", "a consistency proof that is too long")
        if fn & 1 or fn == sn:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            second = node_hash(second, sibling)
        fn >>= 1
        sn >>= 1
    if sn or first != old_root or second != new_root:
        raise CryptoError("TICK_PROOF", "the log does not extend the one seen before")


def _cover(low: int, high: int) -> list[tuple[int, int]]:
    """(level, index) of the complete subtrees that make up leaves low..high, where low is a multiple of their size."""
    parts = []
    while low < high:
        level = (high - low).bit_length() - 1
        parts.append((level, low >> level))
        low += 1 << level
    return parts


def _range_hash(low: int, high: int, node: NodeAt) -> bytes:
    return _join([node(level, index) for level, index in _cover(low, high)])


def _join(edge: Sequence[bytes]) -> bytes:
    if not edge:
        return EMPTY_ROOT
    value = edge[-1]
    for left in reversed(edge[:-1]):
        value = node_hash(left, value)
    return value
