"""The log's tree: RFC 9162 by its recursive definition, the protocol's vectors, proofs made, verified and broken."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import merkle
from crypto.errors import CryptoError
from tests.crypto.vectors import vec


def by_definition(entries: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\1" + by_definition(entries[:k]) + by_definition(entries[k:])).digest()


def test_vectors_of_the_log() -> None:
    case = vec("receipt")
    leaves = [text.encode() for text in case["leaves"]]
    tree = merkle.Tree(merkle.leaf_hash(leaf) for leaf in leaves)
    assert [tree.root(n).hex() for n in range(len(leaves) + 1)] == case["roots"]
    assert tree.root().hex() == case["root"] == merkle.root(leaves).hex()
    assert merkle.leaf_hash(leaves[case["index"]]).hex() == case["leaf_hash"]
    assert [h.hex() for h in tree.inclusion(case["index"])] == case["inclusion_path"]
    for proof in case["consistency"]:
        assert [h.hex() for h in tree.consistency(proof["from"], proof["to"])] == proof["proof"]
        merkle.verify_consistency(
            proof["from"],
            proof["to"],
            tree.consistency(proof["from"], proof["to"]),
            tree.root(proof["from"]),
            tree.root(proof["to"]),
        )


def grown(size: int) -> tuple[merkle.Tree, list[bytes]]:
    entries = [b"%d" % i for i in range(size)]
    tree = merkle.Tree()
    for entry in entries:
        tree.append(entry)
    return tree, entries


def test_every_proof_up_to_forty_entries() -> None:
    tree, entries = grown(40)
    edge = merkle.Frontier()
    for size in range(41):
        root = by_definition(entries[:size])
        assert tree.root(size) == edge.root() == root
        for index in range(size):
            merkle.verify_inclusion(merkle.leaf_hash(entries[index]), index, size, tree.inclusion(index, size), root)
        for old in range(size + 1):
            merkle.verify_consistency(old, size, tree.consistency(old, size), tree.root(old), root)
        if size < 40:
            edge.append(entries[size])


@settings(max_examples=80)
@given(st.integers(1, 300), st.data())
def test_broken_inclusion_proofs_are_refused(size: int, data: st.DataObject) -> None:
    tree, entries = grown(size)
    index = data.draw(st.integers(0, size - 1))
    leaf, root, proof = merkle.leaf_hash(entries[index]), tree.root(), tree.inclusion(index)
    merkle.verify_inclusion(leaf, index, size, proof, root)
    cases = [
        (leaf, index, size, [*proof, bytes(32)], root),
        (merkle.leaf_hash(b"x"), index, size, proof, root),
        (leaf, index, size, proof, bytes(32)),
        (leaf, size, size, proof, root),
    ]
    if proof:
        i = data.draw(st.integers(0, len(proof) - 1))
        flipped = bytes([proof[i][0] ^ 1]) + proof[i][1:]
        cases.append((leaf, index, size, proof[:-1], root))
        cases += [(leaf, index, size, [*proof[:i], flipped, *proof[i + 1 :]], root)]
        other = data.draw(st.integers(0, size - 1))
        if other != index:
            cases.append((leaf, other, size, proof, root))
    for case in cases:
        with pytest.raises(CryptoError) as refused:
            merkle.verify_inclusion(*case)
        assert refused.value.code == "TICK_PROOF"


@settings(max_examples=80)
@given(st.integers(1, 300), st.data())
def test_broken_consistency_proofs_are_refused(size: int, data: st.DataObject) -> None:
    tree, entries = grown(size)
    old = data.draw(st.integers(1, size))
    proof, before, after = tree.consistency(old), tree.root(old), tree.root()
    merkle.verify_consistency(old, size, proof, before, after)
    forked, _ = grown(size)
    other = merkle.Tree(merkle.leaf_hash(e) for e in [b"rewritten", *entries[1:]])
    cases = [
        (old, size, [*proof, bytes(32)], before, after),
        (old, size, proof, bytes(32), after),
        (old, size, proof, before, other.root()),
        (size + 1, size, proof, before, after),
    ]
    if proof:
        cases.append((old, size, proof[:-1], before, after))
        cases.append((old, size, [bytes(32), *proof[1:]], before, after))
    for case in cases:
        with pytest.raises(CryptoError):
            merkle.verify_consistency(*case)
    assert forked.root() == after


@pytest.mark.parametrize("size", [1023, 1024, 1025, 2048, 3072, 5000])
def test_roots_of_whole_blocks(size: int) -> None:
    tree, entries = grown(size)
    assert merkle.root(iter(entries)) == tree.root() == by_definition(entries)
    edge = merkle.Frontier()
    edge.append(entries[0])
    edge.append_block([merkle.leaf_hash(e) for e in entries[1:1025]])
    assert edge.root() == tree.root(min(size, 1025))


def test_nothing_is_proved_beyond_the_tree() -> None:
    tree, _ = grown(5)
    for wrong in (
        lambda: tree.inclusion(5),
        lambda: tree.inclusion(0, 6),
        lambda: tree.consistency(6),
        lambda: tree.root(6),
        lambda: tree.node(3, 0),
    ):
        with pytest.raises(IndexError):
            wrong()
