"""Copied boxes: which bids of an opening hold a box of another one, and are no bids of their own (section 5.1).

A box stands in a header as (`enc`, `ct`). In a header made from a seed both hang on that seed and on the whole ctx: the
key pair behind `enc` comes from D(seed, ctx_hash, "ephemeral/j"), and `ct` is sealed with it under an info that holds
ctx_hash. Two bids of a set have different ctx, for they have different bidders. So two headers that both re-derive have
no `enc` and no `ct` in common, short of a collision of SHA-256, X25519 or AES-GCM; and whoever shares one with a header
that re-derives without re-deriving itself was not made from a seed. An honest bid always re-derives from its own seed,
whether or not its officers open it: it is never found here, whatever others copy from it and whoever lies about it.
"""

from collections.abc import Mapping

from crypto import headers
from crypto.errors import CryptoError
from crypto.headers import Header

Parts = Mapping[int, bytes]


def copies(
    found: Mapping[str, Header], parts: Mapping[str, Parts], seeds: Mapping[str, bytes] | None = None
) -> frozenset[str]:
    """Those of a set's headers that share a box with one that re-derives, and do not re-derive.

    `found`: name -> header, of the bids that are to be opened; `parts`: name -> index -> posted share (0: the bidder's);
    `seeds`: name -> seed posted in a rescue. Where no header of a pair re-derives, neither is called a copy.
    """
    together = _sharing(found)
    suspects = sorted(set().union(*together))
    true = {name for name in suspects if rederives(found[name], parts.get(name, {}), (seeds or {}).get(name, b""))}
    return frozenset(name for names in together if names & true for name in names - true)


def rederives(header: Header, parts: Parts, seed: bytes = b"") -> bool:
    """Whether a header is the one of its seed: of the seed its shares join, or of one that was posted (b"" for none)."""
    return _is_of(header, seed) or _is_of(header, _joined(header, parts))


def _joined(header: Header, parts: Parts) -> bytes:
    try:
        return headers.join_shares(header, parts)
    except CryptoError:
        return b""


def _is_of(header: Header, seed: bytes) -> bool:
    if not seed:
        return False
    try:
        headers.rederive(header, seed)
    except CryptoError:
        return False
    return True


def _sharing(found: Mapping[str, Header]) -> list[set[str]]:
    """The names of headers that have an `enc` or a `ct` in common, in whatever boxes; usually none."""
    holders: dict[bytes, set[str]] = {}
    for name, header in found.items():
        for box in header.boxes.values():
            for value in (box.enc, box.ct):  # 32 and 48 bytes: never taken for each other
                holders.setdefault(value, set()).add(name)
    return [names for names in holders.values() if len(names) > 1]
