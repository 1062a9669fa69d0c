"""Draws nobody can steer: commit, escrow, reveal, and sampling without bias; commitments to score sheets.

Implements the protocol, section 6. Each party commits to 32 random bytes and leaves them in escrow as the seed of an
`sb1` header, so that refusing to reveal gains nothing. One honest party suffices.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crypto.canonical import H, b64u, dumps, same, unb64u
from crypto.errors import CryptoError
from crypto.headers import MIN_PLEN, Header, join_shares, make_header, parse_header
from crypto.policies import context_of

ESCROW_PLEN = MIN_PLEN
NOTHING = bytes(32)
_LIMIT = 2**48


def sorted_pool(names: Sequence[str]) -> list[str]:
    """A pool in the order of its UTF-8 bytes. Refuses: JSON_PROFILE for a name twice."""
    pool = sorted(names, key=lambda name: name.encode())
    if len(set(pool)) != len(pool):
        raise CryptoError("JSON_PROFILE", "a name twice in the pool")
    return pool


def pool_hash(salt: bytes, pool: Sequence[str]) -> bytes:
    """What the notice logs before any commit. Refuses: JSON_PROFILE unless the pool is sorted and salt is 32 bytes."""
    if len(salt) != 32 or list(pool) != sorted_pool(pool):
        raise CryptoError("JSON_PROFILE", "a pool is sorted by its UTF-8 bytes, its salt has 32 bytes")
    return H("draw-pool", salt, dumps(list(pool)))


def draw_commit(draw: str, party: str, r: bytes) -> bytes:
    """A party's commitment to its 32 random bytes."""
    if len(r) != 32:
        raise ValueError("32 random bytes")
    return H("draw-commit", dumps({"draw": draw, "party": party}), r)


def escrow_ctx(policy: Mapping[str, Any], *, draw: str, party: str) -> dict[str, Any]:
    """The context of a party's escrow. `policy`: the draw's own policy, of envelope `draw:<id>` (draw = tender/id)."""
    if policy["envelope"] != "draw:" + draw.removeprefix(policy["tender"] + "/") or policy["co_opening"]:
        raise CryptoError("CONTEXT_MISMATCH", "not the policy of this draw")
    return context_of(policy, holder=party, plen=ESCROW_PLEN)


def make_escrow(policy: Mapping[str, Any], *, draw: str, party: str, r: bytes) -> bytes:
    """The escrow header of a party: `sb1` header bytes whose seed is r. It has no content."""
    return make_header(r, escrow_ctx(policy, draw=draw, party=party))


def check_escrow(raw: bytes, *, draw: str, party: str, policy: str) -> Header:
    """An escrow header made for this draw, party and policy id.

    Refuses: HEADER_CANONICAL, HEADER_SCHEMA, SUITE_UNKNOWN, CONTEXT_MISMATCH.
    """
    header = parse_header(raw)
    ctx = header.ctx
    named = ctx["tender"] + "/" + ctx["envelope"].removeprefix("draw:")
    if (
        not ctx["envelope"].startswith("draw:")
        or named != draw
        or ctx["bidder"] != party
        or ctx["policy"] != policy
        or ctx["plen"] != ESCROW_PLEN
        or ctx["co_opening"]
    ):
        raise CryptoError("CONTEXT_MISMATCH", "an escrow for another draw, party or policy")
    return header


def counted(header: Header, commit: bytes, *, draw: str, party: str, r: bytes) -> tuple[bytes, str]:
    """(value, fault): r counts iff it gives both the commit and the escrow header; else 32 zero bytes, DRAW_ESCROW.

    Tested on every reveal, honest or from escrow: else a bad escrow would be a choice between r and zeros.
    """
    if len(r) == 32 and same(draw_commit(draw, party, r), commit):
        try:
            if same(make_header(r, header.ctx), header.raw):
                return r, ""
        except ValueError:
            pass
    return NOTHING, "DRAW_ESCROW"


def counted_from_escrow(
    header: Header, commit: bytes, *, draw: str, party: str, parts: Mapping[int, bytes]
) -> tuple[bytes, str]:
    """The same test on what the officers' shares join to. Refuses: SHARE_COMMIT, TOO_FEW_SHARES: ask more officers."""
    return counted(header, commit, draw=draw, party=party, r=join_shares(header, parts))


