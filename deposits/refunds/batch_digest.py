"""The digest of a batch, which one person prepares, another approves and signs, and by which it is paid.

A batch may hold refunds of lots whose payers are sealed, so neither the digest nor a proof that one row is in it may tell how many rows
there are. It is the root of a tree of RFC 9162 that is always full: rows and blind leaves, 1,024 of them or the next power of two, in the
order of their hashes. A row shows itself with its path; nothing is learnt of its neighbours. Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from crypto import merkle
from crypto.canonical import b64u, dumps, unb64u
from crypto.errors import CryptoError

LEAST = 1024


@dataclass(frozen=True)
class RowProof:
    """That a row is in a batch: ``salt`` of its leaf, its place, and the path to the root."""

    salt: str
    index: int
    path: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"salt": self.salt, "index": self.index, "path": list(self.path)}


def _key(secret: str, what: str) -> bytes:
    return hmac.digest(unb64u(secret, 32), what.encode(), "sha256")


def _leaf(line: Mapping[str, Any], salt: str) -> bytes:
    return merkle.leaf_hash(dumps({"line": dict(line), "salt": salt}))


def _tree(secret: str, lines: Sequence[Mapping[str, Any]]) -> tuple[list[bytes], int]:
    width = LEAST
    while width < len(lines):
        width *= 2
    rows = [_leaf(line, b64u(_key(secret, f"row/{line['refund']}"))) for line in lines]
    blind = [merkle.leaf_hash(_key(secret, f"blind/{n}")) for n in range(width - len(rows))]
    return sorted(rows + blind), width


def digest(batch: str, value_on: str, secret: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 in hexadecimal digits. ``secret``: 32 bytes of the batch's own, base64url."""
    leaves, width = _tree(secret, lines)
    return of_root(batch, value_on, merkle.Tree(leaves).root(), width)


def of_root(batch: str, value_on: str, root: bytes, width: int) -> str:
    return sha256(dumps({"batch": batch, "root": b64u(root), "v": 2, "value_on": value_on, "width": width})).hexdigest()


def proofs(secret: str, lines: Sequence[Mapping[str, Any]]) -> dict[str, RowProof]:
    """Refund → the proof of its line."""
    leaves, _width = _tree(secret, lines)
    tree, places = merkle.Tree(leaves), {leaf: at for at, leaf in enumerate(leaves)}
    found = {}
    for line in lines:
        salt = b64u(_key(secret, f"row/{line['refund']}"))
        index = places[_leaf(line, salt)]
        found[line["refund"]] = RowProof(salt, index, tuple(b64u(one) for one in tree.inclusion(index)))
    return found


def digest_by(batch: str, value_on: str, line: Mapping[str, Any], shown: RowProof) -> str:
    """The digest of the batch this line is proved to be in: another line, place or path gives another digest.

    Raises: CryptoError for what is no proof."""
    node, at = _leaf(line, shown.salt), shown.index
    for one in shown.path:
        beside = unb64u(one, 32)
        node, at = merkle.node_hash(beside, node) if at & 1 else merkle.node_hash(node, beside), at >> 1
    if at:
        raise CryptoError("TICK_PROOF", "a place outside the tree")
    return of_root(batch, value_on, node, 1 << len(shown.path))