def draw_seed(
    *, beacon: str, commits: Sequence[bytes], draw: str, pool: bytes, reveals: Sequence[bytes], root: bytes
) -> bytes:
    """The seed of a draw: arrays in party order, `pool` its hash, `root` of the checkpoint after the last commit."""
    return H(
        "draw-seed",
        dumps(
            {
                "beacon": beacon,
                "commits": [b64u(c) for c in commits],
                "draw": draw,
                "pool": b64u(pool),
                "reveals": [b64u(r) for r in reveals],
                "root": b64u(root),
            }
        ),
    )


@dataclass
class Stream:
    """Unbiased numbers from a seed: one stream per label."""

    seed: bytes
    label: str
    counter: int = 0

    def below(self, m: int) -> int:
        """A number from 0 to m−1, every one equally likely."""
        if not 1 <= m <= _LIMIT:
            raise ValueError("1 to 2^48")
        limit = _LIMIT - _LIMIT % m
        prefix = f"bidhall/sb1/draw/{self.label}".encode() + b"\0"
        while True:
            digest = hmac.digest(self.seed, prefix + self.counter.to_bytes(4, "big"), "sha256")
            self.counter += 1
            value = int.from_bytes(digest[:6], "big")
            if value < limit:
                return value % m

    def permutation(self, n: int) -> list[int]:
        """A random order of 0..n−1."""
        order = list(range(n))
        for i in range(n - 1):
            j = i + self.below(n - i)
            order[i], order[j] = order[j], order[i]
        return order


def order_of(seed: bytes, size: int, label: str = "experts") -> list[int]:
    """The pool's indices in the order drawn, where several are: the first `take` are picked, substitutes follow."""
    return Stream(seed, label).permutation(size)


def picks(seed: bytes, label: str, size: int, take: int) -> list[int]:
    """The indices drawn: of `experts` and of bidders to be `invited` the first `take` of the order; of `k` (a coefficient) one."""
    if label in ("experts", "invited"):
        if not 1 <= take <= size:
            raise CryptoError("JSON_PROFILE", "more to be drawn than there are")
        return order_of(seed, size, label)[:take]
    if label != "k" or take != 1:
        raise CryptoError("JSON_PROFILE", "a draw is of experts, of bidders to invite, or of one coefficient")
    return [Stream(seed, "k").below(size)]


@dataclass(frozen=True)
class Turn:
    """One party's part in a draw: its commit, its escrow header and what came to light of it (empty if nothing)."""

    party: str
    commit: bytes
    header: Header
    r: bytes = b""


def result(
    notice: Mapping[str, Any], turns: Sequence[Turn], *, root: bytes, at: str, beacon: str = ""
) -> dict[str, Any]:
    """The `draw` document that follows from notice and turns (in the notice's party order), to be signed or compared.

    Refuses: CONTEXT_MISMATCH (other parties than the notice's, an escrow of another draw, a beacon too many or few).
    """
    draw = notice["draw"]
    if [turn.party for turn in turns] != list(notice["parties"]) or bool(beacon) is not bool(notice["beacon"]):
        raise CryptoError("CONTEXT_MISMATCH", "the parties or the beacon are not those of the notice")
    for turn in turns:
        check_escrow(turn.header.raw, draw=draw, party=turn.party, policy=notice["policy"])
    values = [counted(turn.header, turn.commit, draw=draw, party=turn.party, r=turn.r) for turn in turns]
    seed = draw_seed(
        beacon=beacon,
        commits=[turn.commit for turn in turns],
        draw=draw,
        pool=unb64u(notice["pool"], 32),
        reveals=[value for value, _ in values],
        root=root,
    )
    return {
        "v": 1,
        "at": at,
        "draw": draw,
        "beacon": beacon,
        "label": notice["label"],
        "pool": notice["pool"],
        "root": b64u(root),
        "seed": b64u(seed),
        "size": notice["size"],
        "faults": [turn.party for turn, (_, fault) in zip(turns, values, strict=True) if fault],
        "picks": picks(seed, notice["label"], notice["size"], notice["take"]),
    }


def score_commit(salt: bytes, sheet: Any) -> bytes:
    """An expert's commitment to a score sheet (its value)."""
    if len(salt) != 32:
        raise ValueError("a salt has 32 bytes")
    return H("score", salt, dumps(sheet))


def check_sheet(sheet: Any, salt: bytes, commit: bytes) -> None:
    """A revealed sheet against its commitment. Refuses: CONTEXT_MISMATCH."""
    if len(salt) != 32 or not same(score_commit(salt, sheet), commit):
        raise CryptoError("CONTEXT_MISMATCH", "not the sheet that was committed to")
